"""What a log must hold before it may stand for another policy."""

from __future__ import annotations

import numpy as np
import pytest

from everfit.errors import DataError, UsageError
from everfit.evidence.offpolicy.logged import Logged

NAN = np.nan


@pytest.mark.parametrize(
    ("propensity", "got"),
    [([0.5, NAN, 0.5], "1 missing"), ([0.5, 0.0, -0.1], "2 zero or below"),
     ([NAN, 0.0, 1.5], "1 missing, 1 zero or below, 1 above 1 of 3 propensities")],
)  # fmt: skip
def test_decisions_without_a_usable_propensity_are_refused_in_four_parts(
    propensity: list[float], got: str
) -> None:
    with pytest.raises(DataError, match="no usable propensity") as caught:
        Logged.of([1.0, 0.0, 1.0], propensity, [0.5] * 3)

    assert got in caught.value.got
    assert "(0, 1]" in caught.value.expected
    assert "log the chance when the decision is taken" in caught.value.do


@pytest.mark.parametrize("target", [[NAN, 0.0], [1.5, 0.0], [-0.1, 0.0]])
def test_a_target_that_gives_no_chances_is_refused(target: list[float]) -> None:
    with pytest.raises(DataError, match="gives no chances") as caught:
        Logged.of([1.0, 0.0], [0.5, 0.5], target)

    assert "1 of 2" in caught.value.got


def test_a_reward_that_is_not_known_yet_is_refused_and_not_taken_for_nothing() -> None:
    with pytest.raises(DataError, match="rewards of logged decisions are not known") as caught:
        Logged.of([1.0, NAN], [0.5, 0.5], [0.5, 0.5])

    assert "once its time is over" in caught.value.do


def test_half_a_reward_model_is_refused() -> None:
    with pytest.raises(UsageError, match="half a reward model"):
        Logged.of([1.0], [0.5], [0.5], predicted=[0.5])


@pytest.mark.parametrize("groups", [None, np.array([1, 2, 3])])
def test_arrays_of_other_lengths_are_refused(groups: np.ndarray | None) -> None:
    with pytest.raises(UsageError, match="do not fit together"):
        Logged.of([1.0, 0.0], [0.5] if groups is None else [0.5] * 2, [0.5] * 2, groups=groups)


def test_a_chance_of_one_by_rounding_is_a_chance() -> None:
    assert Logged.of([1.0], [1.0 + 1e-12], [1.0]).weight[0] == pytest.approx(1.0)
