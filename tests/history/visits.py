"""Visits of customers who come more or less often; and the example of docs/history.md."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import polars as pl

from tests.real import ROOT

N_CUSTOMERS = 40


def visits(n: int = 700, seed: int = 0) -> pl.DataFrame:
    """Rows an hour apart, oldest first; whether one came is mostly the customer's own habit."""
    rng = np.random.default_rng(seed)
    who, size = rng.integers(0, N_CUSTOMERS, n), rng.normal(size=n)
    bent = rng.normal(0.0, 2.5, N_CUSTOMERS)
    came = rng.random(n) < 1 / (1 + np.exp(-(bent[who] + 0.7 * size)))
    hours = pl.datetime_range(
        pl.datetime(2026, 1, 1), pl.datetime(2026, 1, 1) + pl.duration(hours=n - 1), "1h"
    )
    days = pl.select(hours.alias("day"))["day"]
    return pl.DataFrame(
        {
            "customer": [f"c{number:02d}" for number in who],
            "day": days.cast(pl.Datetime("us")),
            "size": size,
            "plan": rng.choice(["pro", "trial"], n),
            "came": np.where(came, "yes", "no"),
        }
    )


def example(folder: Path) -> str:
    """The class of docs/history.md as a file; how a user names it."""
    page = (ROOT / "docs" / "history.md").read_text()
    found = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert found is not None
    (folder / "recent.py").write_text(found[1])
    return f"{folder / 'recent.py'}:Recent"
