"""The race: hypotheses run fold by fold on common folds, and the hopeless leave early.

Fold-major order (fold 0 of all, then fold 1 of the survivors) makes the race usable at any moment:
whoever stops the clock finds hypotheses that were judged on the same rows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from everfit.deadline import Deadline
from everfit.evidence.paired import paired_gain
from everfit.executors import Executor, Job, Outcome
from everfit.plain import as_plain
from everfit.records import Answers, Array, Cut, Hypothesis, Problem, Truth
from everfit.study.blend import greedy
from everfit.study.entry import Entry, FoldResult, common_folds
from everfit.study.own import identity
from everfit.tasks import Task

FIT_FOLD = "everfit.study.fold:fit_fold"
FIRST_SHARE = 0.25  # of the time left: what a hypothesis may use for its first fold
LEAST_S = 0.5  # a fit with less than this cannot even start its libraries' threads
DISMISS_ALPHA = 0.01  # a hypothesis leaves when its gap to the best is above 0 at this error rate
SEARCH_COST = 1.2  # the first fold searches for its rounds, then refits: at least this much more
AGAIN_TIMES = 20.0  # what was expected, at which a fold of a recipe that is fitted again ends
IMPORT_S = 4.0  # lightgbm, catboost and pandas take up to this long on a busy machine
WAVE, LAG = 8, 2.0  # hypotheses a wave, and by how many folds a wave lags behind
MIXED_RIVALS = 2  # of lists: only with so many of the best a blend is looked for
BLEND_ROWS = 5_000  # to see whether a blend would use a hypothesis, these many rows are enough

Recall = Callable[[str], Path | None]
Keep = Callable[[str, Mapping[str, Any], Path], Path]


@dataclass(frozen=True, slots=True)
class Course:
    """What the race runs on: problem, cuts and truth, where fits run, what is remembered."""

    problem: Problem
    task: Task
    truth: Truth
    cuts: tuple[Cut, ...]
    n_rows: int
    workspace: Path
    fits: Path  # where finished fits are kept, by key
    executor: Executor
    threads: int
    seed: int
    data_key: str  # hash of the cleaned table and the cuts
    recall: Recall
    keep: Keep
    tell: Callable[[str, Mapping[str, Any]], None]
    groups: Array | None = None  # of all rows: rows of one group are no independent evidence
    again: bool = False  # hypotheses that were chosen before: a fold that takes long is waited for

    def groups_of(self, ids: Array) -> Array | None:
        """The groups of the rows ``ids``."""
        return None if self.groups is None else self.groups[ids]


@dataclass(slots=True)
class Race:
    """All entries of one study and the jobs under way."""

    course: Course
    deadline: Deadline
    entries: list[Entry] = field(default_factory=list)
    jobs: dict[str, tuple[Entry, int]] = field(default_factory=dict)

    def enter(self, hypotheses: Iterable[Hypothesis]) -> list[Entry]:
        """Add hypotheses at the end of the order; give their entries."""
        known = {self._key(entry, 0) for entry in self.entries}
        new = []
        for hypothesis in hypotheses:
            entry = Entry(len(self.entries) + 1, hypothesis)
            self.entries.append(entry)
            new.append(entry)
            if self._key(entry, 0) in known:
                entry.status, entry.reason = "skipped", "the same settings are tried already"
                continue
            known.add(self._key(entry, 0))
            self._recall(entry)
        return new

    def run(self, left: Callable[[], float]) -> None:
        """Run until all entries are through, or ``left()`` seconds are over."""
        while True:
            while len(self.jobs) < self.course.executor.slots and (pick := self._next(left)):
                self._start(*pick)
            if not self.jobs or left() <= 0:
                break
            for outcome in self.course.executor.wait(max(0.0, min(left(), 1.0))):
                self._take(outcome)
        self.stop()

    def advance(self, entry: Entry, left: Callable[[], float]) -> None:
        """Run one entry alone through its folds."""
        others = [e for e in self.entries if e is not entry and e.status == "running"]
        for other in others:
            other.waiting = True
        self.run(left)
        for other in others:
            other.waiting = False

    def standing(self) -> tuple[list[Entry], int]:
        """Entries that can be judged together, best first, and on how many folds."""
        n = common_folds(self.entries)
        judged = [e for e in self.entries if n and e.n_folds >= n]
        return sorted(judged, key=lambda e: e.loss(n)), n

    def judged_truth(self, n_folds: int) -> Truth:
        """The truth of all rows asked in the first ``n_folds`` folds, ordered by id."""
        asked = np.sort(np.concatenate([self.course.cuts[f].asked for f in range(n_folds)]))
        truth = self.course.truth
        ids, _, at = np.intersect1d(asked, truth.ids, return_indices=True)
        weight = None if truth.weight is None else truth.weight[at]
        return Truth(ids, truth.values[at], weight)

    def _next(self, left: Callable[[], float]) -> tuple[Entry, int, float] | None:
        """The next fit: the lowest open fold, in the order of entry; None when none may start."""
        open_ = [
            e
            for e in self.entries
            if e.status == "running" and not e.waiting and e.n_folds < len(self.course.cuts)
        ]
        for entry in sorted(open_, key=self._turn):
            seconds = _seconds(entry, left(), again=self.course.again)
            if seconds is not None:
                return entry, entry.n_folds, seconds
        return None

    def _turn(self, entry: Entry) -> tuple[float, int]:
        """Whose turn it is: low folds first, but a wave of hypotheses lags behind the one before.

        Fold 0 of everything first would end a short budget with many hypotheses judged on one
        fold, where the luckiest wins; all folds of one first would end it with one hypothesis.
        """
        wave = (entry.number - 1) // WAVE
        return entry.n_folds + LAG * wave, entry.number

    def _start(self, entry: Entry, fold: int, seconds: float) -> None:
        course = self.course
        key = self._key(entry, fold)
        entry.waiting = True
        self.jobs[key] = (entry, fold)
        arguments = {
            "workspace": str(course.workspace),
            "folder": str(course.fits / key),
            "learner": entry.hypothesis.learner,
            "settings": dict(entry.hypothesis.settings) | dict(entry.settings),
            "cut": fold,
            "form": course.problem.form,
            "n_outputs": course.problem.n_outputs,
            "seed": course.seed,
            "seconds": seconds,
            "threads": course.threads,
            "rounds": entry.settled_rounds,
        }
        course.executor.submit(Job(key, FIT_FOLD, arguments, seconds))

    def _recall(self, entry: Entry) -> None:
        """Take the folds that an earlier run finished; they cost nothing, so no budget is asked."""
        while entry.status == "running" and entry.n_folds < len(self.course.cuts):
            key = self._key(entry, entry.n_folds)
            if (folder := self.course.recall(key)) is None:
                return
            record = json.loads((folder / "fit.json").read_text())
            self.jobs[key] = (entry, entry.n_folds)
            self._finish(key, record, folder, reused=True)

    def _key(self, entry: Entry, fold: int) -> str:
        what = {
            "data": self.course.data_key,
            "learner": entry.hypothesis.learner,
            "settings": as_plain(identity(entry.hypothesis)),
            "fold": fold,
            "seed": self.course.seed,
            # a fit is cut to the time that it is given: a longer run must not inherit it
            "budget_s": self.deadline.budget_s,
        }
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:32]

    def _take(self, outcome: Outcome) -> None:
        if outcome.key not in self.jobs:
            return
        if outcome.status == "ok":
            folder = self.course.fits / outcome.key
            self._finish(outcome.key, outcome.value, folder, reused=False, seconds=outcome.seconds)
            return
        entry, fold = self.jobs.pop(outcome.key)
        entry.waiting = False
        if outcome.status == "cancelled":
            return
        entry.status = "timed_out" if outcome.status == "timeout" else "failed"
        first_line = outcome.error.splitlines()[0] if outcome.error else outcome.status
        entry.reason = f"fold {fold + 1}: {first_line}"
        self.course.tell(
            f"{entry.hypothesis.name} {entry.status.replace('_', ' ')}: {entry.reason}", {}
        )

    def _finish(
        self,
        key: str,
        record: Mapping[str, Any],
        folder: Path,
        *,
        reused: bool,
        seconds: float = 0.0,
    ) -> None:
        entry, fold = self.jobs.pop(key)
        entry.waiting = False
        with np.load(folder / "answers.npz") as arrays:
            answers = Answers(arrays["ids"], arrays["values"])
        losses = self.course.task.losses(answers, self.course.truth, self.course.problem.metric)
        if not np.isfinite(answers.values).all():
            entry.status, entry.reason = "failed", f"fold {fold + 1}: answers that are no numbers"
            return
        facts = record["facts"]
        if not reused:
            said = {"fold": fold, "hypothesis": as_plain(entry.hypothesis)}
            folder = self.course.keep(key, said, folder)
        entry.folds[fold] = FoldResult(
            answers,
            losses.values,
            record["fit_s"],
            record["predict_us"],
            folder,
            reused,
            losses.ids,
            losses.weight,
            seconds or record["fit_s"],
        )
        if fold == 0:
            entry.settings = facts.get("settings", {})
            entry.facts = facts
        if (rounds := facts.get("rounds")) is not None:
            entry.rounds.append(int(rounds))
        if entry.n_folds == len(self.course.cuts):
            entry.status = "done"
        self._dismiss(entry)
        self._report(entry)

    def _dismiss(self, entry: Entry) -> None:
        """Let ``entry`` leave when it is clearly worse than the best and no blend would use it.

        Racing on paired losses of common rows keeps what is merely unlucky; asking the blend keeps
        what errs on other rows than the best (BBCD-CV, Tsamardinos 2018, drops on the same idea).
        """
        n = entry.n_folds
        rivals = [e for e in self.entries if e is not entry and e.n_folds >= n]
        protected = entry.hypothesis.stage in ("floor", "simple", "user")
        if entry.status != "running" or not rivals or protected:
            return
        best = min(rivals, key=lambda e: e.loss(n))
        gap = paired_gain(
            best.losses(n),
            entry.losses(n),
            alpha=DISMISS_ALPHA,
            weight=entry.weight(n),
            groups=self.course.groups_of(entry.units(n)),
        )
        if gap.low <= 0 or self._used(entry, rivals, n):
            return
        entry.status = "dropped"
        entry.reason = (
            f"worse than {best.hypothesis.name} by {gap.low:.3g} to {gap.high:.3g} "
            f"on {gap.n} common {_units(self.course.problem)}, and a blend gives it no weight"
        )

    def _used(self, entry: Entry, rivals: list[Entry], n: int) -> bool:
        truth = self.judged_truth(n)
        rng = np.random.default_rng(self.course.seed)
        rows = np.arange(len(truth.ids))
        if len(rows) > BLEND_ROWS:
            rows = np.sort(rng.choice(rows, BLEND_ROWS, replace=False))
        some = Truth(
            truth.ids[rows],
            truth.values[rows],
            None if truth.weight is None else truth.weight[rows],
        )
        if self.course.problem.form == "lists":  # a mixture of lists is only worth its cost then
            rivals = sorted(rivals, key=lambda e: e.loss(n))[:MIXED_RIVALS]
        field_ = [entry, *rivals]
        values = [matched_values(e.answers(n), some) for e in field_]
        blend = greedy(values, some, self.course.task, self.course.problem.metric, steps=12)
        return 0 in blend.members

    def _report(self, entry: Entry) -> None:
        judged, n = self.standing()
        if not judged:
            return
        best = judged[0]
        loss = best.loss(n)
        detail = {
            "trial": entry.number,
            "name": entry.hypothesis.name,
            "folds": entry.n_folds,
            "best": best.hypothesis.name,
            "best_loss": loss,
            "n_trials": sum(e.n_folds > 0 for e in self.entries),
        }
        self.course.tell(
            f"{entry.hypothesis.name}: fold {entry.n_folds} of {len(self.course.cuts)}; "
            f"best {best.hypothesis.name} {loss:.4g}",
            detail,
        )

    def stop(self) -> None:
        """Cancel what is under way; what finished meanwhile is taken."""
        for key in list(self.jobs):
            self.course.executor.cancel(key)
        while self.jobs:
            outcomes = self.course.executor.wait(0.5)
            if not outcomes:
                break
            for outcome in outcomes:
                self._take(outcome)
        for entry, _ in self.jobs.values():
            entry.waiting = False
        self.jobs.clear()


def _units(problem: Problem) -> str:
    return "units" if problem.form == "lists" else "rows"


def matched_values(answers: Answers, truth: Truth) -> Any:
    """The values of ``answers`` at the ids of ``truth``, in order."""
    at = np.searchsorted(answers.ids, truth.ids)
    return answers.values[at]


def with_settings(hypothesis: Hypothesis, entry: Entry) -> Hypothesis:
    """The hypothesis with what its first fold settled on, so that it can be fitted again."""
    return replace(hypothesis, settings=dict(hypothesis.settings) | dict(entry.settings))


def _seconds(entry: Entry, remaining: float, *, again: bool = False) -> float | None:
    """What the next fold of ``entry`` may take of the seconds that remain; None: it must wait."""
    stage, fold = entry.hypothesis.stage, entry.n_folds
    if stage == "floor":
        # costs next to nothing, and without it nothing may be released: on a machine that is busy
        # with other work even this must not be killed
        seconds = remaining
    elif fold == 0:
        wait = again or stage == "simple"
        seconds = remaining if wait else max(FIRST_SHARE * remaining, 2.0)
    else:
        expected = max(entry.folds[f].job_s for f in range(fold))
        expected /= 1.0 if fold > 1 else SEARCH_COST
        if expected > remaining:
            return None
        # a fresh process imports its libraries inside this time; a recipe that is fitted again has
        # nobody to make room for, and must not be lost because the machine was busy for a while
        seconds = max((AGAIN_TIMES if again else 3.0) * expected, IMPORT_S)
    seconds = min(seconds, remaining)
    enough = seconds >= LEAST_S or (fold == 0 and stage == "simple")
    return seconds if enough else None
