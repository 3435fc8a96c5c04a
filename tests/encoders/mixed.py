"""Tables with a column of every kind, with all that real columns do to a plan."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from everfit.data.table import Table
from everfit.records import Array, Column, Source

WORDS = ("free", "prize", "call", "now", "meet", "lunch", "home", "later", "WIN", "ok")
COLUMNS = (
    Column("size", "number"),
    Column("income", "number"),
    Column("rooms", "number"),
    Column("paid", "boolean", levels=("no", "yes")),
    Column("town", "category"),
    Column("plan", "category"),
    Column("grade", "ordered", levels=("low", "mid", "high")),
    Column("since", "date"),
    Column("note", "text"),
    Column("key", "identifier"),
    Column("same", "constant"),
)


def mixed_rows(n: int, seed: int = 0) -> list[dict[str, Any]]:
    """Rows as dicts; some values are missing, some levels are rare."""
    rng = np.random.default_rng(seed)
    first = datetime(2021, 3, 1)

    def maybe(value: Any, share: float = 0.1) -> Any:
        return None if rng.random() < share else value

    return [
        {
            "size": maybe(float(rng.standard_normal())),
            "income": maybe(float(np.exp(2.0 * rng.standard_normal()))),
            "rooms": maybe(int(rng.integers(1, 9))),
            "paid": maybe(bool(rng.random() < 0.4)),
            "town": maybe(f"t{int(rng.exponential(6.0))}"),
            "plan": str(rng.choice(["basic", "plus", "pro"])),
            "grade": maybe(str(rng.choice(["low", "mid", "high"]))),
            "since": maybe(first + timedelta(minutes=int(rng.integers(0, 900_000)))),
            "note": maybe(" ".join(rng.choice(WORDS, int(rng.integers(0, 8)))) or "none at all"),
            "key": f"k{i}",
            "same": "x",
        }
        for i, _ in enumerate(range(n))
    ]


def as_table(rows: list[dict[str, Any]], columns: tuple[Column, ...] = COLUMNS) -> Table:
    """Rows as a typed table; a column that no row has is left out."""
    types = {"number": pl.Float64, "boolean": pl.Boolean, "date": pl.Datetime("us")}
    kept = [c for c in columns if any(c.name in row for row in rows)]
    frame = pl.DataFrame(
        {
            c.name: pl.Series([r.get(c.name) for r in rows], dtype=types.get(c.kind, pl.String))
            for c in kept
        }
    )
    return Table(frame, tuple(kept), Source("mixed", "", len(rows), len(kept)))


def target_of(rows: list[dict[str, Any]], seed: int = 1) -> Array:
    """A class that depends on size, plan and town."""
    rng = np.random.default_rng(seed)
    score = [
        (r["size"] or 0.0) + (r["plan"] == "pro") + 0.5 * ((r["town"] or "") in ("t1", "t2"))
        for r in rows
    ]
    return (np.array(score) + rng.standard_normal(len(rows)) > 0.5).astype(float)
