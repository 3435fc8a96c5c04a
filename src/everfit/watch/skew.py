"""Is what was answered what the version answers, and what was sent what the source holds?

Both are looked up for a sample of a window's rows: the answers again by the packed version on the
logged features, and the features again from the source by key. A difference is a defect of
the serving path, not drift.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from everfit.column import Array, Column
from everfit.data.conform import fit_column
from everfit.errors import EverfitError
from everfit.watch.reference import Reference, answers_of, feature, features_of, marked

SAMPLE = 200  # rows of a window; a defect of 2% of the rows shows in one of them at 98%
SAME = 1e-6  # of the value, or of 1 if that is larger: JSON and 32-bit features round
MOST_EXAMPLE = 40


def verified(
    frame: pl.DataFrame,
    reference: Reference,
    verify: Callable[[pl.DataFrame], Array],
    *,
    seed: int = 0,
) -> dict[str, Any]:
    """Answers that the packed version does not give again: ``n``, ``differ``, ``largest``.

    Rows that lack a column which has a default are left out: the log does not tell "not given",
    which takes the default, from "given as missing". ``error`` says why nothing could be asked.
    """
    rows = _sampled(_as_given(frame, reference), seed)
    if not rows.height:
        return {"n": 0, "differ": 0}
    try:
        again = np.asarray(verify(features_of(rows)), dtype=np.float64)
    except (EverfitError, OSError) as error:
        return {"n": 0, "differ": 0, "error": str(getattr(error, "what", error))[:200]}
    logged = answers_of(rows, reference.labels)
    if again.shape != logged.shape:
        return {"n": 0, "differ": 0, "error": f"answers of shape {again.shape}"}
    known = np.isfinite(logged).all(axis=1)
    off = np.abs(again - logged) / np.maximum(np.abs(logged), 1.0)
    worst = off[known].max(axis=1) if known.any() else np.empty(0)
    worst = np.where(np.isfinite(worst), worst, np.inf)
    largest = float(worst.max()) if len(worst) else 0.0
    return {
        "n": int(known.sum()),
        "differ": int((worst > SAME).sum()),
        "largest": largest if np.isfinite(largest) else None,
    }


def recomputed(
    frame: pl.DataFrame,
    reference: Reference,
    lookup: Callable[[pl.DataFrame], pl.DataFrame],
    *,
    seed: int = 0,
) -> dict[str, Any]:
    """Logged features that the source has otherwise: ``n`` rows found, ``differ`` by column.

    Only keys that were asked about once in the window are looked up: ``lookup`` gets these requests
    and gives the source's row of each, with its ``key``. ``absent`` counts those that the source
    does not have; ``error`` says why it could not be asked.
    """
    nothing: dict[str, Any] = {"n": 0, "absent": 0, "differ": {}}
    if "key" not in frame.columns or frame["key"].null_count() == frame.height:
        return nothing
    once = frame.filter(pl.col("key").is_not_null() & pl.col("key").is_unique())
    rows = _sampled(once, seed)
    try:
        source = lookup(rows)
    except (EverfitError, OSError) as error:
        return nothing | {"error": str(getattr(error, "what", error))[:200]}
    source = source.with_columns(pl.col("key").cast(pl.String)).unique("key", keep="last")
    both = rows.select(pl.col("key").cast(pl.String)).join(
        source, on="key", how="left", maintain_order="left"
    )
    there = rows["key"].cast(pl.String).is_in(source["key"].to_list())
    differ: dict[str, int] = {}
    examples: dict[str, str] = {}
    for usual in reference.columns:
        if usual.name not in both.columns or (sent := feature(rows, usual.name)) is None:
            continue
        ours, theirs = _fitted(sent, usual.column), _fitted(both[usual.name], usual.column)
        off = there & ~_same(ours, theirs)
        if n := int(off.sum()):
            differ[usual.name] = n
            first = int(off.arg_max() or 0)
            examples[usual.name] = (
                f"{_word(ours[first])} sent, {_word(theirs[first])} at the source"
            )
    found = int(there.sum())
    return {
        "n": found,
        "absent": rows.height - found,
        "differ": differ,
        "examples": examples,
    }


def _as_given(frame: pl.DataFrame, reference: Reference) -> pl.DataFrame:
    for usual in reference.columns:
        values = feature(frame, usual.name)
        if usual.default is not None and values is not None and values.null_count() < len(values):
            frame = frame.filter(values.is_not_null())
    return frame


def _sampled(frame: pl.DataFrame, seed: int) -> pl.DataFrame:
    if frame.height <= SAMPLE:
        return frame
    picked = np.random.default_rng(seed).choice(frame.height, SAMPLE, replace=False)
    return frame[np.sort(picked)]


def _fitted(values: pl.Series, column: Column) -> pl.Series:
    return fit_column(marked(values, column), column)[0]


def _same(ours: pl.Series, theirs: pl.Series) -> pl.Series:
    """Where two columns of one kind agree; missing agrees with missing."""
    if ours.dtype == pl.Float64 and theirs.dtype == pl.Float64:
        close = (ours - theirs).abs() <= SAME * pl.Series(
            np.maximum(np.abs(ours.fill_null(0.0).to_numpy()), 1.0)
        )
        return close.fill_null(False) | (ours.is_null() & theirs.is_null())
    return ours.eq_missing(theirs.cast(ours.dtype, strict=False))


def _word(value: Any) -> str:
    return "missing" if value is None else str(value)[:MOST_EXAMPLE]
