"""A level that moved is set right, and one that did not is left alone."""

from __future__ import annotations

import numpy as np
import pytest

from everfit.evidence.affine import FLATTEST, STEEPEST, apply_affine, fit_affine


def _said(n: int = 600, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.gamma(2.0, 50.0, n)
    return truth + rng.normal(0.0, 20.0, n), truth


def test_demand_that_grew_by_a_fifth_is_followed() -> None:
    said, truth = _said()
    found = fit_affine(said, 1.2 * truth)
    moved = apply_affine(said, found)
    before, after = np.mean((said - 1.2 * truth) ** 2), np.mean((moved - 1.2 * truth) ** 2)
    assert after < 0.8 * before
    assert 1.0 < found["scale"] < 1.3


def test_a_level_that_moved_by_a_constant_gets_a_shift() -> None:
    said, truth = _said()
    rng = np.random.default_rng(5)
    sound = truth + rng.normal(0.0, 20.0, len(truth))
    # as wide as the truth, so that its slope is right and only its level is not
    said = truth.mean() + (sound - sound.mean()) * truth.std() / sound.std() * 0.95
    found = fit_affine(said, truth + 40.0)
    assert abs(float(np.mean(apply_affine(said, found) - truth)) - 40.0) < 2.0


@pytest.mark.parametrize("seed", range(5))
def test_pure_noise_around_the_answers_asks_for_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    said = rng.uniform(0.0, 100.0, 400)
    found = fit_affine(said, said + rng.normal(0.0, 20.0, 400))
    # one standard error lets a few through; what comes through moves nothing by much
    assert np.abs(apply_affine(said, found) - said).mean() < 4.0


def test_scales_are_held_between_their_limits() -> None:
    said = np.linspace(1.0, 100.0, 200)
    assert fit_affine(said, 50.0 * said)["scale"] == STEEPEST
    assert fit_affine(said, 0.01 * said)["scale"] == FLATTEST


def test_few_rows_rows_without_weight_and_equal_answers_get_none_or_a_shift() -> None:
    assert fit_affine(np.arange(19.0), np.arange(19.0) + 9.0) == {}
    assert fit_affine(np.arange(50.0), np.arange(50.0) + 9.0, weight=np.zeros(50)) == {}
    rng = np.random.default_rng(1)
    found = fit_affine(np.full(200, 5.0), 9.0 + rng.normal(0.0, 1.0, 200))
    assert float(apply_affine(5.0, found)) == pytest.approx(9.0, abs=0.3)


def test_weights_say_whose_level_counts() -> None:
    said = np.tile([10.0, 20.0], 200)
    truth = np.tile([12.0, 60.0], 200) + np.random.default_rng(2).normal(0.0, 0.1, 400)
    found = fit_affine(said, truth, weight=np.tile([1.0, 0.0], 200))
    assert float(apply_affine(10.0, found)) == pytest.approx(12.0, abs=0.2)
