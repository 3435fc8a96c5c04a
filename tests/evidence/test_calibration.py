"""Calibration of probabilities: the best one found, used only if it helps."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize, special
from sklearn.linear_model import LogisticRegression

from everfit.evidence.calibration import (
    apply_calibration,
    expected_calibration_error,
    fit_calibration,
    least_loss_calibration,
)


def _rows(
    n: int, k: int, seed: int, *, sharp: float = 1.0, bias: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Answers whose log-odds are ``sharp`` times too large and shifted by ``bias``."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (n, k))
    codes = (special.softmax(logits, axis=1).cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    shift = np.zeros(k)
    shift[-1] = bias
    return special.softmax(sharp * logits + shift, axis=1), np.minimum(codes, k - 1)


def _loss(p: np.ndarray, y: np.ndarray) -> float:
    return float(-np.log(p[np.arange(len(y)), y]).mean())


@pytest.mark.parametrize("k", [3, 5])
def test_the_temperature_is_the_one_a_search_finds(k):
    p, y = _rows(800, k, 0, sharp=2.0)

    found = least_loss_calibration(p, y)

    best = optimize.minimize_scalar(
        lambda t: _loss(apply_calibration(p, {"temperature": t}), y), bounds=(0.05, 20)
    )
    assert found["temperature"] == pytest.approx(best.x, rel=1e-3)
    assert found["temperature"] == pytest.approx(2.0, rel=0.2)


def test_two_classes_get_platts_scaling():
    p, y = _rows(800, 2, 1, sharp=0.5, bias=0.7)
    z = np.log(p[:, 1] / p[:, 0])

    found = least_loss_calibration(p, y)

    platt = LogisticRegression(C=1e9, tol=1e-8).fit(z[:, None], y)
    assert 1 / found["temperature"] == pytest.approx(platt.coef_[0, 0], rel=1e-3)
    assert found["bias_1"] == pytest.approx(platt.intercept_[0], abs=1e-3)


def test_weights_count_like_copies():
    p, y = _rows(200, 2, 2, sharp=2.0)
    times = np.arange(200) % 3

    weighted = least_loss_calibration(p, y, weight=times)

    copied = least_loss_calibration(np.repeat(p, times, axis=0), np.repeat(y, times))
    assert weighted == pytest.approx(copied, rel=1e-6)


def test_applying_a_temperature_and_its_inverse_gives_the_same_back():
    p, _ = _rows(50, 4, 3)

    there = apply_calibration(p, {"temperature": 2.5, "bias_1": 0.4})
    back = apply_calibration(there, {"temperature": 1 / 2.5, "bias_1": -0.4 * 2.5})

    assert back == pytest.approx(p)
    assert there.sum(axis=1) == pytest.approx(np.ones(50))
    assert (apply_calibration(p, {}) == p).all()


@pytest.mark.parametrize("k", [2, 4])
def test_overconfident_answers_are_calibrated_and_lose_less_on_new_rows(k):
    p, y = _rows(600, k, 4, sharp=2.5)
    fresh, fresh_y = _rows(5000, k, 5, sharp=2.5)

    found = fit_calibration(p, y)

    assert _loss(apply_calibration(fresh, found), fresh_y) < _loss(fresh, fresh_y) - 0.05
    after = expected_calibration_error(apply_calibration(fresh, found), fresh_y)
    assert after < 0.5 * expected_calibration_error(fresh, fresh_y)


@pytest.mark.parametrize("k", [2, 3])
def test_calibrated_answers_are_mostly_left_alone_and_never_made_much_worse(k):
    used, cost = 0, []
    for seed in range(100):
        p, y = _rows(150, k, 100 + seed)
        found = fit_calibration(p, y, seed=seed)
        fresh, fresh_y = _rows(1000, k, 900 + seed)
        used += bool(found)
        cost.append(_loss(apply_calibration(fresh, found), fresh_y) - _loss(fresh, fresh_y))

    assert used <= 25
    assert np.mean(cost) < 0.003


def test_certain_and_wrong_answers_do_not_break_the_fit():
    p = np.tile([[1.0, 0.0], [0.0, 1.0]], (50, 1))
    right = np.tile([0, 1], 50)
    wrong = right.copy()
    wrong[:10] = 1 - wrong[:10]

    certain = least_loss_calibration(p, right)
    doubtful = least_loss_calibration(p, wrong)

    assert 0.05 <= certain["temperature"] <= 20
    assert _loss(apply_calibration(p, doubtful) + 1e-300, wrong) < 0.5


@pytest.mark.parametrize("k", [2, 3])
def test_answers_that_say_nothing_keep_a_finite_calibration(k):
    p = np.full((60, k), 1 / k)
    y = np.arange(60) % k

    found = least_loss_calibration(p, y)

    assert all(math.isfinite(value) for value in found.values())
    assert fit_calibration(p, y) == {}


def test_too_little_to_calibrate_gives_nothing():
    p, y = _rows(19, 2, 6)

    assert fit_calibration(p, y) == {}
    assert least_loss_calibration(np.zeros((0, 2)), []) == {}
    assert least_loss_calibration(p, np.zeros(19)) == {}


def test_the_calibration_error_is_that_of_its_bins():
    p = np.array([[0.95, 0.05], [0.9, 0.1], [0.3, 0.7], [0.4, 0.6]])
    y = [0, 1, 1, 0]

    found = expected_calibration_error(p, y, n_bins=2)

    # all four answers are more than half sure, so they share one bin
    assert found == pytest.approx(abs(2 / 4 - (0.95 + 0.9 + 0.7 + 0.6) / 4))
    assert math.isnan(expected_calibration_error(np.zeros((0, 2)), []))
    assert expected_calibration_error([[1.0, 0.0]], [0]) == 0.0
