"""How rows must be held out, decided by test: at random, by group, or forward in time.

For each way in which rows may hang together the same rows are asked twice: by a quick model that
saw rows like them (as random folds would allow), and by one that saw none of their group, or only
earlier rows, from equally many rows. If the second is worse beyond noise, random folds would
promise too much. The differences per fold are judged by the corrected resampled t-test (Nadeau and
Bengio 2003), one-sided, with Holm's correction over candidates.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl

from everfit.assess.check import Context, as_numbers, percent, share
from everfit.assess.columns import id_like
from everfit.assess.quick import fit_quick
from everfit.evidence.multiple import holm
from everfit.evidence.paired import corrected_gain
from everfit.records import Answers, Array, Column, Finding, Role, SplitPolicy, Truth

ALPHA = 0.05
LEAST_GAP = 0.01  # of the loss; a smaller one changes no decision
TIME_NAME = re.compile(
    r"date|time|stamp|year|(^|[_\s])yr|yr($|[_\s])|epoch|^(dt|ts|t|month)$", re.I
)
NOT_EVENT_NAME = re.compile(r"birth|born|dob|built|remod|age\b|expir", re.I)
LEAST_ROWS = 200
ROLE_FOUND = ("by which rows can be put in order", "named as a group")  # words of data.read
TIME_BLOCKS = 10  # the first is only history
GROUP_FOLDS = 8
MAX_TRAIN, MAX_ASK, PIECES = 4_000, 500, 10
MAX_CANDIDATES = 3


Fold = tuple[Array, Array, Array]  # asked, rows apart from them, rows like them


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way in which rows may hang together: ``order`` (m,) sorts rows; ``group`` (m,) names."""

    kind: str
    column: str | None
    why: str
    rank: Array


@dataclass(frozen=True, slots=True)
class Gap:
    """How much worse the held-out answers are: relative mean gap, corrected t, p, folds."""

    relative: float
    t: float
    p: float
    folds: int
    n: int


def forced_split(context: Context) -> SplitPolicy | None:
    """The split that a person's roles ask for, or None."""
    problem = context.problem
    if problem.group and not _inferred(context, problem.group):
        why = f"`{problem.group}` was named as the group"
        return SplitPolicy("group", problem.group, why=why, evidence={"test": "none: named"})
    if problem.time and not _inferred(context, problem.time):
        why = f"`{problem.time}` was named as the time"
        return SplitPolicy("time", problem.time, why=why, evidence={"test": "none: named"})
    return None


def _inferred(context: Context, name: str) -> bool:
    """Whether the reader found the role by itself; then the test still decides."""
    why = context.table.column(name).why
    return any(phrase in why for phrase in ROLE_FOUND)


def decide_split(context: Context) -> tuple[SplitPolicy, list[Finding]]:
    """The split policy that the tests ask for, with a finding when it is not random."""
    forced = forced_split(context)
    if forced is not None:
        return forced, []
    plain = "no sign that rows hang together"
    if len(context.known) < LEAST_ROWS or not context.features:
        return SplitPolicy("random", why="too few rows for any other test"), []
    candidates = find_candidates(context)[:MAX_CANDIDATES]
    gaps = []
    for candidate in candidates:
        gaps.append(measure_gap(context, candidate))
    if not gaps:
        policy = SplitPolicy("random", why=plain, evidence={"test": "no candidate column"})
        return policy, []
    adjusted = holm([gap.p for gap in gaps])
    evidence = {
        "test": f"corrected resampled t, one-sided, Holm over {len(gaps)}",
        "alpha": ALPHA,
        "candidates": [
            {
                "kind": c.kind,
                "column": c.column,
                "statistic": g.t,
                "p": float(p),
                "relative_gap": g.relative,
                "n": g.n,
            }
            for c, g, p in zip(candidates, gaps, adjusted, strict=True)
        ],
    }
    hits = [i for i, gap in enumerate(gaps) if adjusted[i] < ALPHA and gap.relative > LEAST_GAP]
    if not hits:
        tried = "; ".join(c.why for c in candidates)
        why = f"tested, no loss beyond noise without such rows: {tried}"
        return SplitPolicy("random", why=why, evidence=evidence), []
    best = max(hits, key=lambda i: gaps[i].relative)
    return _structured(candidates[best], gaps[best], float(adjusted[best]), evidence)


