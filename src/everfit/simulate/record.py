"""The record of a simulated model: what was asked and what turned out, by window, in files.

It keeps the promise of the log (``store.log.Log.joined``) without a server: an outcome is seen from
the moment it was told, on the simulation's own clock, and not before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

ANSWERED = (
    "id", "at", "version", "arm", "key", "value", "probabilities", "low", "high", "warnings", "of",
    "outcome", "outcome_at", "lateness",
)  # fmt: skip

IN_MEMORY = 24  # newest stretches: a turn reads those that are over, and two label delays back


@dataclass(frozen=True, slots=True)
class Kept:
    """One file of answers: of which stretch, arm and version."""

    start: datetime
    end: datetime
    path: Path


class SimulatedRecord:
    """Answers with their outcomes, one file a stretch; see :class:`everfit.loop.gather.Record`."""

    def __init__(self, folder: Path, clock: Callable[[], datetime]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._clock = folder, clock
        self._kept: list[Kept] = []
        self._newest: dict[Path, pl.DataFrame] = {}
        self._span: tuple[datetime, datetime] | None = None

    def add(self, start: datetime, end: datetime, answers: pl.DataFrame) -> None:
        """Keep answers of one stretch, with the outcomes that will be told and when."""
        path = self._folder / f"{len(self._kept):06d}.arrow"
        answers.write_ipc(path, compression="lz4")
        self._kept.append(Kept(start, end, path))
        self._newest[path] = answers
        if len(self._newest) > IN_MEMORY:
            del self._newest[next(iter(self._newest))]
        if answers.height:
            first, last = answers["at"].min(), answers["at"].max()
            assert isinstance(first, datetime)
            assert isinstance(last, datetime)
            before = self._span or (first, last)
            self._span = min(before[0], first), max(before[1], last)

    def span(self, model: str) -> tuple[datetime, datetime] | None:
        """Times of the first and the newest prediction; None when there is none."""
        return self._span

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
        """Answers in the order in which they were given, with the outcomes told by now."""
        for kept in self._kept:
            if (since is not None and kept.end <= since) or (
                until is not None and kept.start >= until
            ):
                continue
            held = self._newest.get(kept.path)
            frame = pl.read_ipc(kept.path) if held is None else held
            wanted = [
                pl.col(name) == value
                for name, value in (("arm", arm), ("version", version))
                if value is not None
            ]
            if since is not None and since > kept.start:
                wanted.append(pl.col("at") >= since)
            if until is not None and until < kept.end:
                wanted.append(pl.col("at") < until)
            frame = self._told(frame.filter(*wanted) if wanted else frame)
            if columns is not None:
                frame = frame.select([name for name in columns if name in frame.columns])
            if frame.height:
                yield frame

    def _told(self, frame: pl.DataFrame) -> pl.DataFrame:
        """With the outcomes that were told by now; the others are not known yet."""
        told = pl.col("outcome_at") <= self._clock()
        return frame.with_columns(
            pl.when(told).then(pl.col("outcome")).alias("outcome"),
            pl.when(told).then(pl.col("outcome_at")).alias("outcome_at"),
            pl.when(told).then(pl.col("outcome_at") - pl.col("at")).alias("lateness"),
        )
