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
    Answers,
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
    Judged,
    error_of,
    gain_over,
    judge,
    losses_of,
    propose,
    score_honestly,
)
from everfit.study.field import Ground, field_of
from everfit.study.finish import candidate_name, ranges, refit, refit_seconds, speaks_of, trials
from everfit.study.own import histories
from everfit.study.pace import Pace, pace_of
from everfit.study.race import Course, Keep, Race, Recall
from everfit.study.search import Search
from everfit.study.segments import harmed, least_of, segments
from everfit.study.workspace import lay_out
from everfit.tasks import Task

FIRST = ("floor", "simple")
MADE_BY = ("everfit", "lightgbm", "catboost", "scikit-learn", "polars")
PACK_S = 0.1  # to pack one fold model, load it here and in a fresh process
# hypotheses that were chosen before: a rougher score will do, since the shadow judges them
AGAIN_FOLDS, AGAIN_ROWS, AGAIN_DRAWS = (5, 3), 2_000, 50
LISTS_REFIT_S = 2.0
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
    beside: Mapping[str, Table] | None = None,
) -> Study:
    """Test hypotheses about models on common folds; propose the best, with an honest score.

    ``own`` are hypotheses of the user; ``as_read`` holds the rows of ``table`` before cleaning, and
    with them the keys of those that read history; ``beside`` are tables beside it, as learners get
    them. With ``again`` only ``own`` are fitted, beside the floor and the simple model that they
    must beat, and nothing is searched. The study ends early when more trials are not worth their
    time, and otherwise leaves enough of ``deadline`` for the release. Ctrl-C ends the trials and
    keeps the best so far.

    Raises
    ------
    BudgetSpent : not one hypothesis could be fitted
    """
    order = _time_order(table, assessment.split)
    table = table if order is None else table.take(order)
    frame, timed = _marked(own, as_read, order, assessment.split)
    features = task.asks(table, Cut("all", np.array([], int), np.arange(table.n_rows)))
    truth = task.truth(table, problem)
    pace = pace_of(table.n_rows, len(features.columns), _width(problem), deadline)
    n_folds = _again_folds(table.n_rows) if again else pace.n_folds
    policy, whole = _cut(table, problem, truth, assessment.split, n_folds, task, seed)
    held = tuple(replace(cut, asked=task.asked(table, problem, cut)) for cut in whole)
    items, n_items = (beside or {}).get("items"), _n_items(problem)
    lay_out(
        setting.workspace, features, truth, held, frame, timed=timed, items=items, n_items=n_items
    )
    course = Course(
        problem=problem,
        task=task,
        truth=task.turned_out(table, problem, whole),
        cuts=held,
        n_rows=table.n_rows,
        workspace=setting.workspace,
        fits=setting.fits,
        executor=setting.executor,
        threads=setting.threads,
        seed=seed,
        data_key=_data_key(table, problem, held, (frame, items.frame if items else None)),
        recall=setting.recall,
        keep=setting.keep,
        tell=setting.tell,
        groups=group_codes(table, policy),
        again=again,
    )
    race = Race(course, deadline)
    ground = Ground(table, features, items, pace, policy.kind == "time", again)
    stopped, not_tried = _trials(race, ground, own)
    if not race.standing()[0]:
        raise _nothing_fitted(race, deadline)
    setting.tell("judging", {"stage": "judge"})
    with shield():
        candidate, record, notes = _conclude(race, ground, whole)
    return Study(
        problem=problem,
        trials=record,
        candidate=candidate,
        split=policy,
        stopped=stopped,
        not_tried=(*not_tried, *notes),
        seconds=deadline.spent(),
    )


def _n_items(problem: Problem) -> int:
    return len(problem.labels) if problem.form == "lists" else 0


def _width(problem: Problem) -> int:
    """Values of an answer by which the release grows; of lists histories are packed, no answers."""
    return 1 if problem.form == "lists" else problem.n_outputs


def _cut(
    table: Table,
    problem: Problem,
    truth: Truth,
    split: SplitPolicy,
    n_folds: int,
    task: Task,
    seed: int,
) -> tuple[SplitPolicy, tuple[Cut, ...]]:
    """The policy with its folds, and the whole cuts, all of which can be learnt from and judged."""
    if problem.form != "lists":  # there the assessment has found out how many cuts can be judged
        split = replace(split, n_folds=n_folds)
    whole = cuts(table, split, _whole(truth, table.n_rows, problem), seed=seed)
    whole = _judgeable(_learnable(whole, truth, problem), table, problem, task)
    # the newest fold first: should time end, it says most about tomorrow
    return split, whole[::-1] if split.kind in ("time", "last") else whole


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