def find_candidates(context: Context) -> list[Candidate]:
    """Ways in which the rows may hang together, the surest first: time, then groups."""
    time = _by_date(context) or _by_monotone(context) or _by_clock(context)
    return [*([time] if time else []), *_by_entity(context)]


def row_groups(context: Context) -> Array | None:
    """Which thing each known row belongs to (m,), where a role or a column tells."""
    if context.problem.group:
        return _names(context, context.problem.group)
    things = _by_entity(context)
    return things[0].rank if things else None


def measure_gap(context: Context, candidate: Candidate) -> Gap:
    """The loss of held-out answers less that of answers from like rows, paired, per fold."""
    folds = _time_folds if candidate.kind == "time" else _group_folds
    rounds = 40 if context.left() > 3 else 25
    most = MAX_TRAIN if context.left() > 1.5 else MAX_TRAIN // 3
    without = [candidate.column] if candidate.kind == "group" and candidate.column else []
    differences: list[float] = []
    asked_share: list[float] = []
    asked_rows = 0
    parts = folds(candidate.rank, context.rng, most)
    if not parts:
        return Gap(0.0, 0.0, 1.0, 0, 0)
    rows = np.unique(np.concatenate([part for fold in parts for part in fold]))
    bins = context.view(rows, without=without).bins
    enough = 0.3 * context.left()  # what comes after the split needs time too
    for fold in parts:
        if context.left() < enough and len(differences) >= 3:
            break
        asked, apart, alike = fold
        at = [np.searchsorted(rows, part) for part in fold]
        seen = _loss(context, (asked, alike), (bins[at[0]], bins[at[2]]), rounds)
        held = _loss(context, (asked, apart), (bins[at[0]], bins[at[1]]), rounds)
        # of logarithms, so that a stretch of large losses does not decide alone
        tiny = 1e-9 * (float(held.mean() + seen.mean()) + 1e-300)
        differences.append(float(np.log((held.mean() + tiny) / (seen.mean() + tiny))))
        asked_share.append(len(asked) / (len(asked) + len(apart)))
        asked_rows += len(asked)
    if len(differences) < 3:
        return Gap(0.0, 0.0, 1.0, len(differences), asked_rows)
    found = corrected_gain(differences, float(np.mean(asked_share)))
    relative = float(np.expm1(np.mean(differences)))
    return Gap(relative, found.t, found.p, len(differences), asked_rows)


def _loss(
    context: Context, rows: tuple[Array, Array], bins: tuple[Array, Array], rounds: int
) -> Array:
    """Losses (a,) of asked rows by one quick model; rows and bins are (asked, seen).

    Both models of a pair draw the same random numbers.
    """
    problem, (asked, train) = context.problem, rows
    form, k = problem.form, problem.n_outputs
    rng = np.random.default_rng(0)
    model = fit_quick(bins[1], context.target[train], form, k, rng, rounds=rounds)
    ids = np.arange(len(asked))
    truth = Truth(ids, context.target[asked])
    losses = context.task.losses(Answers(ids, model.answer(bins[0])), truth, problem.metric)
    return np.asarray(losses.values)


