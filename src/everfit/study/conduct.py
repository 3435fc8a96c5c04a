"""The study: floors, a very simple model, a portfolio in a race, a search, a candidate."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from everfit.data.hashes import frame_hashes
from everfit.data.sample import keep_sample
from everfit.data.split import cuts, group_codes, row_hashes
from everfit.data.table import Table
from everfit.data.timeline import marks
from everfit.deadline import Deadline
from everfit.errors import BudgetSpent
from everfit.evidence.interval import mean_of
from everfit.evidence.promotion import loss_bound
from everfit.executors import Executor
from everfit.plain import as_plain
from everfit.records import (
    Array,
    Assessment,
    Candidate,
    Cut,
    Hypothesis,
    Problem,
    SplitPolicy,
    Study,
    Truth,
)
from everfit.shield import shield
from everfit.study.choose import (
    N_BOOT,
    error_of,
    gain_over,
    judge,
    losses_of,
    propose,
    score_honestly,
)
from everfit.study.finish import candidate_name, ranges, refit, refit_seconds, speaks_of, trials
from everfit.study.own import histories
from everfit.study.pace import Pace, pace_of
from everfit.study.portfolio import portfolio
from everfit.study.race import Course, Keep, Race, Recall
from everfit.study.search import Search
from everfit.study.segments import harmed, segments
from everfit.study.workspace import lay_out
from everfit.tasks import Task

FIRST = ("floor", "simple")
MADE_BY = ("everfit", "lightgbm", "catboost", "scikit-learn", "polars")
PACK_S = 0.1  # to pack one fold model, load it here and in a fresh process
SKEWED = 1.0  # of a target's values; the exponential distribution has 2
# hypotheses that were chosen before: a rougher score will do, since the shadow judges them
AGAIN_FOLDS, AGAIN_ROWS, AGAIN_DRAWS = (5, 3), 2_000, 50
SECURE_FOLDS = 2  # of the floor and the simple model, also when the budget is over


@dataclass(frozen=True, slots=True)
class Setting:
    """What a study needs besides its records: where fits run, where their files go, who listens."""

    executor: Executor
    threads: int
    workspace: Path
    fits: Path
    recall: Recall
    keep: Keep
    tell: Callable[[str, Mapping[str, Any]], None]


def study(
    table: Table,
    problem: Problem,
    assessment: Assessment,
    *,
    task: Task,
    deadline: Deadline,
    setting: Setting,
    seed: int,
    own: Sequence[Hypothesis] = (),
    as_read: Table | None = None,
    again: bool = False,
) -> Study:
    """Test hypotheses about models on common folds; propose the best, with an honest score.

    ``own`` are hypotheses of the user; ``as_read`` holds the rows of ``table`` before cleaning, and
    with them the keys of those that read history. With ``again`` only ``own`` are fitted, beside
    the floor and the simple model that they must beat, and nothing is searched. The study ends
    early when more trials are not worth their time, and otherwise leaves enough of ``deadline`` for
    the release. Ctrl-C ends the trials and keeps the best so far.

    Raises
    ------
    BudgetSpent : not one hypothesis could be fitted
    """
    order = _time_order(table, assessment.split)
    table = table if order is None else table.take(order)
    frame, timed = _marked(own, as_read, order, assessment.split)
    features = task.asks(table, Cut("all", np.array([], int), np.arange(table.n_rows)))
    truth = task.truth(table, problem)
    pace = pace_of(table.n_rows, len(features.columns), problem.n_outputs, deadline)
    n_folds = _again_folds(table.n_rows) if again else pace.n_folds
    policy = replace(assessment.split, n_folds=n_folds)
    held = cuts(table, policy, _whole(truth.ids, truth.values, table.n_rows), seed=seed)
    held = _learnable(held, truth, problem)
    if policy.kind == "time":
        held = held[::-1]  # the newest fold first: should time end, it says most about tomorrow
    lay_out(setting.workspace, features, truth, held, frame, timed=timed)
    course = Course(
        problem=problem,
        task=task,
        truth=truth,
        cuts=held,
        n_rows=table.n_rows,
        workspace=setting.workspace,
        fits=setting.fits,
        executor=setting.executor,
        threads=setting.threads,
        seed=seed,
        data_key=_data_key(table, problem, held, frame),
        recall=setting.recall,
        keep=setting.keep,
        tell=setting.tell,
        groups=group_codes(table, policy),
    )
    race = Race(course, deadline)
    ordered = policy.kind == "time"
    stopped, not_tried = _trials(race, task, features, own, pace, ordered=ordered, again=again)
    if not race.standing()[0]:
        raise _nothing_fitted(race, deadline)
    setting.tell("judging", {"stage": "judge"})
    with shield():
        candidate, record, notes = _conclude(
            race, features, pace, draws=AGAIN_DRAWS if again else N_BOOT
        )
    return Study(
        problem=problem,
        trials=record,
        candidate=candidate,
        split=policy,
        stopped=stopped,
        not_tried=(*not_tried, *notes),
        seconds=deadline.spent(),
    )


def _again_folds(n_rows: int) -> int:
    return AGAIN_FOLDS[0] if n_rows < AGAIN_ROWS else AGAIN_FOLDS[1]


def _marked(
    own: Sequence[Hypothesis],
    as_read: Table | None,
    order: Array | None,
    split: SplitPolicy,
) -> tuple[pl.DataFrame | None, bool]:
    """What hypotheses that read history need to know of each row, and whether it has a time."""
    reading = histories(own)
    if not reading or as_read is None:
        return None, False
    rows = as_read if order is None else as_read.take(order)
    return marks(rows, reading[0], split)


def _nothing_fitted(race: Race, deadline: Deadline) -> BudgetSpent:
    failed = "; ".join(e.reason for e in race.entries if e.reason)[:300]
    return BudgetSpent(
        "not one model could be fitted",
        got=failed or f"{deadline.spent():.1f} of {deadline.budget_s:.0f} s used",
        expected="time for at least one fit",
        do="give a larger --budget",
    )


def _trials(
    race: Race,
    task: Task,
    features: Table,
    own: Sequence[Hypothesis],
    pace: Pace,
    *,
    ordered: bool,
    again: bool,
) -> tuple[str, list[str]]:
    """Run all stages of trials; why they stopped, and what was not tried."""
    categories = sum(c.kind not in ("number", "date", "boolean") for c in features.columns)
    form, n_outputs = race.course.problem.form, race.course.problem.n_outputs
    listed = portfolio(
        race.course.n_rows,
        len(features.columns),
        categories,
        form,
        n_outputs,
        skewed=form == "values" and _skewed(race.course.truth.values),
        ordered=ordered,
    )
    floors = [
        Hypothesis(name, name, {}, "the floor: whatever is released must beat it", "floor")
        for name in task.floors()
    ]
    first = [h for h in listed if h.stage == "simple"][:1]
    rest = [] if again else [h for h in listed if h not in first]

    def left() -> float:
        return race.deadline.left() - _reserve(race, pace)

    try:
        race.enter([*floors, *first])
        least = race.deadline.left() - pace.least_s
        race.run(lambda: left() if _secured(race) else max(left(), race.deadline.left() - least))
        race.enter([*own, *rest])
        race.run(left)
        if again:
            unfit = [e for e in race.entries if e.hypothesis.stage not in FIRST and not e.n_folds]
            names = [f"not fitted again: {e.hypothesis.name}; {e.reason}" for e in unfit]
            return "the hypotheses of an earlier version were fitted again", names
        if not any(e.n_folds and e.hypothesis.stage not in FIRST for e in race.entries):
            beyond = [e for e in race.entries if e.hypothesis.stage not in FIRST]
            broken = [e for e in beyond if e.status in ("failed", "timed_out")]
            if broken and not any(e.status == "running" and not e.folds for e in race.entries):
                return f"all {len(broken)} hypotheses beyond the simple model failed", []
            names = [f"not begun: {e.hypothesis.name}" for e in race.entries if not e.folds]
            budget = f"the budget of {race.deadline.budget_s:g} s was too small"
            return f"{budget} for more than the simple model", names
        if any(e.status == "running" and not e.n_folds for e in race.entries):
            not_begun = [e.hypothesis.name for e in race.entries if not e.folds and not e.reason]
            return "the time for trials ended", [f"not begun: {name}" for name in not_begun]
        if left() < pace.search_s:
            return "the time for trials ended", ["no search: too little time was left for it"]
        why, made = Search(race).run(left)
        return f"after {made} trials of the search: {why}", []
    except KeyboardInterrupt:
        race.stop()
        if not race.standing()[0]:
            raise
        return "stopped by a person; the best so far is kept", ["stopped before all was tried"]


def _secured(race: Race) -> bool:
    """Whether the floor and the simple model can be judged; without them a study has nothing."""
    return all(
        entry.n_folds >= SECURE_FOLDS or entry.status in ("failed", "timed_out")
        for entry in race.entries
    )


def _reserve(race: Race, pace: Pace) -> float:
    """Seconds to keep back for the score, the refit and the release."""
    judged, n_folds = race.standing()
    needed = refit_seconds(race, judged[:3])
    worth_it = needed <= pace.refit_share * race.deadline.budget_s
    folders = 0 if worth_it else len(judged[:3]) * max(1, n_folds)  # each is packed and loaded
    spare = needed if worth_it else PACK_S * folders
    return pace.score_s + pace.release_s + spare


def _conclude(
    race: Race, features: Table, pace: Pace, *, draws: int
) -> tuple[Candidate, tuple[Any, ...], tuple[str, ...]]:
    course, metric = race.course, race.course.problem.metric
    judged = judge(race)
    chosen = propose(race, judged)
    losses = chosen.losses
    score, _ = score_honestly(race, judged, chosen, seconds=pace.score_s, draws=draws)
    left = race.deadline.left() - pace.release_s
    members, notes = refit(race, judged, chosen.blend, seconds=left)
    mid = mean_of(losses.values, losses.weight)
    half = 1.96 * error_of(losses, judged)
    shown = course.task.shown(metric, chosen.values, judged.truth.values, judged.truth.weight)
    floor = judged.first("floor")
    sample = keep_sample(course.workspace, features, judged.truth, chosen.values, seed=course.seed)
    candidate = Candidate(
        name=candidate_name([member.hypothesis for member in members]),
        members=members,
        calibration=chosen.calibration,
        score=score,
        loss=replace(score, low=mid - half, mid=mid, high=mid + half),
        selection_score=shown,
        gain_on_floor=gain_over(race, judged, losses, "floor"),
        gain_on_simple=gain_over(race, judged, losses, "simple"),
        speaks_of=speaks_of(race, judged, members),
        segments=segments(features, losses),
        harmed=()
        if floor is None
        else harmed(features, losses, losses_of(race, judged, floor), judged.groups),
        loss_bound=loss_bound(losses.values),
        ranges=ranges(judged, chosen.values, course.problem.form),
        sample=str(sample),
    )
    return candidate, trials(race, judged), (*filter(None, [chosen.note]), *notes)


def _learnable(held: tuple[Cut, ...], truth: Truth, problem: Problem) -> tuple[Cut, ...]:
    """The cuts whose history knows two classes: the oldest rows may know one only."""
    if problem.form != "probabilities":
        return held
    values = np.full(max(int(truth.ids.max()) + 1, 1), np.nan)
    values[truth.ids] = truth.values

    def classes(cut: Cut) -> int:
        known = values[cut.history[cut.history < len(values)]]
        return len(np.unique(known[~np.isnan(known)]))

    return tuple(cut for cut in held if classes(cut) > 1) or held


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:  # run from a source tree
        return "0"


def _time_order(table: Table, policy: SplitPolicy) -> Array | None:
    """The rows by time, oldest first, where they are held out forward in time; None: as is."""
    if policy.kind != "time" or policy.column is None:
        return None
    times = table.frame.select(
        pl.col(policy.column).alias("time"), pl.int_range(pl.len()).alias("row")
    )
    return np.asarray(times.sort("time", "row")["row"].to_numpy())


def _skewed(values: Array) -> bool:
    """Numbers above 0 with a long tail: their logarithm may be the better target."""
    if values.min() <= 0:
        return False
    centred = values - values.mean()
    spread = float(np.mean(centred**2))
    return spread > 0 and float(np.mean(centred**3)) / spread**1.5 > SKEWED


def _whole(ids: Any, values: Any, n_rows: int) -> Any:
    target = np.full(n_rows, np.nan)
    target[ids] = values
    return target


def _data_key(
    table: Table, problem: Problem, held: Sequence[Cut], marked: pl.DataFrame | None
) -> str:
    digest = hashlib.sha256()
    if marked is not None:  # what a key had lived through is not in the features
        digest.update(np.ascontiguousarray(frame_hashes(marked)).tobytes())
    for name in MADE_BY:  # another release may fit, or write, otherwise
        digest.update(f"{name} {_version(name)} ".encode())
    digest.update(np.ascontiguousarray(row_hashes(table)).tobytes())
    digest.update(json.dumps(as_plain(problem), sort_keys=True).encode())
    digest.update(json.dumps(as_plain(table.columns), sort_keys=True).encode())
    for cut in held:
        digest.update(np.ascontiguousarray(cut.asked).tobytes())
    return digest.hexdigest()
