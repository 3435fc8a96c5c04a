"""Where data are cut for judging: folds at random, by group or forward in time, and rows withheld.

Identical rows of features always lie in the same fold, so that no row is asked about that was
seen with its answer. The one exception is a table of so few combinations that each comes twenty
times or more: there equal rows are different units, and cutting by combination would ask about
combinations that were never seen.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from everfit.data.hashes import mix, row_hashes
from everfit.data.table import Table
from everfit.errors import TooFewRows, UsageError
from everfit.records import Array, Cut, SplitPolicy

__all__ = ["cuts", "row_hashes", "withhold"]

COPIES = 20  # mean rows for each distinct row, from which equal rows are taken for chance
N_BINS = 10  # quantile bins of a number by which folds are balanced
MAX_CLASSES = 50  # more distinct values than this are balanced by quantile
LAST_PART = 0.5  # of the time line, in which forward cuts ask
N_GREEDY = 4_000  # largest groups dealt one by one; the rest is dealt in turn
SALT = np.uint64(0x45564552464954)  # "EVERFIT": fixed, so that a row keeps its side for ever


def cuts(table: Table, policy: SplitPolicy, target: Array | None, *, seed: int) -> tuple[Cut, ...]:
    """The folds of a policy: for each, the rows a learner may see and the rows it is asked about.

    Parameters
    ----------
    target : (n,) class codes or numbers, NaN where missing; folds at random are balanced over its
        classes, or over ten quantile bins of a number; None leaves them unbalanced
    seed : changes which rows lie in which fold; for ``time`` it changes nothing

    Raises
    ------
    TooFewRows : fewer units (rows, groups, times) than two
    ColumnMissing : the policy's column is not in the table
    UsageError : the policy has fewer than two folds, or no column where it needs one

    Examples
    --------
    >>> from everfit.data.read import read
    >>> table = read({"x": [float(i) for i in range(10)]})
    >>> found = cuts(table, SplitPolicy("random", n_folds=5), None, seed=0)
    >>> [len(cut.asked) for cut in found]
    [2, 2, 2, 2, 2]
    """
    if policy.n_folds < 2 and policy.kind not in ("time", "last"):
        raise UsageError(
            "too few folds", got=str(policy.n_folds), expected="2 or more", do="raise n_folds"
        )
    if policy.kind == "time":
        return _forward(table, policy)
    if policy.kind == "last":
        return _last(table, policy)
    if policy.kind == "group":
        units = _units(_column(table, policy))
        fold = _deal(units, np.zeros(table.n_rows, dtype=np.int64), policy.n_folds, seed)
    else:
        units = _equal_rows(table)
        fold = _deal(units, _strata(target, table.n_rows), policy.n_folds, seed)
    found = []
    for number in range(int(fold.max()) + 1):
        asked = np.flatnonzero(fold == number)
        found.append(Cut(f"fold {number + 1}", np.flatnonzero(fold != number), asked))
    return tuple(found)


def withhold(
    table: Table,
    policy: SplitPolicy,
    *,
    seen: Array | None,
    share: float,
    at_least: int,
    seed: int = 0,
) -> Array:
    """bool (n,): rows kept unseen for judging.

    The side of a row depends only on its content (or its group), so that it stays when rows are
    added; forward in time the newest ``share`` of the rows is withheld, whole times together.

    Parameters
    ----------
    seen : rows that some version has learnt from, which are never withheld: bool (n,), or their
        :func:`row_hashes` over the features as uint64
    share : of the rows, in [0, 1)
    at_least : when fewer rows than this would be withheld, none are: they could judge nothing
    seed : has no effect, on purpose: a side that moved with it would let a model see what later
        judges it

    Examples
    --------
    >>> from everfit.data.read import read
    >>> table = read({"x": [float(i) for i in range(1000)]})
    >>> kept = withhold(table, SplitPolicy("random"), seen=None, share=0.2, at_least=50)
    >>> 150 < int(kept.sum()) < 250
    True
    """
    del seed
    if not 0 <= share < 1:
        raise UsageError(
            "the share to withhold is out of range",
            got=str(share),
            expected="0 to below 1",
            do="give a share such as 0.2",
        )
    free = ~_was_seen(table, seen)
    if policy.kind == "group" and not free.all():
        # new rows of a group whose old rows were learnt are no strangers
        units = _units(_column(table, policy))
        free &= ~np.isin(units, units[~free])
    if policy.kind in ("time", "last"):
        chosen = _newest(table, policy, share, free)
    else:
        hashed = _group_hashes(table, policy) if policy.kind == "group" else _unit_hashes(table)
        chosen = (mix(hashed ^ SALT) < np.uint64(share * 2.0**64)) & free
    return chosen if int(chosen.sum()) >= max(1, at_least) else np.zeros(table.n_rows, dtype=bool)


def group_codes(table: Table, policy: SplitPolicy) -> Array | None:
    """int64 (n,): which rows are evidence together, by group or by what the policy names; None."""
    if policy.together is not None:
        return _units(table.frame[table.column(policy.together).name])
    return _units(_column(table, policy)) if policy.kind == "group" else None


def _features(table: Table) -> Table:
    """The table of features only; all columns when none is a feature."""
    names = {column.name for column in table.features}
    others = [column.name for column in table.columns if column.name not in names]
    return table.drop(others) if names else table


def _was_seen(table: Table, seen: Array | None) -> Array:
    if seen is None:
        return np.zeros(table.n_rows, dtype=bool)
    if seen.dtype == np.uint64:
        return np.asarray(np.isin(row_hashes(_features(table)), seen))
    return np.asarray(seen, dtype=bool)


def _unit_hashes(table: Table) -> Array:
    """uint64 (n,): content of the features; with few combinations, also which copy a row is."""
    hashed = row_hashes(_features(table))
    if table.n_rows and np.unique(hashed).size * COPIES <= table.n_rows:
        hashed = mix(hashed + _copy_numbers(hashed))
    return hashed


def _copy_numbers(hashed: Array) -> Array:
    """uint64 (n,): 0 for the first row of its content, 1 for the second, and so on."""
    order = np.argsort(hashed, kind="stable")
    inside = hashed[order]
    starts = np.flatnonzero(np.r_[True, inside[1:] != inside[:-1]])
    sizes = np.diff(np.r_[starts, inside.size])
    number = np.empty(hashed.size, dtype=np.uint64)
    number[order] = np.arange(inside.size) - np.repeat(starts, sizes)
    return number


def _equal_rows(table: Table) -> Array:
    """int64 (n,): one number for each set of rows that must stay together."""
    hashed = row_hashes(_features(table))
    _, unit = np.unique(hashed, return_inverse=True)
    n_units = int(unit.max()) + 1 if unit.size else 0
    if n_units * COPIES <= table.n_rows:
        return np.arange(table.n_rows)
    return np.asarray(unit, dtype=np.int64)


def _column(table: Table, policy: SplitPolicy) -> pl.Series:
    if policy.column is None:
        raise UsageError(
            f"a split by {policy.kind} needs a column",
            got="no column",
            expected=f"the name of the column of the {policy.kind}",
            do="name it in the policy, or give that column its role",
        )
    return table.frame[table.column(policy.column).name]


def _group_hashes(table: Table, policy: SplitPolicy) -> Array:
    """uint64 (n,): content of the group; of the whole row where the group is missing."""
    values = _column(table, policy)
    named = pl.DataFrame({"group": values})
    one = Table(named, (), table.source)
    hashed = row_hashes(one)
    if values.null_count():
        alone = values.is_null().to_numpy()
        hashed[alone] = row_hashes(table)[alone]
    return hashed


def _units(values: pl.Series) -> Array:
    """int64 (n,): one number for each group; a row without a group is one of its own."""
    codes = values.rank("dense").cast(pl.Int64)
    known = codes.fill_null(0).to_numpy().copy()
    alone = values.is_null().to_numpy()
    known[alone] = known.max(initial=0) + 1 + np.arange(int(alone.sum()))
    _, unit = np.unique(known, return_inverse=True)
    return np.asarray(unit, dtype=np.int64)


def _strata(target: Array | None, n_rows: int) -> Array:
    """int64 (n,): classes, or quantile bins of a number; missing ones are a class."""
    if target is None:
        return np.zeros(n_rows, dtype=np.int64)
    values = np.asarray(target, dtype=np.float64)
    known = np.isfinite(values)
    distinct = np.unique(values[known])
    strata = np.zeros(n_rows, dtype=np.int64)
    if distinct.size <= MAX_CLASSES:
        strata[known] = np.searchsorted(distinct, values[known]) + 1
    else:
        edges = np.quantile(values[known], np.linspace(0, 1, N_BINS + 1)[1:-1])
        strata[known] = np.searchsorted(edges, values[known], side="right") + 1
    return strata


def _deal(units: Array, strata: Array, n_folds: int, seed: int) -> Array:
    """int64 (n,): the fold of each row; whole units, each stratum spread over all folds.

    Units of several rows go first, largest first, each to the fold that has fewest rows of its
    stratum; then single rows fill up what is missing.
    """
    n_units = int(units.max()) + 1 if units.size else 0
    if n_units < 2:
        raise TooFewRows(
            "the rows cannot be cut into folds",
            got=f"{n_units} units that must stay together",
            expected="at least 2, better 5 or more",
            do="give more rows, or split by something else",
        )
    n_folds = min(n_folds, n_units)
    sizes = np.bincount(units, minlength=n_units)
    first = np.full(n_units, units.size, dtype=np.int64)
    np.minimum.at(first, units, np.arange(units.size))
    stratum = strata[first]
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(n_units)
    order = shuffled[np.argsort(-sizes[shuffled], kind="stable")]
    fold_of = np.empty(n_units, dtype=np.int64)
    load = np.zeros((int(strata.max()) + 1, n_folds))
    greedy = order[:N_GREEDY][sizes[order[:N_GREEDY]] > 1]
    for unit in greedy:
        row = load[stratum[unit]]
        # least rows of this stratum, then least rows of all
        best = int(np.lexsort((load.sum(axis=0), row))[0])
        fold_of[unit] = best
        row[best] += sizes[unit]
    rest = order[greedy.size :]
    for value in np.unique(stratum[rest]):
        same = rest[stratum[rest] == value]
        fold_of[same] = _fill(load, int(value), sizes[same])
    return np.asarray(fold_of[units])


def _fill(load: Array, stratum: int, sizes: Array) -> Array:
    """Folds for units in their order, so that a stratum's rows end up level; updates ``load``."""
    n_folds = load.shape[1]
    row = load[stratum]
    total = row.sum() + sizes.sum()
    # the folds that are least full over all strata take the rows that do not divide evenly
    by_load = np.lexsort((np.arange(n_folds), load.sum(axis=0)))
    goal = np.full(n_folds, total // n_folds)
    goal[by_load[: int(total - goal.sum())]] += 1
    room = np.maximum(goal - row, 0)
    room *= sizes.sum() / max(room.sum(), 1)
    ends = np.cumsum(room)
    middle = np.cumsum(sizes) - 0.5 * sizes
    fold = np.minimum(np.searchsorted(ends, middle, side="right"), n_folds - 1)
    np.add.at(row, fold, sizes)
    return np.asarray(fold)


def _times(table: Table, policy: SplitPolicy) -> Array:
    """int64 (n,): the rank of each row's time from 0, ties equal; -1 where it is missing.

    Without a column in the policy, the row order is the time.
    """
    if policy.column is None:
        return np.arange(table.n_rows)  # no column holds the time, but the rows stand in its order
    values = _column(table, policy)
    rank = values.rank("dense").cast(pl.Int64) - 1
    return np.asarray(rank.fill_null(-1).to_numpy())


def _forward(table: Table, policy: SplitPolicy) -> tuple[Cut, ...]:
    """Expanding windows: all rows before a time, then the rows of the next stretch of time.

    The last half of the rows is asked about, in ``n_folds`` stretches of about the same number of
    rows; rows of one time are never cut apart. A row without a time is in every history.
    """
    times = _times(table, policy)
    known = np.sort(times[times >= 0])
    n = known.size
    n_times = int(known[-1]) + 1 if n else 0
    if n_times < 2:
        raise TooFewRows(
            f"the rows cannot be cut forward in time by {policy.column!r}",
            got=f"{n_times} different times",
            expected="at least 2, better 20 or more",
            do="split at random, or by another column",
        )
    starts = n * (1 - LAST_PART) + n * LAST_PART * np.arange(policy.n_folds) / policy.n_folds
    borders = np.unique(np.maximum(known[np.minimum(starts.astype(np.int64), n - 1)], 1))
    found = []
    for number, border in enumerate(borders, start=1):
        end = borders[number] if number < borders.size else n_times
        asked = np.flatnonzero((times >= border) & (times < end))
        found.append(Cut(f"forward {number}", np.flatnonzero(times < border), asked))
    return tuple(found)


def _last(table: Table, policy: SplitPolicy) -> tuple[Cut, ...]:
    """The last row of each unit, then the one before it: each asked with all earlier rows known.

    The order is that of the times, and of the rows where times are equal or not there. A unit whose
    rows are fewer than a cut needs is in the history of that cut with the rows that it has.
    """
    times = _times(table, policy)
    units = _units(table.frame[table.column(policy.together or "").name])
    order = np.lexsort((np.arange(units.size), times, units))
    ends = np.cumsum(np.bincount(units))
    # how many rows of its unit come after a row: 0 for the last
    after = np.empty(units.size, dtype=np.int64)
    after[order] = ends[units[order]] - 1 - np.arange(units.size)
    many = np.bincount(units)[units]
    found = []
    for number in range(policy.n_folds):
        asked = np.flatnonzero((after == number) & (many > number + 1))
        if asked.size:
            held = (after <= number) & (many > number + 1)
            found.append(Cut(f"last {number + 1}", np.flatnonzero(~held), asked))
    if not found:
        raise TooFewRows(
            f"no last row can be held out by {policy.together!r}",
            got=f"{units.size} rows of {ends.size}, one each",
            expected="some with two rows or more",
            do="give more rows",
        )
    return tuple(reversed(found))  # the newest last, as forward in time


def _newest(table: Table, policy: SplitPolicy, share: float, free: Array) -> Array:
    times = _times(table, policy)
    known = np.sort(times[times >= 0])
    if known.size == 0 or share == 0:
        return np.zeros(table.n_rows, dtype=bool)
    if free.any():
        known = np.sort(times[(times >= 0) & free])
    border = known[min(known.size - 1, int(np.ceil(known.size * (1 - share))))]
    if border == 0:
        return np.zeros(table.n_rows, dtype=bool)
    chosen = (times >= border) & free
    return np.asarray(chosen)
