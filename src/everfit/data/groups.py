"""Groups of rows that a person can name: levels of categories, thirds of numbers."""

from __future__ import annotations

import numpy as np
import polars as pl

from everfit.data.table import Table
from everfit.records import Array

MAX_LEVELS = 20  # a column with more levels makes groups too small to judge
SAMPLE = 1_000  # values that are looked at to see whether a number has thirds at all


def groups(table: Table, *, least: int) -> dict[str, Array]:
    """Masks, bool (n,), by name (``plan=trial``), of groups of at least ``least`` rows."""
    masks: dict[str, Array] = {}
    for column in table.features:
        if column.kind == "number":
            masks |= _thirds(table.frame[column.name])
        elif column.kind in ("category", "ordered", "boolean"):
            masks |= _levels(table.frame[column.name])
    return {name: mask for name, mask in masks.items() if mask.sum() >= least}


def _levels(values: pl.Series) -> dict[str, Array]:
    words = values.cast(pl.String)
    found = words.unique().to_list()
    if len(found) > MAX_LEVELS:
        return {}
    return {
        f"{values.name}={'missing' if word is None else word}": (
            words.is_null() if word is None else (words == word).fill_null(False)
        ).to_numpy()
        for word in sorted(found, key=lambda w: (w is None, w))
    }


def _thirds(values: pl.Series) -> dict[str, Array]:
    numbers = values.cast(pl.Float64).to_numpy()
    known = numbers[np.isfinite(numbers)]
    if len(np.unique(known[:SAMPLE])) < 4:
        return {}
    low, high = np.quantile(known, [1 / 3, 2 / 3])
    if low == high:
        return {}
    name = values.name
    return {
        f"{name} up to {low:.4g}": numbers <= low,
        f"{name} {low:.4g} to {high:.4g}": (numbers > low) & (numbers <= high),
        f"{name} above {high:.4g}": numbers > high,
    }
