"""The facts of a table, counted exactly over all rows: one sort a column.

A sorted column gives its quantiles, its distinct values and its most frequent values at once
(runs of equal values); words are sorted by their 64-bit hash. Correlations are taken over the
rows where both numbers are known, block by block, so that memory stays bounded.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from everfit.data.table import Table
from everfit.records import Array, Column, ColumnProfile, Profile

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
TOP = 10
CORRELATION_ABOVE = 0.5
MAX_CORRELATED = 1_000  # columns; pairs grow with the square
BLOCK_ROWS = 65_536
THREADED = 50_000


def profile(table: Table) -> Profile:
    """Nulls, distinct values, quantiles, top values, correlations and duplicate rows of a table.

    Quantiles are the nearest ranks, so each is a value that occurs. Distinct words are counted by a
    64-bit hash. No target is needed.

    Examples
    --------
    >>> from everfit.records import Source
    >>> frame = pl.DataFrame({"x": [1.0, 2.0, 2.0, None]})
    >>> facts = profile(Table(frame, (Column("x", "number"),), Source("", "", 4, 1)))
    >>> facts.columns[0].n_missing, facts.columns[0].top[0], facts.n_duplicate_rows
    (1, ('2', 2), 1)
    """
    begun = time.perf_counter()
    columns = tuple(column_profile(c, table.frame[c.name]) for c in table.columns)
    numbers = [p for p in columns if p.kind == "number" and p.sd]
    return Profile(
        n_rows=table.n_rows,
        columns=columns,
        n_duplicate_rows=duplicate_rows(table.frame),
        correlations=correlations(table.frame, numbers[:MAX_CORRELATED]),
        seconds=time.perf_counter() - begun,
    )


def column_profile(column: Column, values: pl.Series) -> ColumnProfile:
    """The facts of one column."""
    if values.dtype.is_numeric():
        return _of_numbers(column, values)
    return _of_words(column, values)


def duplicate_rows(frame: pl.DataFrame) -> int:
    """Rows that repeat an earlier row in all columns, counted by a 64-bit hash."""
    if not frame.width or not frame.height:
        return 0
    return frame.height - frame.hash_rows(seed=0).n_unique()


def correlations(
    frame: pl.DataFrame, columns: Sequence[ColumnProfile]
) -> tuple[tuple[str, str, float], ...]:
    """Pearson correlations beyond 0.5 over rows where both are known, strongest first."""
    if len(columns) < 2:
        return ()
    r = _pearson(frame, columns)
    left, right = np.nonzero(np.triu(np.abs(r) > CORRELATION_ABOVE, k=1))
    order = np.argsort(-np.abs(r[left, right]), kind="stable")
    return tuple(
        (columns[i].name, columns[j].name, float(r[i, j]))
        for i, j in zip(left[order], right[order], strict=True)
    )


def _of_numbers(column: Column, values: pl.Series) -> ColumnProfile:
    known = values.drop_nulls()
    if known.dtype.is_float():
        known = known.drop_nans()
    missing, n = values.len() - known.len(), known.len()
    if n == 0:
        return ColumnProfile(column.name, column.kind, missing, 0)
    ordered = _ordered(known)
    starts, lengths = _runs(ordered)
    finite = known.filter(known.is_finite()) if known.dtype.is_float() else known
    mean, sd = finite.mean(), finite.std(ddof=1)
    ranks = np.round(np.array(QUANTILES) * (n - 1)).astype(np.int64)
    return ColumnProfile(
        name=column.name,
        kind=column.kind,
        n_missing=missing,
        n_distinct=len(starts),
        quantiles=tuple(float(v) for v in ordered[ranks]),
        mean=None if mean is None else float(mean),  # type: ignore[arg-type]
        sd=0.0 if sd is None else float(sd),  # type: ignore[arg-type]
        top=tuple((_word(ordered[starts[i]]), int(lengths[i])) for i in _largest(lengths)),
    )


def _of_words(column: Column, values: pl.Series) -> ColumnProfile:
    known = values.drop_nulls()
    if known.len() == 0:
        return ColumnProfile(column.name, column.kind, values.len(), 0)
    hashes = known.hash(seed=0)
    ordered = _ordered(hashes)
    starts, lengths = _runs(ordered)
    top = []
    for i in _largest(lengths):
        place = int((hashes == int(ordered[starts[i]])).arg_max() or 0)
        top.append((_word(known[place]), int(lengths[i])))
    # runs come in the order of hashes, which means nothing to a reader: break ties by the word
    top.sort(key=lambda pair: (-pair[1], pair[0]))
    return ColumnProfile(
        name=column.name,
        kind=column.kind,
        n_missing=values.len() - known.len(),
        n_distinct=len(starts),
        top=tuple(top),
    )


def _ordered(values: pl.Series) -> Array:
    # Polars sorts with all cores, but waking them costs more than a short sort takes
    if values.len() < THREADED:
        ordered: Array = np.sort(values.to_numpy())
        return ordered
    return values.sort().to_numpy()


def _runs(ordered: Array) -> tuple[Array, Array]:
    """Where each run of equal values starts, and how long it is."""
    starts = np.concatenate([[0], np.flatnonzero(ordered[1:] != ordered[:-1]) + 1])
    return starts, np.diff(np.append(starts, len(ordered)))


def _largest(lengths: Array) -> Array:
    """Positions of the ten longest runs, longest first, earlier first among equals."""
    if len(lengths) <= TOP:
        return np.argsort(-lengths, kind="stable")
    least = np.partition(lengths, -TOP)[-TOP]
    longer = np.flatnonzero(lengths > least)
    equal = np.flatnonzero(lengths == least)[: TOP - len(longer)]
    chosen = np.sort(np.concatenate([longer, equal]))
    return chosen[np.argsort(-lengths[chosen], kind="stable")]


def _word(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (float, np.floating)):
        number = float(value)
        whole = number.is_integer() and abs(number) < 1e15
        return str(int(number)) if whole else repr(number)
    return str(value)


def _pearson(frame: pl.DataFrame, columns: Sequence[ColumnProfile]) -> Array:
    """Correlation matrix over pairwise known rows (d, d); NaN where nothing can be said."""
    d = len(columns)
    xy, x, xx, n = (np.zeros((d, d)) for _ in range(4))
    for start in range(0, frame.height, BLOCK_ROWS):
        part = frame.slice(start, BLOCK_ROWS)
        z = np.empty((part.height, d), dtype=np.float32, order="F")
        for j, c in enumerate(columns):
            # centred and scaled before the step to 32 bits, so that large means cost no digits
            z[:, j] = (part[c.name].cast(pl.Float64).to_numpy() - (c.mean or 0.0)) / (c.sd or 1.0)
        known = np.isfinite(z)
        if known.all():
            x += z.sum(axis=0, dtype=np.float64)[:, None]
            xx += (z * z).sum(axis=0, dtype=np.float64)[:, None]
            n += part.height
        else:
            z[np.logical_not(known)] = 0.0
            m = known.astype(np.float32)
            x += z.T @ m  # x[i, j]: sum of i over rows where j is known
            xx += (z * z).T @ m
            n += m.T @ m
        xy += z.T @ z
    with np.errstate(divide="ignore", invalid="ignore"):
        across = xx - x * x / n
        r: Array = (xy - x * x.T / n) / np.sqrt(across * across.T)
    return np.nan_to_num(r, nan=0.0)
