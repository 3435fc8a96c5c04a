"""How many units a trial needs, and what to ask when there are fewer."""

from __future__ import annotations

import math

import pytest

from everfit.errors import UsageError
from everfit.evidence.trial.plan import plan_trial


@pytest.mark.parametrize(("gain", "units"), [(0.01, 6394), (0.02, 1599), (0.03, 711)])
def test_the_plan_is_the_formula_of_the_anchor(gain, units):
    plan = plan_trial(gain, 0.08, 0.05, 10_000)

    assert plan.units == units
    assert plan.feasible
    assert plan.ask == "better"
    assert f"{units:,} units" in plan.why


def test_a_test_that_cannot_end_in_time_is_refused_and_another_one_offered():
    alone = plan_trial(0.01, 0.08, 0.05, 5000)
    other = plan_trial(0.01, 0.08, 0.05, 5000, margin=0.02)

    assert (alone.feasible, alone.ask) == (False, "wait")
    assert (other.feasible, other.ask) == (False, "not_worse")
    assert "not worse" in other.why


def test_the_gain_that_can_be_seen_is_the_one_that_needs_all_units():
    plan = plan_trial(0.001, 0.08, 0.05, 5000)

    assert plan_trial(plan.seen_gain * 1.001, 0.08, 0.05, 5000).feasible
    assert not plan_trial(plan.seen_gain * 0.999, 0.08, 0.05, 5000).feasible
    assert plan.seen_margin == plan.seen_gain


def test_no_gain_or_no_units_means_waiting():
    assert plan_trial(0.0, 0.1, 0.05, 10**6).units is None
    assert plan_trial(0.0, 0.1, 0.05, 10**6).ask == "wait"
    assert plan_trial(0.1, 0.1, 0.05, 0).seen_gain == math.inf


@pytest.mark.parametrize("wrong", [(0.1, 0.0, 0.05, 10), (0.1, 0.1, 1.0, 10), (0.1, 0.1, 0.1, -1)])
def test_a_plan_of_nonsense_is_refused(wrong):
    with pytest.raises(UsageError, match="cannot be planned"):
        plan_trial(*wrong)