def _time_folds(rank: Array, rng: np.random.Generator, most: int) -> list[Fold]:
    """(asked, only earlier rows, rows of all times), one a block after the first.

    Asked are half of the rows of ten pieces all over the block; the other half of each piece is
    among the rows of all times, as neighbours would be under random folds.
    """
    order = np.argsort(rank, kind="stable")
    edges = np.linspace(0, len(order), TIME_BLOCKS + 1).astype(np.int64)
    folds: list[Fold] = []
    for start, end in pairwise(edges[1:]):
        starts = np.linspace(start, end, PIECES + 1).astype(np.int64)
        long = max(2, 2 * MAX_ASK // PIECES)
        pieces = [rng.permutation(order[s : min(e, s + long)]) for s, e in pairwise(starts)]
        asked = np.sort(np.concatenate([piece[::2] for piece in pieces]))
        near = np.concatenate([piece[1::2] for piece in pieces])
        n_train = min(int(start), most)
        apart = np.sort(rng.choice(order[:start], n_train, replace=False))
        alike = _drawn(len(rank), asked, near, n_train, rng)
        folds.append((asked, apart, alike))
    return folds


def _group_folds(rank: Array, rng: np.random.Generator, most: int) -> list[Fold]:
    """(asked, rows of other groups, rows of all groups): asked is half of each group's rows."""
    names = np.unique(rank)
    part = rng.permutation(np.arange(len(names)) % GROUP_FOLDS)[np.searchsorted(names, rank)]
    folds: list[Fold] = []
    for fold in range(GROUP_FOLDS):
        inside = rng.permutation(np.flatnonzero(part == fold))
        # every second row of each group, so that each asked row's group is half known
        inside = inside[np.argsort(rank[inside], kind="stable")]
        asked, near = np.sort(inside[::2][:MAX_ASK]), inside[1::2]
        others = np.flatnonzero(part != fold)
        n_train = min(len(others), most)
        apart = np.sort(rng.choice(others, n_train, replace=False))
        alike = _drawn(len(rank), asked, near[:MAX_ASK], n_train, rng)
        if len(asked) >= 10:
            folds.append((asked, apart, alike))
    return folds


def _drawn(n: int, asked: Array, near: Array, n_train: int, rng: np.random.Generator) -> Array:
    """``n_train`` rows: those near the asked ones, and random others."""
    free = np.ones(n, dtype=bool)
    free[asked] = False
    free[near] = False
    near = near[:n_train]
    rest = np.flatnonzero(free)
    take = min(len(rest), n_train - len(near))
    return np.sort(np.concatenate([near, rng.choice(rest, take, replace=False)]))


def _by_date(context: Context) -> Candidate | None:
    """A date column that reads as when the row happened."""
    dates = [
        c
        for c in _columns(context, "time")
        if c.kind == "date"
        and not NOT_EVENT_NAME.search(c.name)
        and context.facts[c.name].n_distinct >= 10
        and context.facts[c.name].n_missing <= 0.05 * context.table.n_rows
    ]
    if not dates:
        return None
    scored = [
        (_in_order(context, c.name), bool(TIME_NAME.search(c.name)), -i, c)
        for i, c in enumerate(dates)
    ]
    column: Column = max(scored, key=lambda item: item[:3])[3]
    rank = _rank(context, column.name)
    return Candidate("time", column.name, f"`{column.name}` is a date", rank)


def _by_monotone(context: Context) -> Candidate | None:
    """A number under a name of a time, never falling (or never rising) from row to row."""
    for column in context.features:
        facts = context.facts[column.name]
        if column.kind != "number" or facts.n_missing or facts.n_distinct < 5:
            continue
        if not TIME_NAME.search(column.name) or NOT_EVENT_NAME.search(column.name):
            continue
        if _in_order(context, column.name):
            why = f"`{column.name}` is in order from row to row"
            return Candidate("time", column.name, why, _rank(context, column.name))
    return None


def _by_clock(context: Context) -> Candidate | None:
    """A number that ticks from row to row and starts again: rows stand in the order of time."""
    for column in context.features:
        facts = context.facts[column.name]
        if column.kind != "number" or facts.n_missing:
            continue
        if not 6 <= facts.n_distinct <= 0.05 * context.table.n_rows:
            continue
        if _ticks(context.numbers(column.name)):
            why = f"`{column.name}` ticks like a clock from row to row"
            return Candidate("time", None, why, context.known.astype(np.float64))
    return None


def _ticks(values: Array) -> bool:
    """Whether at least 90% of the steps are one equal step up, and the rest start again.

    Examples
    --------
    >>> _ticks(np.arange(480.0) % 24), _ticks(np.random.default_rng(0).integers(0, 24, 480) * 1.0)
    (True, False)
    """
    steps = np.diff(values)
    up = steps[steps > 0]
    if not len(up):
        return False
    tick = float(np.median(up))
    equal = np.abs(steps - tick) <= 0.05 * tick
    back = values[1:][steps < 0]
    low = values.min() + 0.1 * (values.max() - values.min())
    spaced = equal.mean() >= 0.8 and equal.sum() + len(back) >= 0.95 * len(steps)
    return bool(spaced and len(back) >= 5 and (back <= low).mean() >= 0.8)


def _by_entity(context: Context) -> list[Candidate]:
    """Columns that name things that come back: people, shops, sessions."""
    found: list[tuple[bool, int, Candidate]] = []
    n = len(context.known)
    for column in _columns(context, "group"):
        facts = context.facts[column.name]
        if not _may_name(context, column, n):
            continue
        ranks = _names(context, column.name)
        sizes = np.bincount(ranks.astype(np.int64))
        repeated = share(float(sizes[sizes > 1].sum()), n)
        if repeated < 0.5 or sizes.max() > 0.3 * n:
            continue
        why = f"`{column.name}` names {facts.n_distinct:,} things with several rows each"
        candidate = Candidate("group", column.name, why, ranks)
        found.append((id_like(column.name) or column.role == "group", facts.n_distinct, candidate))
    found.sort(key=lambda item: (not item[0], -item[1]))
    return [candidate for _, _, candidate in found[:2]]


def _may_name(context: Context, column: Column, n: int) -> bool:
    """Words with very many levels, or a name of an identifier, on whole numbers or words."""
    facts = context.facts[column.name]
    levels = facts.n_distinct
    if facts.n_missing > 0.05 * n or not 20 <= levels <= n / 2:
        return False
    if column.kind in ("category", "identifier"):
        return column.role == "group" or id_like(column.name) or levels >= max(50, 0.02 * n)
    if column.kind != "number" or not (column.role == "group" or id_like(column.name)):
        return False
    values = context.numbers(column.name)
    values = values[np.isfinite(values)]
    return bool((values == np.floor(values)).all())


def _columns(context: Context, role: Role) -> list[Column]:
    """The columns of a role first, then features."""
    return [*(c for c in context.table.columns if c.role == role), *context.features]


def _in_order(context: Context, name: str) -> bool:
    values = as_numbers(context.series(name, context.known))
    steps = np.diff(values[np.isfinite(values)])
    return bool(len(steps)) and bool((steps >= 0).all() or (steps <= 0).all())


def _rank(context: Context, name: str) -> Array:
    values = as_numbers(context.series(name, context.known))
    return np.nan_to_num(values, nan=float(np.nanmin(values)))


def _names(context: Context, name: str) -> Array:
    words = context.series(name, context.known).cast(pl.String).fill_null("")
    return words.rank("dense").to_numpy().astype(np.float64) - 1


def _structured(
    candidate: Candidate, gap: Gap, p: float, evidence: dict[str, object]
) -> tuple[SplitPolicy, list[Finding]]:
    in_time = candidate.kind == "time"
    where = "later rows" if in_time else f"values of `{candidate.column}` not seen before"
    more = percent(gap.relative) if gap.relative < 2 else f"{1 + gap.relative:.0f} times"
    found = f"on {where} the loss is {more} {'as high as' if gap.relative >= 2 else 'above what'}"
    found += " random folds say"
    policy = SplitPolicy(
        kind="time" if in_time else "group",
        column=candidate.column,
        why=f"{candidate.why}; {found}",
        evidence=evidence,
    )
    finding = Finding(
        check="split",
        severity="warn",
        headline=f"{candidate.why}; {found}",
        columns=(candidate.column,) if candidate.column else (),
        number=gap.relative,
        unit="relative gap of the loss",
        done="rows are held out " + ("forward in time" if in_time else f"by `{candidate.column}`"),
        evidence={
            "test": "corrected resampled t, one-sided, Holm over candidates",
            "statistic": gap.t,
            "p": p,
            "n": gap.n,
            "folds": gap.folds,
        },
    )
    return policy, [finding]
