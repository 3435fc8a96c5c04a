"""Features and answers of two samples as one table of numbers, to tell the samples apart by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
import polars as pl

from everfit.data.conform import fit_column
from everfit.records import Array
from everfit.watch.reference import Reference, answer_series, feature, marked
from everfit.watch.usual import WORDS, Usual

MOST_COLUMNS = 30  # those with which answers move most
LEVELS = 8  # most frequent levels that have a place of their own
OUTSIDE = 0.5  # share of values beyond all that was learnt from: such a number only counts rows
IDLE = 0.1  # correlation with answers, below which such a number is left out


def designs(
    reference: Reference, traffic: pl.DataFrame, said: Array
) -> tuple[Array, Array, tuple[str, ...]]:
    """The reference's rows (n, p) and the traffic's (m, p), standardised, and columns left out.

    Numbers become their rank among the reference, and its square; words their most frequent levels;
    missing values a mark. Dates and texts are left out, and numbers that answers do not move with
    and that are mostly beyond what was learnt from (a running number): no row could stand for them.
    """
    assert reference.rows is not None
    assert reference.answers is not None
    labels = reference.labels
    pairs = [
        (usual, theirs, ours)
        for usual, theirs, ours in zip(
            reference.answered,
            answer_series(reference.answers, labels),
            answer_series(said, labels),
            strict=True,
        )
    ]
    dropped = []
    for usual, theirs, ours in _columns(reference.columns, reference.rows, traffic):
        idle = usual.weight < IDLE and _outside(ours, theirs) > OUTSIDE
        if idle or usual.column.kind in ("date", "text"):
            dropped.append(usual.name)
        else:
            pairs.append((usual, theirs, ours))
    known = [_of_reference(reference, *pair[:2]) for pair in pairs]
    asked = [_places(ours, usual) for usual, _, ours in pairs]
    first, second = np.hstack(known), np.hstack(asked)
    middle = (first.mean(axis=0) + second.mean(axis=0)) / 2
    apart = (first.mean(axis=0) - second.mean(axis=0)) / 2
    spread = np.sqrt((first.var(axis=0) + second.var(axis=0)) / 2 + apart**2)
    used = spread > 1e-6
    middle, spread = middle[used], spread[used]
    first, second = (first[:, used] - middle) / spread, (second[:, used] - middle) / spread
    return first, second, tuple(dropped)


def _columns(
    columns: Sequence[Usual], rows: pl.DataFrame, traffic: pl.DataFrame
) -> Iterator[tuple[Usual, pl.Series, pl.Series]]:
    """What is usual of a column, its values in the reference and in the traffic.

    A column that the traffic lacks is missing in every row, as it is for the version.
    """
    known = [usual for usual in columns if usual.name in rows.columns]
    for usual in sorted(known, key=lambda usual: -usual.weight)[:MOST_COLUMNS]:
        values = feature(traffic, usual.name)
        if values is None:
            ours = pl.Series(usual.name, [None] * traffic.height, dtype=rows[usual.name].dtype)
        else:
            ours = fit_column(marked(values, usual.column), usual.column)[0]
        yield usual, rows[usual.name], ours


def _of_reference(reference: Reference, usual: Usual, theirs: pl.Series) -> Array:
    """The places of a reference's own values; the same for each window."""
    answer = any(usual is one for one in reference.answered)  # a column may have its name
    kept, name = _kept(reference), (answer, usual.name)
    if name not in kept:
        kept[name] = _places(theirs, usual)
    return kept[name]


@lru_cache(maxsize=4)
def _kept(_: Reference) -> dict[tuple[bool, str], Array]:
    return {}


def _outside(ours: pl.Series, theirs: pl.Series) -> float:
    """The share of values that lie beyond the reference's, or are not there at all."""
    if ours.null_count() == len(ours):
        return 1.0
    if not ours.dtype.is_numeric():
        return 0.0
    low, high = theirs.min(), theirs.max()
    beyond = ((ours < low) | (ours > high)).mean()
    return float(beyond) if isinstance(beyond, float) else 0.0


def _places(values: pl.Series, usual: Usual) -> Array:
    """One column as numbers (n, 3), or (n, levels + 1) for words."""
    missing = values.is_null().to_numpy().astype(np.float64)
    if usual.column.kind in WORDS:
        words = values.cast(pl.String)
        levels = [(words == level).fill_null(False).to_numpy() for level in usual.levels[:LEVELS]]
        return np.column_stack([missing, *(level.astype(np.float64) for level in levels)])
    numbers = values.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()
    known = np.isfinite(numbers)
    rank = np.zeros(len(numbers))
    if usual.knots:
        rank[known] = 2 * np.interp(numbers[known], usual.knots, usual.marks) - 1
    return np.column_stack([missing, rank, rank**2])
