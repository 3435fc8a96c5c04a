"""Registered sources of events: files or tables, read once, looked up by key, read again later."""

from __future__ import annotations

import glob
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from everfit.errors import ColumnMissing, DataError, EverfitError
from everfit.events import key_text, moment

if TYPE_CHECKING:
    import polars as pl

    from everfit.data.table import Table
    from everfit.records import Kind, Version

DATABASE_S = 60.0  # between two readings of a database, when nothing else is said
LOOK_S = 0.2  # between two looks at files
AGAIN_S = 2.0  # after a first reading that failed
Plain = list[Any]  # [at, values, outcome]


@dataclass(frozen=True, slots=True)
class Registered:
    """A source of a model's events, as ``everfit.toml`` names it.

    ``key`` and ``time`` are columns; ``outcome`` is the column of what turned out true, by default
    the one that is called as the target. ``reread_s`` is None for files: they are read again when
    they change.
    """

    name: str
    source: str
    key: str
    time: str
    outcome: str | None = None
    query: str | None = None
    reread_s: float | None = None


class Source:
    """One source in memory: its rows by key and time."""

    def __init__(self, registered: Registered) -> None:
        self.registered = registered
        self._frame: pl.DataFrame | None = None
        self._places: dict[str, tuple[int, int]] = {}
        self._state: Any = None
        self._looked = self._read_at = float("-inf")
        self._reading = threading.Lock()
        self._trouble: EverfitError | None = None
        self._target = ""

    def events(self, key: str, until: datetime, n: int, target: str) -> list[Plain]:
        """The last ``n`` events of a key before a time, naive UTC, oldest first.

        Raises
        ------
        EverfitError : it was never read, and cannot be
        """
        self._target = target
        frame, places = self._ready()
        start, size = places.get(key, (0, 0))
        rows = frame[start : start + size]
        end = rows[self.registered.time].search_sorted(until, side="left")
        return [self._event(row, target) for row in rows[max(0, end - n) : end].rows(named=True)]

    def of_requests(self, rows: pl.DataFrame, target: str) -> pl.DataFrame:
        """What the source says of requests: its row of each that it has, with the ``key``.

        A request that tells its own time is the event of its key at that time. One that does not is
        about its key: the source speaks of it when it holds one row of that key, written before the
        request. Anything else may be another event, and says nothing about how features were made.

        Parameters
        ----------
        rows : of the log: ``key``, ``at`` and features

        Raises
        ------
        EverfitError : it was never read, and cannot be
        """
        import polars as pl

        from everfit.watch.reference import feature

        self._target = target
        frame, places = self._ready()
        times = frame[self.registered.time]
        asked = rows["at"].dt.replace_time_zone(None)
        own = feature(rows, self.registered.time)
        keys, found = [], []
        for number, key in enumerate(rows["key"].cast(pl.String)):
            start, size = places.get(key, (0, 0))
            told = None if own is None else moment(own[number])
            first = times[start : start + size].search_sorted(told or asked[number], "left")
            last = times[start : start + size].search_sorted(told or asked[number], "right")
            low, high = (first, last) if told else (0, last)
            if high - low == 1:
                keys.append(key)
                found.append(start + low)
        there = frame[found].drop({"key", self.registered.key} & set(frame.columns))
        return there.with_columns(pl.Series("key", keys, dtype=pl.String))

    @property
    def trouble(self) -> EverfitError | None:
        """Why the last reading failed; what was read before is used."""
        return self._trouble

    def _event(self, row: Mapping[str, Any], target: str) -> Plain:
        from everfit.data.timeline import plain_value

        values = {name: plain_value(value) for name, value in row.items()}
        outcome = values.pop(self.registered.outcome or target, None)
        return [row[self.registered.time].isoformat(), values, outcome]

    def _ready(self) -> tuple[pl.DataFrame, dict[str, tuple[int, int]]]:
        if self._frame is None:
            with self._reading:
                if self._frame is None:
                    self._first_read()
        elif self._is_stale() and self._reading.acquire(blocking=False):
            # who asks does not wait: what was read before answers until the new is there
            threading.Thread(target=self._read_again, name="source", daemon=True).start()
        assert self._frame is not None
        return self._frame, self._places

    def _is_stale(self) -> bool:
        now = time.monotonic()
        if now - self._looked < LOOK_S:
            return False
        self._looked = now
        reread_s = self.registered.reread_s
        if reread_s is None and "://" in self.registered.source:
            reread_s = DATABASE_S
        if reread_s is not None and now - self._read_at > reread_s:
            return True
        return bool(self._stamp() != self._state)

    def _stamp(self) -> Any:
        """What changes when files do; always the same for a database."""
        place = self.registered.source
        if "://" in place:
            return None
        found = sorted(glob.glob(place, recursive=True)) or [place]
        try:
            stats = [(path, Path(path).stat()) for path in found]
        except OSError:
            return found
        return [(path, stat.st_mtime_ns, stat.st_size) for path, stat in stats]

    def _first_read(self) -> None:
        if self._trouble is not None and time.monotonic() - self._read_at < AGAIN_S:
            raise self._trouble
        try:
            self._read()
        except EverfitError as error:
            self._trouble = error
            raise

    def _read_again(self) -> None:
        try:
            self._read()
        except EverfitError as error:
            self._trouble = error
        finally:
            self._reading.release()

    def _read(self) -> None:
        one = self.registered
        self._state, self._read_at = self._stamp(), time.monotonic()
        table = self._table()
        for name in filter(None, (one.time, one.outcome)):
            table.column(name)
        frame = table.frame.with_columns(_times(table.frame[one.time], one))
        self._frame, self._places = _by_key(frame, one)
        self._trouble = None

    def _table(self) -> Table:
        from everfit.data.read import read

        one, role = self.registered, self.registered.outcome or self._target
        kinds: dict[str, Kind] = {one.key: "identifier"}
        try:
            # as a target, yes and no stay the labels that they are
            return read(one.source, query=one.query, kinds=kinds, roles={role: "target"})
        except ColumnMissing:
            return read(one.source, query=one.query, kinds=kinds)  # events without outcomes


