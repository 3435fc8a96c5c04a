"""Small seeded tables with every kind of column, and histories of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from everfit.data.table import Table
from everfit.learners.contract import History
from everfit.records import Array, Column, Form, Source

COLUMNS = (
    Column("age", "number"),
    Column("pay", "number"),
    Column("plan", "category"),
    Column("town", "category"),
    Column("size", "ordered", levels=("s", "m", "l")),
    Column("member", "boolean", levels=("no", "yes")),
    Column("since", "date"),
    Column("flat", "constant"),
)
KINDS = {
    "age": pl.Float64,
    "pay": pl.Float64,
    "plan": pl.String,
    "town": pl.String,
    "size": pl.String,
    "member": pl.Boolean,
    "since": pl.Datetime("us"),
    "flat": pl.String,
}


def table_of(values: dict[str, list[Any]]) -> Table:
    """A table with the columns above from plain lists."""
    frame = pl.DataFrame(values, schema=KINDS)
    return Table(frame, COLUMNS, Source("test", "", frame.height, frame.width))


def features(n: int, seed: int = 0, *, towns: int = 60) -> Table:
    """``n`` rows of all kinds, with missing values and empty strings in them."""
    rng = np.random.default_rng(seed)

    def some(values: list[Any], share: float = 0.05) -> list[Any]:
        return [None if gone else v for v, gone in zip(values, rng.random(n) < share, strict=True)]

    days = np.datetime64("2020-01-01", "us") + rng.integers(0, 900, n) * np.timedelta64(1, "D")
    return table_of(
        {
            "age": some(rng.normal(40, 12, n).tolist()),
            "pay": some(np.exp(rng.normal(7, 1, n)).tolist()),
            "plan": some(rng.choice(["a", "b", "c", ""], n, p=[0.5, 0.3, 0.15, 0.05]).tolist()),
            "town": some([f"town{i}" for i in rng.integers(0, towns, n)]),
            "size": some(rng.choice(["s", "m", "l"], n).tolist()),
            "member": some((rng.random(n) < 0.4).tolist()),
            "since": some(days.astype("datetime64[us]").tolist()),
            "flat": ["x"] * n,
        }
    )


def score(table: Table) -> Array:
    """What the target depends on: age, plan and their interplay."""
    age = table.frame["age"].fill_null(40.0).to_numpy()
    plan = table.frame["plan"].fill_null("").to_numpy()
    return np.asarray((age - 40) / 12 * np.where(plan == "a", 1.5, -1.0) + (plan == "b"))


def history_of(
    form: Form, n_outputs: int, *, n: int = 240, seed: int = 0, weight: Array | None = None
) -> History:
    """A history whose target can be learnt from its features."""
    table, rng = features(n, seed), np.random.default_rng(seed + 1)
    raw = score(table) + rng.normal(0, 0.5, n)
    if form == "values":
        return History(table, np.exp(raw / 2) * 100, form, 1, seed, weight)
    edges = np.quantile(raw, np.arange(1, n_outputs) / n_outputs)
    return History(table, np.searchsorted(edges, raw).astype(float), form, n_outputs, seed, weight)
