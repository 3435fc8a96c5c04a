"""What is usual of one column, and how the rows of a window are held against it.

Every statistic is the mean over rows of a score in [0, 1], so that windows of different sizes can
be compared and none needs more than its rows once. Numbers: the rank of the value among the
reference (``level``) and how far from its middle (``spread``). Words: whether the value is one of
the most frequent levels, or none that is known (``new``). All: whether it is ``missing``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from everfit.column import Array, Column

KNOTS = 401  # of the ranks of a number: interpolating between them is off by 1/800 at most
LEVELS = 5  # most frequent levels whose share is followed
MOST_LEVELS = 500  # levels that are known by name
RARE = 3.0  # events; below, the error of a share is that of so many: counts have long tails
BLOCKS, BLOCK_ROWS = 20, 25  # of a window: rows that follow one another hang together
WORDS = ("category", "ordered", "boolean")
LARGEST_INFLATION = 50.0
LEANS = 0.1  # correlation with the answers from which on they are said to lean on a column


@dataclass(frozen=True, slots=True)
class Usual:
    """One column of the reference.

    ``knots`` and ``marks`` are values and their mid-ranks in [0, 1] (of a text: of its length);
    ``levels`` the known levels, most frequent first, with their ``shares``; ``statistics`` are
    named in the order of ``centres`` and ``spreads``, their mean and sd over the reference rows,
    and of ``inflations``: how many rows in a row count as one, because they hang together or moved;
    ``low`` and ``high`` the training range; ``default`` what stands in when the column is not
    given; ``weight`` how much answers move with it, a correlation in [0, 1]; ``n`` reference rows.
    """

    column: Column
    n: int
    missing: float
    knots: tuple[float, ...] = ()
    marks: tuple[float, ...] = ()
    levels: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()
    statistics: tuple[str, ...] = ()
    centres: tuple[float, ...] = ()
    spreads: tuple[float, ...] = ()
    inflations: tuple[float, ...] = ()
    low: float | None = None
    high: float | None = None
    default: Any = None
    weight: float = 0.0
    middle: float | None = None

    @property
    def name(self) -> str:
        """The column's name."""
        return self.column.name


@dataclass(frozen=True, slots=True)
class Limits:
    """What a packed version says of a column: its training range and its default."""

    low: float | None = None
    high: float | None = None
    default: Any = None


def usual_of(
    values: pl.Series,
    column: Column,
    limits: Limits | None = None,
    *,
    weight: float = 0.0,
    knots: int = KNOTS,
) -> Usual:
    """What is usual of ``values``, stored as :func:`everfit.data.conform.conform` stores them.

    Examples
    --------
    >>> made = usual_of(pl.Series("age", [20.0, 30.0, 40.0, None]), Column("age", "number"))
    >>> made.missing, made.marks, made.statistics
    (0.25, (0.16666666666666666, 0.5, 0.8333333333333334), ('missing', 'level', 'spread'))
    """
    limits = limits or Limits()
    places: tuple[Array, Array] = np.empty(0), np.empty(0)
    levels: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()
    middle = None
    if column.kind in WORDS:
        levels, shares = _levels(_words(values))
    elif column.kind in ("number", "text"):
        numbers = _numbers(values, column)
        places = _ranks(numbers, knots)
        middle = float(np.median(numbers)) if len(numbers) else None
    missing = values.null_count() / max(len(values), 1)
    bare = Usual(
        column, len(values), missing,
        tuple(map(float, places[0])), tuple(map(float, places[1])), levels, shares,
        low=limits.low, high=limits.high, default=limits.default, weight=weight, middle=middle,
    )  # fmt: skip
    names = _statistics(bare)
    table = scores(values, bare, names)
    centres, spreads = _moments(table, names)
    known = ~np.isnan(table)
    with np.errstate(invalid="ignore", divide="ignore"):
        filled = np.where(known, table, 0.0)
        inflations = _inflation(filled, known, filled.sum(axis=0) / known.sum(axis=0))
    if "new" in names:  # Good-Turing: what stood once tells how much was not seen at all
        once = sum(1 for share in shares if share * len(values) < 1.5)
        share = min(once / max(len(values), 1), 0.5)
        at = names.index("new")
        centres[at], spreads[at] = share, float(np.sqrt(share * (1 - share)))
    return Usual(
        bare.column, bare.n, bare.missing, bare.knots, bare.marks, bare.levels, bare.shares,
        names, tuple(centres), tuple(spreads), tuple(map(float, inflations)),
        bare.low, bare.high, bare.default, bare.weight, bare.middle,
    )  # fmt: skip


def scores(values: pl.Series, usual: Usual, names: tuple[str, ...] | None = None) -> Array:
    """The scores (n, n_statistics) of a column's values; NaN where a value says nothing to one."""
    names = usual.statistics if names is None else names
    gone = values.is_null().to_numpy()
    out = np.full((len(values), len(names)), np.nan, order="F")
    out[:, 0] = gone
    if len(names) == 1:
        return out
    if usual.column.kind in WORDS:
        codes = _codes(values, usual.levels)
        for k, name in enumerate(names[1:], 1):
            wanted = len(usual.levels) if name == "new" else k - 1
            out[:, k] = np.where(gone, np.nan, codes == wanted)
        return out
    numbers = _numbers(values, usual.column, keep=True)
    place = np.interp(numbers, usual.knots, usual.marks, left=0.0, right=1.0)
    place[np.isnan(numbers)] = np.nan
    out[:, 1], out[:, 2] = place, np.abs(2 * place - 1)
    return out


