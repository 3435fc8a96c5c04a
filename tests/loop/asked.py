"""Rows as the log of predictions gives them, without a server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import polars as pl

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


class Asked:
    """A record in memory; ``reads`` counts the columns that were asked for."""

    def __init__(self, frame: pl.DataFrame, *, batch: int = 1_000) -> None:
        self.frame, self.batch = frame, batch
        self.reads: list[tuple[str, ...]] = []

    def joined(
        self,
        model: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        columns: Sequence[str] | None = None,
        arm: str | None = None,
        version: int | None = None,
    ) -> Iterator[pl.DataFrame]:
        self.reads.append(tuple(columns or ()))
        found = self.frame
        if since is not None:
            found = found.filter(pl.col("at") >= since)
        if until is not None:
            found = found.filter(pl.col("at") < until)
        if columns is not None:
            found = found.select(
                pl.col(name) if name in found.columns else pl.lit(None).alias(name)
                for name in columns
            )
        yield from found.iter_slices(self.batch)


def asked(
    rows: pl.DataFrame,
    target: str | None,
    *,
    begin: datetime = BEGIN,
    every: timedelta = timedelta(minutes=1),
    arm: str | Sequence[str] = "champion",
    version: int = 1,
) -> pl.DataFrame:
    """``rows`` as asked one after the other; their ``target`` is the outcome, None: none came."""
    n = rows.height
    times = pl.Series("at", [begin + i * every for i in range(n)], dtype=pl.Datetime("us", "UTC"))
    arms = [arm] * n if isinstance(arm, str) else list(arm)
    told = pl.Series("outcome", [None] * n, dtype=pl.String) if target is None else rows[target]
    return rows.drop(target or []).with_columns(
        pl.Series("id", [f"p{i}" for i in range(n)], dtype=pl.String),
        times,
        pl.Series("arm", arms, dtype=pl.String),
        pl.Series("version", [version] * n, dtype=pl.Int32),
        told.alias("outcome"),
    )