def _times(values: pl.Series, one: Registered) -> pl.Series:
    """The time of each row as naive UTC."""
    import polars as pl

    if values.dtype.is_temporal():
        return values.cast(pl.Datetime("us"))
    # dates of several ways of writing, or only one, are read as text
    found = [moment(value) for value in values]
    for value, at in zip(values, found, strict=True):
        if at is None and value is not None:
            raise DataError(
                f"the time of the source {one.name!r} is no date",
                got=f"{one.time}: {value!r}",
                expected="dates, or dates with times, such as 2026-05-01T12:00:00",
                do=f"name another column as time of [models.*.sources.{one.name}]",
            )
    return pl.Series(values.name, found, dtype=pl.Datetime("us"))


def _by_key(frame: pl.DataFrame, one: Registered) -> tuple[pl.DataFrame, dict[str, Any]]:
    frame = frame.drop_nulls([one.key, one.time]).sort(one.key, one.time, maintain_order=True)
    sizes = frame.group_by(one.key, maintain_order=True).len()
    places, start = {}, 0
    for key, size in sizes.rows():
        places[str(key_text(key))] = (start, size)
        start += size
    return frame, places


class Sources:
    """All registered sources, by model."""

    def __init__(self, some: Mapping[str, Sequence[Registered]] | None = None) -> None:
        self._all = {model: [Source(one) for one in each] for model, each in (some or {}).items()}

    def of(self, model: str) -> Sequence[Source]:
        """The sources of a model."""
        return self._all.get(model, ())

    def lookup_of(self, version: Version) -> Callable[[pl.DataFrame], pl.DataFrame] | None:
        """What the sources of a version's model say of requests; None where it has none.

        Of several sources the first that has any of them.
        """
        sources, target = self.of(version.model), version.problem.target

        def lookup(rows: pl.DataFrame) -> pl.DataFrame:
            found = sources[0].of_requests(rows, target)
            for other in sources[1:]:
                found = found if found.height else other.of_requests(rows, target)
            return found

        return lookup if sources else None


def registered(models: Mapping[str, Mapping[str, Any]]) -> Sources:
    """The sources that the ``[models]`` of the settings name."""
    return Sources(
        {
            model: [Registered(name, **one) for name, one in section.get("sources", {}).items()]
            for model, section in models.items()
        }
    )
