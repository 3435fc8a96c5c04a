"""How the budget of a study is spent."""

from __future__ import annotations

import itertools

import pytest

from everfit.deadline import Deadline
from everfit.study.pace import Pace, pace_of


def pace(n_rows: int = 1_000, budget_s: float = 60.0, n_outputs: int = 2) -> Pace:
    return pace_of(n_rows, 10, n_outputs, Deadline(0.0, budget_s, lambda: 0.0))


def test_few_rows_get_more_folds_when_there_is_time_for_them() -> None:
    folds = [pace(n, budget).n_folds for n, budget in ((500, 60.0), (500, 10.0), (5_000, 60.0))]

    assert folds == [8, 5, 5]


def test_many_rows_get_folds_whose_history_is_nearly_all_of_them() -> None:
    assert pace(1_000_000, 600.0).n_folds == 10


@pytest.mark.parametrize(
    ("n_rows", "budget_s"), itertools.product([50, 2_000, 100_000], [10.0, 60.0, 3_600.0])
)
def test_most_of_the_budget_is_left_for_trials(n_rows: int, budget_s: float) -> None:
    found = pace(n_rows, budget_s)

    assert found.n_folds >= 2
    assert 0 < found.score_s + found.release_s < budget_s / 3
    assert 0 < found.search_s < budget_s / 3


def test_a_larger_budget_keeps_no_less_back() -> None:
    paces = [pace(budget_s=budget) for budget in (1.0, 10.0, 60.0, 600.0, 36_000.0)]

    assert [p.score_s for p in paces] == sorted(p.score_s for p in paces)
    assert [p.release_s for p in paces] == sorted(p.release_s for p in paces)
    assert paces[-1].score_s + paces[-1].release_s < 60.0


def test_the_release_of_many_rows_and_classes_takes_longer() -> None:
    assert pace(2_000_000, 600.0, n_outputs=10).release_s > pace(2_000_000, 600.0).release_s
    assert pace(2_000_000, 600.0).release_s > pace(1_000, 600.0).release_s
