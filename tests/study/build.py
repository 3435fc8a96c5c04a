"""Builders for tests of the study: a told clock, an executor that fits nothing, a race on both."""

from __future__ import annotations

import json
import shutil
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from everfit.data.table import Table
from everfit.deadline import Deadline
from everfit.evidence.interval import Interval
from everfit.executors import Executor, InlineExecutor, Job, Outcome
from everfit.records import (
    Array,
    Assessment,
    Cut,
    Hypothesis,
    Problem,
    Profile,
    SplitPolicy,
    Study,
    Truth,
)
from everfit.study import Setting, study
from everfit.study.fold import ALL_ROWS
from everfit.study.race import Course, Race, Recall
from everfit.study.workspace import pick_up
from everfit.tasks import TASKS
from tests.tables import pose

NUMBERS = Problem("regress", "y", "rmse", "values", label_type="float")
CLASSES = Problem("classify", "y", "log_loss", "probabilities", labels=("no", "yes"))


@dataclass
class Clock:
    """A clock that moves when it is told to."""

    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s

    def move(self, seconds: float) -> None:
        self.now_s += seconds


@dataclass(frozen=True)
class Fit:
    """What the fits of one learner give: answers (n,) or (n, k) to all rows; how and when."""

    values: Array
    fit_s: float = 1.0
    ends: Mapping[int, str] = field(default_factory=dict)  # by fold, when it does not end well
    error: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    predict_us: float = 1.0


Fits = Mapping[str, Fit | Callable[[Job], Fit]]


class Whoever(dict[str, Fit | Callable[[Job], Fit]]):
    """One fit for all learners but those that are named."""

    def __init__(self, others: Fit | Callable[[Job], Fit], **known: Fit) -> None:
        super().__init__(known)
        self.others = others

    def __missing__(self, learner: str) -> Fit | Callable[[Job], Fit]:
        return self.others


class Prepared:
    """An executor that fits nothing: it writes the files of a fit and moves the clock.

    As an executor must, it does not take a key twice before it told its outcome, and it ends a job
    at its time limit. Wait number ``interrupted`` (from 1) raises what Ctrl-C raises.
    """

    def __init__(
        self,
        fits: Fits,
        clock: Clock,
        *,
        cuts: Sequence[Cut] | None = None,
        slots: int = 1,
        interrupted: int = 0,
    ) -> None:
        self.fits, self.cuts, self.clock, self.slots = fits, cuts, clock, slots
        self.submitted: list[Job] = []
        self.at: list[float] = []  # when each was submitted
        self.cancelled: list[str] = []
        self._interrupted, self._waits = interrupted, 0
        self._known: set[str] = set()
        self._queue: deque[Job] = deque()
        self._ended: list[Outcome] = []

    def submit(self, job: Job) -> None:
        if job.key not in self._known:
            self._known.add(job.key)
            self._queue.append(job)
        self.submitted.append(job)
        self.at.append(self.clock())

    def wait(self, timeout_s: float) -> list[Outcome]:
        self._waits += 1
        if self._waits == self._interrupted:
            raise KeyboardInterrupt
        if self._queue and not self._ended:
            self._ended.append(self._run(self._queue.popleft()))
        elif not self._ended:
            self.clock.move(max(timeout_s, 0.01))
        ended, self._ended = self._ended, []
        self._known -= {outcome.key for outcome in ended}
        return ended

    def cancel(self, key: str) -> None:
        kept = deque(job for job in self._queue if job.key != key)
        if len(kept) < len(self._queue):
            self._queue = kept
            self._ended.append(Outcome(key, "cancelled"))
            self.cancelled.append(key)

    def map_partitions(
        self, function: str, partitions: Sequence[Mapping[str, Any]], timeout_s: float
    ) -> list[Outcome]:
        raise NotImplementedError

    def close(self) -> None:
        self._queue.clear()

    def order(self) -> list[tuple[str, int]]:
        """Learner and fold of all jobs, in the order in which they were submitted."""
        return [(job.arguments["learner"], job.arguments["cut"]) for job in self.submitted]

    def _run(self, job: Job) -> Outcome:
        made = self.fits[job.arguments["learner"]]
        fit = made(job) if callable(made) else made
        fold = job.arguments["cut"]
        if fit.fit_s > job.timeout_s:
            self.clock.move(max(job.timeout_s, 0.0))
            return Outcome(job.key, "timeout", error=f"killed after {job.timeout_s:.1f} s")
        self.clock.move(fit.fit_s)
        if (status := fit.ends.get(fold, "ok")) != "ok":
            return Outcome(job.key, status, error=fit.error)  # type: ignore[arg-type]
        cuts = self.cuts or pick_up(Path(job.arguments["workspace"])).cuts
        asked = cuts[fold].asked if fold != ALL_ROWS else None
        return Outcome(job.key, "ok", value=written(Path(job.arguments["folder"]), fit, asked))