def _trials(race: Race, ground: Ground, own: Sequence[Hypothesis]) -> tuple[str, list[str]]:
    """Run all stages of trials; why they stopped, and what was not tried."""
    pace, field = ground.pace, field_of(race, ground)

    def left() -> float:
        return race.deadline.left() - _reserve(race, pace)

    try:
        race.enter(field.first)
        least = race.deadline.left() - pace.least_s
        race.run(lambda: left() if _secured(race) else max(left(), race.deadline.left() - least))
        race.enter([*own, *field.rest])
        race.run(left)
        if ground.again:
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
        told = f"after {made} trials of the search" if made else "nothing was searched"
        return f"{told}: {why}", []
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
    race: Race, ground: Ground, whole: Sequence[Cut]
) -> tuple[Candidate, tuple[Any, ...], tuple[str, ...]]:
    course, metric, pace = race.course, race.course.problem.metric, ground.pace
    judged = judge(race)
    chosen = propose(race, judged)
    losses, draws = chosen.losses, AGAIN_DRAWS if ground.again else N_BOOT
    score, _ = score_honestly(race, judged, chosen, seconds=pace.score_s, draws=draws)
    left = race.deadline.left() - pace.release_s
    if course.problem.form == "lists":
        # a list that lacks the newest interactions is a worse list: a short refit may run over
        left = max(left, LISTS_REFIT_S)
    members, notes = refit(race, judged, chosen.blend, seconds=left)
    mid = mean_of(losses.values, losses.weight)
    half = 1.96 * error_of(losses, judged)
    shown = course.task.shown(metric, chosen.values, judged.truth.values, judged.truth.weight)
    floor = judged.first("floor")
    asked = (ground.table, course.problem, whole[: judged.n_folds])
    masks = course.task.segments(*asked, losses.ids, least=least_of(len(losses.ids)))
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
        segments=segments(masks, losses),
        harmed=()
        if floor is None
        else harmed(masks, losses, losses_of(race, judged, floor), judged.groups),
        loss_bound=loss_bound(losses.values),
        ranges=ranges(judged, chosen.values, course.problem.form),
        sample=_sample(race, ground, judged, chosen.values),
        measures=course.task.measures(Answers(judged.truth.ids, chosen.values), *asked),
    )
    return candidate, trials(race, judged), (*filter(None, [chosen.note]), *notes)


def _sample(race: Race, ground: Ground, judged: Judged, values: Array) -> str:
    """The file of judged rows with their answers; none of lists, which are no column of numbers."""
    if race.course.problem.form == "lists":
        return ""
    folder, seed = race.course.workspace, race.course.seed
    return str(keep_sample(folder, ground.features, judged.truth, values, seed=seed))


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


def _judgeable(
    whole: tuple[Cut, ...], table: Table, problem: Problem, task: Task
) -> tuple[Cut, ...]:
    """The cuts after which something came about that answers can be judged by."""
    if problem.form != "lists":
        return whole
    return tuple(cut for cut in whole if len(task.turned_out(table, problem, [cut]).ids)) or whole


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:  # run from a source tree
        return "0"


def _time_order(table: Table, policy: SplitPolicy) -> Array | None:
    """The rows by time, oldest first, where they are held out forward in time; None: as is."""
    if policy.kind not in ("time", "last") or policy.column is None:
        return None
    times = table.frame.select(
        pl.col(policy.column).alias("time"), pl.int_range(pl.len()).alias("row")
    )
    return np.asarray(times.sort("time", "row")["row"].to_numpy())


def _whole(truth: Truth, n_rows: int, problem: Problem) -> Array | None:
    """The target of all rows, over which folds are balanced; items of lists need no balance."""
    if problem.form == "lists":
        return None
    target = np.full(n_rows, np.nan)
    target[truth.ids] = truth.values
    return target


def _data_key(
    table: Table, problem: Problem, held: Sequence[Cut], more: Sequence[pl.DataFrame | None]
) -> str:
    digest = hashlib.sha256()
    for frame in more:
        if frame is None:
            continue
        # what a key had lived through, or what an item is, is not in the features
        digest.update(np.ascontiguousarray(frame_hashes(frame)).tobytes())
    for name in MADE_BY:  # another release may fit, or write, otherwise
        digest.update(f"{name} {_version(name)} ".encode())
    digest.update(np.ascontiguousarray(row_hashes(table)).tobytes())
    digest.update(json.dumps(as_plain(problem), sort_keys=True).encode())
    digest.update(json.dumps(as_plain(table.columns), sort_keys=True).encode())
    for cut in held:
        digest.update(np.ascontiguousarray(cut.asked).tobytes())
    return digest.hexdigest()
