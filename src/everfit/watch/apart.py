"""Can rows of the traffic be told from rows of the reference, all columns taken together?

A ridge fit on ranks, levels and products of ranks learns on one half to tell them apart and is
asked about the other: the area under its curve is one half when nothing moved. The products see
what no column shows alone: that two of them no longer go together as they did. Halves are halves in
time, so that rows which hang together with their neighbours do not give a window away.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from everfit.column import Array
from everfit.data.conform import fit_column
from everfit.evidence.auc import auc
from everfit.watch.reference import Reference, feature, marked
from everfit.watch.usual import WORDS, Usual, scores

ROWS = 1_000  # of each sample
LEAST = 200
COLUMNS, PAIRED, LEVELS = 30, 8, 3
RIDGE = 20.0
NAMED, WORD = 3, 0.25  # columns that are named, and the share of the strongest that it takes


def apart(frame: pl.DataFrame, reference: Reference) -> dict[str, Any] | None:
    """``away`` (the area less one half), its ``error``, and the ``columns`` that tell most.

    None where either sample has fewer than 200 rows, or the reference none.
    """
    if reference.rows is None or min(frame.height, reference.rows.height) < LEAST:
        return None
    picked = _picked(reference)
    known, owners = _of_reference(reference)
    now = _every(frame, ROWS)
    asked = _table([(usual, _values(now, usual)) for usual in picked])
    away, weights = _told_apart(known, asked)
    strength: dict[str, float] = {}
    for names, weight in zip(owners, weights, strict=True):
        for name in names:
            strength[name] = max(strength.get(name, 0.0), float(weight))
    most = max(strength.values(), default=0.0)
    best = sorted(strength, key=lambda name: -strength[name])[:NAMED]
    best = [name for name in best if strength[name] >= WORD * most]
    n, m = len(known), len(asked)
    return {
        "away": round(away, 5),
        "error": round(float(np.sqrt((1 / n + 1 / m) / 12)), 5),
        "columns": best,
    }


def _picked(reference: Reference) -> list[Usual]:
    """The columns with which answers move most."""
    read = [u for u in reference.columns if u.column.kind in ("number", *WORDS)]
    return sorted(read, key=lambda usual: -usual.weight)[:COLUMNS]


@lru_cache(maxsize=4)  # the same for each window of a version
def _of_reference(reference: Reference) -> tuple[Array, tuple[tuple[str, ...], ...]]:
    assert reference.rows is not None
    rows = _every(reference.rows, ROWS)
    picked = _picked(reference)
    return _table([(usual, rows[usual.name]) for usual in picked]), _owners(picked)


def _every(frame: pl.DataFrame, most: int) -> pl.DataFrame:
    """At most so many rows, evenly spread and in their order."""
    if frame.height <= most:
        return frame
    return frame[np.linspace(0, frame.height - 1, most).astype(np.int64)]


def _values(frame: pl.DataFrame, usual: Usual) -> pl.Series:
    values = feature(frame, usual.name)
    if values is None:
        values = pl.Series(usual.name, [None] * frame.height, dtype=pl.String)
    return fit_column(marked(values, usual.column), usual.column)[0]


def _table(columns: list[tuple[Usual, pl.Series]]) -> Array:
    """The design (n, p): per column missing, rank or levels; then products of ranks."""
    parts, ranks = [], []
    for usual, values in columns:
        found = scores(values, usual)
        if usual.column.kind in WORDS:
            found = found[:, : 1 + min(LEVELS, len(usual.levels))]
        elif found.shape[1] > 1:
            ranks.append(np.nan_to_num(found[:, 1] - 0.5))
        parts.append(np.nan_to_num(found - np.asarray(usual.centres[: found.shape[1]])))
    parts += [(4 * a * b)[:, None] for a, b in combinations(ranks[:PAIRED], 2)]
    return np.hstack(parts) if parts else np.zeros((len(columns[0][1]) if columns else 0, 0))


def _owners(picked: list[Usual]) -> tuple[tuple[str, ...], ...]:
    """Which columns each column of the design is about."""
    owners: list[tuple[str, ...]] = []
    ranked = []
    for usual in picked:
        n = len(usual.statistics)
        if usual.column.kind in WORDS:
            n = 1 + min(LEVELS, len(usual.levels))
        elif n > 1:
            ranked.append(usual.name)
        owners += [(usual.name,)] * n
    return (*owners, *combinations(ranked[:PAIRED], 2))


def _told_apart(known: Array, asked: Array) -> tuple[float, Array]:
    """The area less one half, each half judged by a fit on the other; and what told, by column."""
    areas, weights = [], np.zeros(known.shape[1])
    halves = [(slice(0, len(part) // 2), slice(len(part) // 2, None)) for part in (known, asked)]
    for learn, judge in ((0, 1), (1, 0)):
        first = np.vstack([known[halves[0][learn]], asked[halves[1][learn]]])
        second = np.vstack([known[halves[0][judge]], asked[halves[1][judge]]])
        n, m = len(known[halves[0][learn]]), len(asked[halves[1][learn]])
        side = np.repeat([-1.0 / n, 1.0 / m], [n, m])
        centred = first - first.mean(axis=0)
        spread = centred.std(axis=0) + 1e-9
        scaled = centred / spread
        gram = scaled.T @ scaled / len(first)
        gram[np.diag_indices_from(gram)] += RIDGE / len(first)
        found = np.linalg.solve(gram, scaled.T @ side) if len(gram) else np.zeros(0)
        weights += np.abs(found)
        is_asked = np.repeat(
            [False, True], [len(known[halves[0][judge]]), len(asked[halves[1][judge]])]
        )
        areas.append(float(auc(((second - first.mean(axis=0)) / spread) @ found, is_asked)))
    return float(np.nanmean(areas)) - 0.5, weights