def written(folder: Path, fit: Fit, asked: Array | None) -> dict[str, Any]:
    """The files that ``fit_fold`` leaves in ``folder``, and what it returns."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if asked is not None:
        values = fit.values.reshape(len(fit.values), -1)[asked]
        np.savez(folder / "answers.npz", ids=asked, values=values)
    record = {
        "fit_s": fit.fit_s,
        "predict_us": fit.predict_us,
        "facts": dict(fit.facts),
        "part": {"engine": "none"},
    }
    (folder / "fit.json").write_text(json.dumps(record))
    return record


def folds_of(n: int, n_folds: int = 5) -> tuple[Cut, ...]:
    """Every ``n_folds``-th row is asked about, from the first, the second, and so on."""
    fold = np.arange(n) % n_folds
    return tuple(
        Cut(f"fold {i + 1}", np.flatnonzero(fold != i), np.flatnonzero(fold == i))
        for i in range(n_folds)
    )


def raced(
    folder: Path,
    truth: Array,
    fits: Fits,
    *,
    problem: Problem = NUMBERS,
    n_folds: int = 5,
    budget_s: float = 1e6,
    weight: Array | None = None,
    groups: Array | None = None,
    slots: int = 1,
    interrupted: int = 0,
    recall: Recall = lambda key: None,
    executor: Executor | None = None,
    seed: int = 0,
) -> tuple[Race, Prepared]:
    """A race without entries over ``truth`` (n,), and the executor that answers it."""
    n, clock = len(truth), Clock()
    cuts = folds_of(n, n_folds)
    prepared = Prepared(fits, clock, cuts=cuts, slots=slots, interrupted=interrupted)
    course = Course(
        problem=problem,
        task=TASKS[problem.task],
        truth=Truth(np.arange(n), truth.astype(float), weight),
        cuts=cuts,
        n_rows=n,
        workspace=folder / "workspace",
        fits=folder / "fits",
        executor=executor or prepared,
        threads=1,
        seed=seed,
        data_key="data",
        recall=recall,
        keep=lambda key, record, fitted: fitted,
        tell=lambda line, detail: None,
        groups=groups,
    )
    return Race(course, Deadline(0.0, budget_s, clock)), prepared


def named(*learners: str, stage: Any = "portfolio") -> list[Hypothesis]:
    """One hypothesis for each learner, called like it."""
    return [Hypothesis(name, name, {}, f"why {name} is tried", stage) for name in learners]


def run_all(race: Race) -> None:
    """Run all entries of a race to their ends."""
    race.run(race.deadline.left)


def two_columns(p: Array) -> Array:
    """Probabilities of two classes from those of the second one."""
    return np.column_stack([1 - p, p])


def studied(
    table: Table,
    folder: Path,
    *,
    budget_s: float = 60.0,
    clock: Callable[[], float] = time.monotonic,
    executor: Executor | None = None,
    policy: SplitPolicy | None = None,
    own: Sequence[Hypothesis] = (),
    seed: int = 0,
    target: str = "y",
    metric: str | None = None,
    **setting: Any,
) -> Study:
    """The study of a table for its target, in this process unless told."""
    task, _ = pose(table, target, metric)
    problem = task.problem(table, target, metric=metric)
    deadline = Deadline(clock(), budget_s, clock)
    nobody = Interval(0.0, 0.0, 0.0)
    assessment = Assessment(
        problem, table.n_rows, (), policy or SplitPolicy("random"), Profile(table.n_rows, ()),
        floor=nobody, smallest_gain=0.0,
    )  # fmt: skip
    given = {
        "executor": executor or InlineExecutor(),
        "threads": 1,
        "workspace": folder / "workspace",
        "fits": folder / "fits",
        "recall": lambda key: None,
        "keep": lambda key, record, fitted: fitted,
        "tell": lambda line, detail: None,
    }
    return study(
        table, problem, assessment,
        task=task, deadline=deadline, setting=Setting(**(given | setting)), seed=seed, own=own,
    )  # fmt: skip