def summed(table: Array, usual: Usual) -> tuple[list[float], list[float]]:
    """How far the mean of each score is from the reference, and its standard error.

    The error is that of the reference's spread over as many rows, larger where blocks of rows that
    follow one another differ by more than rows do: such rows count as fewer. NaN without a row.

    Examples
    --------
    >>> usual = usual_of(pl.Series("age", [1.0, 2.0, 3.0] * 50), Column("age", "number"))
    >>> away, error = summed(scores(pl.Series("age", [3.0] * 100), usual), usual)
    >>> [round(x, 3) for x in away], round(error[1], 3)
    ([0.0, 0.333, 0.222], 0.027)
    """
    n = len(table)
    known = ~np.isnan(table)
    counts = known.sum(axis=0)
    filled = np.where(known, table, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = filled.sum(axis=0) / counts
        spreads = np.asarray(usual.spreads)
        variance = np.maximum(spreads**2, 1 / (4 * max(usual.n, 1))) / counts
        variance *= _inflation(filled, known, means)
        share = [k for k, name in enumerate(usual.statistics) if name not in ("level", "spread")]
        variance[share] += (RARE / counts[share]) ** 2
        away, error = means - np.asarray(usual.centres), np.sqrt(variance)
    nothing = counts == 0
    away[nothing] = error[nothing] = np.nan
    return [float(x) for x in away], [float(x) for x in error] if n else [float("nan")] * len(away)


def _inflation(filled: Array, known: Array, means: Array) -> Array:
    """How much more the means of blocks vary than those of as many independent rows, at least 1."""
    n = len(filled)
    blocks = min(BLOCKS, n // BLOCK_ROWS)
    if blocks < 4:
        return np.ones(filled.shape[1])
    starts = np.linspace(0, n, blocks, endpoint=False).astype(np.int64)
    sums, sizes = np.add.reduceat(filled, starts), np.add.reduceat(known, starts, dtype=np.int64)
    inside = (filled**2).sum(axis=0) / known.sum(axis=0) - means**2
    off = (sums - sizes * means) ** 2  # of a sum of m rows: m times the variance of one
    between = off.sum(axis=0) / known.sum(axis=0) * blocks / (blocks - 1)
    found = between / np.maximum(inside, 1e-12)
    return np.asarray(np.clip(np.nan_to_num(found, nan=1.0), 1.0, LARGEST_INFLATION))


def _statistics(usual: Usual) -> tuple[str, ...]:
    if usual.column.kind in WORDS:
        return ("missing", *(f"is {level}" for level in usual.levels[:LEVELS]), "new")
    return ("missing", "level", "spread") if usual.knots else ("missing",)


def _moments(table: Array, names: tuple[str, ...]) -> tuple[list[float], list[float]]:
    centres, spreads = [], []
    for k, name in enumerate(names):
        column = table[:, k]
        column = column[~np.isnan(column)]
        if not len(column):
            centres.append(0.5 if name == "level" else 0.0)
            spreads.append(0.5)
            continue
        centres.append(float(column.mean()))
        spreads.append(float(column.std()))
    return centres, spreads


def _ranks(numbers: Array, knots: int) -> tuple[Array, Array]:
    """Values and their mid-ranks, at most ``knots`` of them."""
    if not len(numbers):
        return np.empty(0), np.empty(0)
    values, counts = np.unique(numbers, return_counts=True)
    marks = (np.cumsum(counts) - counts / 2) / len(numbers)
    if len(values) > knots:
        picked = np.unique(np.searchsorted(marks, np.linspace(marks[0], marks[-1], knots)))
        picked = np.clip(picked, 0, len(values) - 1)
        values, marks = values[picked], marks[picked]
    return values, marks


def _numbers(values: pl.Series, column: Column, *, keep: bool = False) -> Array:
    """Numbers, or the lengths of texts; ``keep`` leaves NaN where there is none."""
    if column.kind == "text":
        values = values.str.len_chars()
    found = values.cast(pl.Float64).to_numpy()
    if keep:
        return np.array(found)
    return np.asarray(found[np.isfinite(found)])


def _words(values: pl.Series) -> pl.Series:
    if values.dtype == pl.Boolean:
        return values.replace_strict({True: "true", False: "false"}, return_dtype=pl.String)
    return values.cast(pl.String)


def _levels(words: pl.Series) -> tuple[tuple[str, ...], tuple[float, ...]]:
    counts = words.drop_nulls().alias("level").value_counts().sort(
        "count", "level", descending=[True, False]
    )  # fmt: skip
    total = max(int(counts["count"].sum()), 1)
    kept = counts.head(MOST_LEVELS)
    return tuple(kept["level"]), tuple(count / total for count in kept["count"])


def _codes(values: pl.Series, levels: tuple[str, ...]) -> Array:
    """The position of each value among ``levels``; their number for one that is not there."""
    words = _words(values)
    if not levels:
        return np.zeros(len(words), dtype=np.int64)
    found = words.replace_strict(
        list(levels), list(range(len(levels))), default=len(levels), return_dtype=pl.Int64
    )
    return np.asarray(found.fill_null(-1).to_numpy())
