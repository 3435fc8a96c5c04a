"""The policy as a decision process: solved exactly, readable, and within the year's allowance."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from everfit.maintain.chances import AGES, LEVELS, MIDDLES, chances, level_of, smoothed
from everfit.maintain.history import Made
from everfit.maintain.table import (
    ACTS,
    DISCOUNT,
    Prices,
    age_name,
    solve,
    square_root_period,
    state_name,
)

COSTS = {"nothing": 0.0, "recalibrate": 0.1, "retrain": 1.0, "search": 10.0}


def test_rows_of_chances_sum_to_one_and_count_what_was_seen():
    seen = [(age, 1.0 + 0.01 * age) for age in range(40)]

    found = chances(seen, growth=0.5)

    assert np.allclose(found.keep.sum(axis=2), 1.0)
    assert all(np.allclose(table.sum(axis=1), 1.0) for table in found.after.values())
    assert found.seen["windows"] == 39


def test_a_loss_that_rose_window_after_window_is_expected_to_rise_again():
    calm = chances([(age, 1.0) for age in range(60)])
    rising = chances([(age, 1.0 + 0.02 * age) for age in range(60)])
    level = level_of(1.3)

    worse = [table.keep[5, level, level + 1 :].sum() for table in (calm, rising)]

    assert worse[1] > worse[0]


def test_a_smaller_age_begins_a_new_version_and_no_step_joins_the_two():
    joined = chances([(1, 1.0), (2, 1.0), (1, 1.5), (2, 1.5)])

    assert joined.seen["windows"] == 2


def test_fits_that_gained_nothing_make_the_next_one_less_promising():
    kept = [
        Made("retrain", f"v{i}", datetime(2026, 1, 1, tzinfo=UTC), "kept", 0.0) for i in range(20)
    ]

    before, after = chances([]), chances([], made=kept)
    top = len(MIDDLES) - 1

    assert after.after["retrain"][top, top] > before.after["retrain"][top, top] + 0.3


def test_a_fit_of_the_same_rows_is_expected_to_be_the_same_fit():
    same = chances([], fresh=0.0)

    assert np.allclose(same.after["retrain"], np.eye(len(MIDDLES)))


def test_the_solution_satisfies_bellmans_equation():
    found = chances([(age, 1.0 + 0.01 * age) for age in range(30)])
    table = solve(found, Prices(0.4, 50.0, COSTS))
    value = table.values.min(axis=2)

    # value iteration from the solution stays where it is
    from everfit.maintain.table import _moves

    window = 0.4 * 50.0 * np.tile(MIDDLES, len(AGES) + 1)
    cost = np.array([window + COSTS[act] for act in ACTS])
    again = (cost + DISCOUNT * _moves(found) @ value.ravel()).min(axis=0)

    assert np.allclose(again, value.ravel(), rtol=1e-9)


def test_nothing_is_done_when_losses_cost_nothing():
    table = solve(chances([]), Prices(0.5, 0.0, COSTS))

    assert (table.best == ACTS.index("nothing")).all()


def test_what_cannot_be_done_any_more_this_year_is_never_chosen():
    table = solve(
        chances([]), Prices(0.5, 100.0, COSTS, {"retrain": 0, "search": 0, "recalibrate": 0})
    )

    assert (table.best == ACTS.index("nothing")).all()


def test_a_small_allowance_makes_fits_dearer_until_it_lasts():
    rich = solve(
        chances([]), Prices(0.5, 100.0, COSTS, {"retrain": 365, "search": 12, "recalibrate": 0})
    )
    poor = solve(
        chances([]), Prices(0.5, 100.0, COSTS, {"retrain": 2, "search": 0, "recalibrate": 0})
    )
    fits = [
        np.isin(t.best, [ACTS.index("retrain"), ACTS.index("search")]).sum() for t in (rich, poor)
    ]

    assert poor.scarce > rich.scarce
    assert fits[1] < fits[0]


def test_a_user_can_overrule_one_state_and_no_other():
    said = {state_name(3, level_of(1.08)): "search"}
    plain = solve(chances([]), Prices(0.5, 100.0, COSTS))
    ruled = solve(chances([]), Prices(0.5, 100.0, COSTS), said)

    assert ruled.act(7, 1.08)[0] == "search"
    assert ruled.act(7, 1.0) == plain.act(7, 1.0)
    assert [row["age"] for row in ruled.rows()] == [age_name(a) for a in range(len(AGES) + 1)]


@pytest.mark.parametrize(
    ("fit_cost", "decay", "loss_cost"), [(8.0, 0.01, 100.0), (2.0, 0.04, 25.0)]
)
def test_the_square_root_law_has_the_least_cost_of_all_periods(fit_cost, decay, loss_cost):
    best = square_root_period(fit_cost, decay, loss_cost)
    assert best is not None

    def cost(period: float) -> float:  # of a window: fits, and the loss that grew since the last
        return fit_cost / period + loss_cost * decay * period / 2

    assert cost(best) <= min(cost(best * 0.9), cost(best * 1.1))
    assert square_root_period(1.0, 0.0, 1.0) is None


def test_single_windows_move_the_running_level_by_a_quarter():
    assert smoothed([1.0, 2.0]).tolist() == [1.0, 1.25]
    assert len(smoothed([])) == 0
    assert sorted(LEVELS) == list(LEVELS)
