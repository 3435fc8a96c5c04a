"""A study that only fits again what an earlier one chose."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from everfit.deadline import Deadline
from everfit.evidence.interval import Interval
from everfit.executors import InlineExecutor
from everfit.records import Assessment, Hypothesis, Profile, SplitPolicy, Study
from everfit.study import Setting, study
from everfit.study.race import Entry, _seconds
from tests.study.build import Clock, Fit, Prepared, Whoever
from tests.tables import make_table, pose

MINE = Hypothesis("mine", "mine", {"depth": 3}, "a member of the version before")


def again(folder: Path, n_rows: int = 400, **more: Any) -> Study:
    rng = np.random.default_rng(0)
    x = rng.normal(size=n_rows)
    table = make_table(
        {"x": x, "y": np.where(x + rng.normal(0, 0.5, n_rows) > 0, "yes", "no")}, target="y"
    )
    task, problem = pose(table, "y")
    nobody = Interval(0.0, 0.0, 0.0)
    assessment = Assessment(
        problem, n_rows, (), SplitPolicy("random"), Profile(n_rows, ()), nobody, 0.0
    )
    clock = more.pop("clock", time.monotonic)
    setting = Setting(
        executor=more.pop("executor", None) or InlineExecutor(),
        threads=1,
        workspace=folder / "workspace",
        fits=folder / "fits",
        recall=lambda key: None,
        keep=lambda key, record, fitted: fitted,
        tell=lambda line, detail: None,
    )
    return study(
        table, problem, assessment, task=task, deadline=Deadline(clock(), 60.0, clock),
        setting=setting, seed=0, again=True, **more,
    )  # fmt: skip


def test_nothing_is_tried_but_the_floor_the_simple_model_and_what_was_chosen(
    tmp_path: Path,
) -> None:
    own = [Hypothesis("quick trees", "boosted", {"n_rounds": 20}, "a member")]

    found = again(tmp_path, own=own)

    assert {trial.hypothesis.learner for trial in found.trials} == {"prior", "linear", "boosted"}
    assert found.stopped == "the hypotheses of an earlier version were fitted again"
    assert found.candidate.score.n == 400


@pytest.mark.parametrize(("n_rows", "n_folds"), [(400, 5), (2_000, 3)])
def test_fewer_folds_are_enough_for_many_rows(tmp_path: Path, n_rows: int, n_folds: int) -> None:
    found = again(tmp_path, n_rows=n_rows)

    assert found.split.n_folds == n_folds
    assert found.candidate.score.n == n_rows


def test_what_could_not_be_fitted_again_is_named(tmp_path: Path) -> None:
    sound = Fit(np.full((400, 2), 0.5))
    broken = Fit(np.full((400, 2), 0.5), ends={0: "error"}, error="LearnerFailed: no such thing")
    executor = Prepared(Whoever(sound, mine=broken), clock := Clock())

    found = again(tmp_path, own=[MINE], executor=executor, clock=clock)

    assert any(
        line.startswith("not fitted again: mine; fold 1: LearnerFailed") for line in found.not_tried
    )


def test_a_fold_that_takes_long_on_a_busy_machine_is_waited_for() -> None:
    entry = Entry(1, MINE)
    entry.folds[0] = cast(Any, SimpleNamespace(job_s=2.0))

    hurried, waited = _seconds(entry, 500.0), _seconds(entry, 500.0, again=True)

    assert hurried is not None
    assert waited is not None
    assert waited >= 5 * hurried
    assert _seconds(entry, 30.0, again=True) == 30.0
