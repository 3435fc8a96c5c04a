from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, softmax

from everfit.errors import LearnerFailed
from everfit.learners.contract import History
from everfit.learners.link import bounds_of, link_of, smearing, to_answers, to_raw
from tests.learners.histories import features, history_of


@pytest.mark.parametrize("target", ["plain", "log"])
def test_answers_undo_what_raw_scores_did(target: str) -> None:
    history = history_of("values", 1)
    link = link_of(history, target)

    raw = to_raw(history.target, link)

    np.testing.assert_allclose(to_answers(raw, link, None)[:, 0], history.target, rtol=1e-12)
    assert abs(raw.mean()) < 1e-9
    assert raw.std() == pytest.approx(1.0)


def test_weights_move_what_a_number_is_measured_from() -> None:
    weight = np.arange(1.0, 241.0)
    history = history_of("values", 1, weight=weight)

    link = link_of(history)

    assert link["shift"] == pytest.approx(np.average(history.target, weights=weight))


def test_a_constant_number_has_scale_one() -> None:
    history = History(features(5), np.full(5, 3.0), "values", 1)

    assert link_of(history)["scale"] == 1.0


def test_sigmoid_and_softmax_agree_with_scipy() -> None:
    raw = np.random.default_rng(0).normal(0, 300, (50, 3))

    two = to_answers(raw[:, 0], {"kind": "sigmoid"}, None)
    many = to_answers(raw, {"kind": "softmax"}, None)

    np.testing.assert_allclose(two[:, 1], expit(raw[:, 0]), atol=1e-15)
    np.testing.assert_allclose(many, softmax(raw, axis=1), atol=1e-15)


def test_a_log_needs_numbers_above_minus_one() -> None:
    history = History(features(3), np.array([1.0, -1.0, 2.0]), "values", 1)

    with pytest.raises(LearnerFailed, match="log of this target"):
        link_of(history, "log")


def test_an_unknown_target_setting_is_named() -> None:
    with pytest.raises(LearnerFailed, match="cannot be changed that way"):
        link_of(history_of("values", 1), "root")


@pytest.mark.parametrize(
    ("low", "high", "bounds"),
    [(0.0, 10.0, (0.0, 15.0)), (-10.0, -2.0, (-14.0, 0.0)), (-1.0, 1.0, (-2.0, 2.0))],
)
def test_bounds_leave_room_but_keep_the_sign(
    low: float, high: float, bounds: tuple[float, float]
) -> None:
    assert bounds_of(np.array([low, high])) == bounds


def test_smearing_turns_a_median_into_a_mean() -> None:
    rng = np.random.default_rng(0)
    centre, noise = rng.normal(4, 1, 200_000), rng.normal(0, 0.6, 200_000)
    target = np.expm1(centre + noise)
    link = {"kind": "identity", "scale": 1.0, "shift": 0.0, "inverse": "expm1"}

    shift = smearing(centre, target, link, None)

    # the mean of a log-normal lies half its variance above its median
    assert shift == pytest.approx(0.6**2 / 2, abs=0.02)


def test_smearing_is_kept_small() -> None:
    link = {"kind": "identity", "scale": 1.0, "shift": 0.0, "inverse": "expm1"}

    assert smearing(np.zeros(3), np.full(3, 1e9), link, None) == 0.5
    assert smearing(np.full(3, 20.0), np.zeros(3), link, None) == -0.5
