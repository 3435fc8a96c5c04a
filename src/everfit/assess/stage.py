"""The assess stage: run every check, decide the split, measure the floor and the smallest gain."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

import numpy as np

from everfit.assess import columns, leaks, lists, missing, rows, target
from everfit.assess.check import NEEDS, Check, Context
from everfit.assess.enough import Enough, measure_enough, measure_floor
from everfit.assess.profile import profile
from everfit.assess.split import decide_split
from everfit.assess.target import RARE_ROWS
from everfit.data.table import Table
from everfit.errors import TargetUnusable
from everfit.evidence.interval import Interval
from everfit.named import by_name
from everfit.records import Array, Assessment, Finding, Form, Problem, SplitPolicy
from everfit.tasks.contract import Task

# In this order: what the target is, what columns are, what cells are, what gives the target away.
# A check sees what the checks before it have asked to leave out.
_ALL = (*target.CHECKS, *columns.CHECKS, *missing.CHECKS, *rows.CHECKS, *leaks.CHECKS)
CHECKS: tuple[Check, ...] = tuple(by_name("check", _ALL, place=lambda check: check.run).values())
LISTS: tuple[Check, ...] = tuple(by_name("check", lists.CHECKS).values())
ENOUGH: Mapping[Form, Callable[[Context], Enough]] = {"lists": lists.measure_enough}
CELLS_A_SECOND = 10e6  # measured for the profile on two cores
PROFILE_SHARE = 0.25  # of the time left
LEAST_SAMPLE = 5_000
SEVERITY = {"fail": 0, "warn": 1, "info": 2}


def assess(
    table: Table,
    problem: Problem,
    *,
    task: Task,
    rng: np.random.Generator,
    deadline: Callable[[], float] | None = None,
    tell: Callable[[str], None] | None = None,
    policy_split: SplitPolicy | None = None,
    beside: Mapping[str, Table] | None = None,
    now: datetime | None = None,
) -> Assessment:
    """What is in the data, what must be done about it, and how rows are to be held out.

    ``deadline()`` gives the seconds left; checks that need more are named in ``skipped``.
    ``policy_split`` is a split that a person has set: it is taken as it is. A class whose rows are
    left out is no longer in ``problem.labels`` of the assessment. ``beside`` are the tables that
    stand beside the data; later than ``now`` is in the future.

    Raises
    ------
    TargetUnusable : no row has a target that the problem knows
    """
    begun = time.perf_counter()
    say = tell or (lambda line: None)
    say(f"counting {table.n_rows:,} rows x {len(table.columns)} columns")
    context = _context(table, problem, task, rng, deadline or (lambda: float("inf")))
    context = replace(context, beside=beside or {}, now=now)
    findings: list[Finding] = _sampled(context, table.n_rows)
    skipped: list[str] = []
    context, found = _checked(context, skipped)
    findings += found
    say("testing how rows must be held out")
    wanted = policy_split or task.split(context.table, context.problem)
    policy, found = _split(context, wanted, skipped)
    findings += found
    say("measuring the floor and the smallest visible gain")
    enough = enough_of(context)
    findings += enough.findings
    if context.left() <= 0:
        skipped.append("time ran out")
    return Assessment(
        problem=context.problem,
        n_rows=table.n_rows,
        findings=tuple(sorted(findings, key=lambda f: SEVERITY[f.severity])),
        split=policy,
        profile=context.profile,
        floor=enough.floor,
        smallest_gain=enough.smallest,
        n_checks=len(checks_of(problem)) + 3,
        skipped=tuple(skipped),
        seconds=time.perf_counter() - begun,
    )


def enough_of(context: Context) -> Enough:
    """The floor and the smallest visible gain, as this form of answers has them."""
    return ENOUGH.get(context.problem.form, measure_enough)(context)


def floor_of(context: Context) -> Interval:
    """The loss of the better floor, as this form of answers has it."""
    if context.problem.form in ENOUGH:
        return enough_of(context).floor
    return measure_floor(context)[0]


def checks_of(problem: Problem) -> tuple[Check, ...]:
    """The checks that make sense of rows, or of who met what."""
    return LISTS if problem.form == "lists" else CHECKS


def _checked(context: Context, skipped: list[str]) -> tuple[Context, list[Finding]]:
    """All findings of the checks there is time for; the context as they leave it."""
    findings: list[Finding] = []
    for check in checks_of(context.problem):
        if context.left() < NEEDS[check.cost]:
            skipped.append(check.name)
            continue
        found = check.run(context)
        context.add(found)
        findings += found
        if any(act.kind == "drop_value" for f in found for act in f.acts):
            context = _without_classes(context)
    return context, findings


def _context(
    table: Table,
    problem: Problem,
    task: Task,
    rng: np.random.Generator,
    left: Callable[[], float],
) -> Context:
    truth = task.truth(table, problem)
    known = np.asarray(truth.ids, dtype=np.int64)
    values = np.asarray(truth.values, dtype=np.float64)
    if not len(known):
        raise TargetUnusable(
            f"the target {problem.target!r} has no value that can be used",
            got=f"{table.n_rows:,} rows, none with a known target",
            expected="a target in most rows",
            do="name another target, or look at how it was read",
        )
    seen = _affordable(table, known, values, problem, left)
    scale = table.n_rows / max(len(seen), 1)
    if len(seen) < table.n_rows:
        table = table.take(seen)
        inside = np.isin(known, seen, assume_unique=True)
        known, values = np.searchsorted(seen, known[inside]), values[inside]
    return Context(table, problem, profile(table), task, rng, known, values, left, [], scale)


def _affordable(
    table: Table, known: Array, values: Array, problem: Problem, left: Callable[[], float]
) -> Array:
    """Positions of the rows that there is time to look at: all, or evenly spaced ones.

    Every row of a rare class is among them, so that its finding stays an exact count.
    """
    cells = CELLS_A_SECOND * PROFILE_SHARE * max(left(), 0.1)
    rows = max(cells / max(len(table.columns), 1), LEAST_SAMPLE)
    if table.n_rows <= rows or problem.form == "lists":
        return np.arange(table.n_rows)  # of some rows of a user nothing can be said
    most = int(rows)
    even = np.linspace(0, table.n_rows - 1, most).astype(np.int64)
    if problem.form != "probabilities":
        return np.unique(even)
    counts = np.bincount(values.astype(np.int64), minlength=len(problem.labels))
    rare = np.flatnonzero(counts < RARE_ROWS)
    return np.union1d(even, known[np.isin(values, rare)])


def _sampled(context: Context, n_rows: int) -> list[Finding]:
    """That not all rows were looked at, when that is so."""
    if context.scale <= 1:
        return []
    seen = context.table.n_rows
    return [
        Finding(
            check="sample",
            severity="info",
            headline=f"There was time to look at {seen:,} of {n_rows:,} rows",
            number=seen / n_rows,
            unit="share of rows",
            done="counts are of these rows, evenly spaced over the file",
            evidence={"test": "exact count", "n": n_rows},
        )
    ]


def _without_classes(context: Context) -> Context:
    """The context without the rows and labels of classes that are left out."""
    gone = {
        value
        for act in context.acts
        if act.kind == "drop_value" and act.column == context.problem.target
        for value in act.values
    }
    labels = context.problem.labels
    kept = [i for i, label in enumerate(labels) if label not in gone]
    codes = context.target.astype(np.int64)
    inside = np.isin(codes, kept)
    problem = replace(context.problem, labels=tuple(labels[i] for i in kept))
    return Context(
        context.table,
        problem,
        context.profile,
        context.task,
        context.rng,
        context.known[inside],
        np.searchsorted(kept, codes[inside]).astype(np.float64),
        context.left,
        context.acts,
        context.scale,
    )


def _split(
    context: Context, wanted: SplitPolicy | None, skipped: list[str]
) -> tuple[SplitPolicy, list[Finding]]:
    if wanted is not None:
        return wanted, []
    if context.left() < NEEDS["model"] and not (context.problem.time or context.problem.group):
        skipped.append("split")
        return SplitPolicy("random", why="not tested: no time"), []
    policy, found = decide_split(context)
    if policy.kind == "random":
        found = [*found, *rows.find_neighbours(context)]
    return policy, found
