"""The yearly error budget and its parts."""

from __future__ import annotations

import pytest

from everfit.errors import UsageError
from everfit.evidence.online.budget import Budget


def test_the_usual_budget_is_spent_on_four_branches():
    budget = Budget()

    assert sum(budget.branches.values()) == pytest.approx(budget.total)
    assert budget.spare == 0.0
    assert budget.level("promotion") == 0.02
    assert budget.level("drift", ways=4) == pytest.approx(0.0025)


def test_another_total_is_split_alike():
    budget = Budget.scaled(0.1)

    assert budget.branches == pytest.approx({k: 2 * v for k, v in Budget().branches.items()})


def test_a_branch_can_be_switched_off_and_leaves_its_part_over():
    budget = Budget(drift=0.0)

    assert budget.spare == pytest.approx(0.01)
    assert budget.level("drift") == 0.0


def test_the_alarm_of_a_branch_has_its_level_and_the_looks_of_the_year():
    calibration = Budget().calibration("degradation", 365, ways=2)

    assert (calibration.looks, calibration.alpha) == (365, 0.005)
    assert calibration.threshold == pytest.approx(73_000)


@pytest.mark.parametrize(
    "wrong",
    [{"promotion": 0.03}, {"rollback": -0.01}, {"total": 0.0}, {"total": 1.0},
     {"drift": float("nan")}],
)  # fmt: skip
def test_a_budget_that_does_not_add_up_is_refused_with_its_parts(wrong):
    with pytest.raises(UsageError, match="does not add up"):
        Budget(**wrong)


def test_a_share_of_false_promotions_must_be_one():
    with pytest.raises(UsageError, match="share of false promotions"):
        Budget(discoveries=0.0)


def test_an_unknown_branch_names_those_that_are():
    with pytest.raises(UsageError, match="promotion, rollback, degradation, drift"):
        Budget().level("bets")
    with pytest.raises(UsageError, match="in 0 ways"):
        Budget().level("drift", ways=0)
