"""Entries of the race and the folds on which they can be judged."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from everfit.records import Answers, Hypothesis
from everfit.study.entry import Entry, FoldResult, common_folds


def entry(n_folds: int, status: str = "running", stage: str = "portfolio") -> Entry:
    made = Entry(1, Hypothesis("h", "prior", stage=stage), status=status)  # type: ignore[arg-type]
    for fold in range(n_folds):
        ids = np.arange(fold, 10, 5)
        values = ids[:, None].astype(float)
        made.folds[fold] = FoldResult(Answers(ids, values), values[:, 0], 1.0, 1.0, Path(), False)
    return made


def test_folds_count_without_a_gap() -> None:
    gappy = entry(3)
    del gappy.folds[1]

    assert (entry(3).n_folds, gappy.n_folds) == (3, 1)


def test_answers_of_all_folds_are_ordered_by_id() -> None:
    answers = entry(5).answers(5)

    assert answers.ids.tolist() == list(range(10))
    assert answers.values[:, 0].tolist() == list(range(10))


def test_one_slow_entry_does_not_take_the_folds_of_all_others() -> None:
    assert common_folds([entry(5), entry(5), entry(5), entry(1)]) == 5


def test_the_fastest_alone_does_not_decide() -> None:
    assert common_folds([entry(3), entry(2), entry(2)]) == 2


def test_dropped_entries_do_not_hold_the_others_back() -> None:
    assert common_folds([entry(5), entry(1, "dropped"), entry(1, "dropped")]) == 5


def test_nothing_fitted_gives_no_folds() -> None:
    assert common_folds([entry(0)]) == 0


def test_floors_that_cost_nothing_do_not_decide_while_others_run() -> None:
    assert common_folds([entry(5, stage="floor"), entry(5, stage="simple"), entry(1)]) == 1
