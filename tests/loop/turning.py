"""Rows of a world that turns: what a model has learnt of it grows stale."""

from __future__ import annotations

import numpy as np
import polars as pl

from everfit.data.table import Table
from everfit.loop.gather import Gathered
from everfit.loop.lineage import lineage_of
from everfit.records import Array, Source
from tests.loop.asked import BEGIN
from tests.loop.conftest import Scene

DAY_S = 86_400.0


def turning(scene: Scene, angle: Array) -> Gathered:
    """The columns of the champion, made up for 100 days; what matters turns by ``angle`` (n,)."""
    line = lineage_of(scene.store, scene.store.version("m", "v1"))
    rng = np.random.default_rng(0)
    n = len(angle)
    data: dict[str, object] = {}
    x = rng.normal(size=(n, 2))
    signal = np.cos(angle) * x[:, 0] + np.sin(angle) * x[:, 1]
    for number, column in enumerate(c for c in line.columns if c.role == "feature"):
        data[column.name] = x[:, number] if number < 2 else rng.normal(size=n)
    data[scene.target] = np.where(signal + rng.normal(0, 0.5, n) > 0, "benign", "malignant")
    frame = pl.DataFrame(data).select([column.name for column in line.columns])
    first = BEGIN.replace(tzinfo=None)
    days = pl.Series("at", [100 * i / n for i in range(n)])
    at = pl.select(pl.lit(first) + pl.duration(seconds=days * DAY_S)).to_series().alias("at")
    table = Table(frame, line.columns, Source("made up", "", n, frame.width))
    return Gathered(table, at.cast(pl.Datetime("us")))
