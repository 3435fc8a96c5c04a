"""The log of predictions and outcomes: opened, drained, read, sealed, and made to forget."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import select

from everfit.store.log import read, repeat, tables
from everfit.store.log.forget import blank, forget, retain
from everfit.store.log.ingest import Intake, key_text
from everfit.store.log.lived import Lived, lived
from everfit.store.log.met import log_name
from everfit.store.log.place import Place, last_number, now_us, open_place, some, within
from everfit.store.log.repeat import Repeatable
from everfit.store.log.sealed.archive import Archive
from everfit.store.log.sealed.pack import DAY_US, day_us, seal
from everfit.store.log.settle import settle
from everfit.store.log.spool import behind, segments, writer_lives
from everfit.store.log.tally import extent, tally

if TYPE_CHECKING:
    import polars as pl

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Drained:
    """What one call of :meth:`Log.drain` did.

    ``behind_bytes`` is what the spools still hold; ``damaged`` are the files in which bytes that
    are no frames, or frames that could not be understood, were kept aside. ``whole`` is false when
    the time ended before all was taken that was there at the beginning.
    """

    predictions: int
    outcomes: int
    segments_removed: int
    behind_bytes: int
    damaged: tuple[Path, ...]
    wait_s: float
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What :meth:`Log.forget` removed, and how many damaged pieces nobody can search."""

    model: str
    predictions: int
    outcomes: int
    files_rewritten: int
    damaged_files: int


class Log:
    """Predictions and outcomes, in SQLite or PostgreSQL, with sealed days in Parquet.

    Made by :meth:`open`; ``place`` is where it lives.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self._archive = Archive(place)
        self._left: dict[Path, int] = {}

    @classmethod
    def open(
        cls,
        place: Path | str,
        *,
        root: Path | None = None,
        create: bool = True,
        clock: Callable[[], int] = now_us,
    ) -> Log:
        """Open the log of a store.

        Parameters
        ----------
        place : the store's folder (then the log is ``log/log.db`` in it), or a database URL
        root : the store's folder when ``place`` is a URL: sealed files and damaged pieces go to
            ``log`` in it; machines that share a database must share it too
        clock : microseconds since 1970 UTC

        Raises
        ------
        ModelUnknown : ``create`` is False and there is no log
        SettingsError : the URL cannot be used
        Refused : written by a newer Everfit
        StoreFailed, StoreBusy, Unreachable : it cannot be read or written
        """
        return cls(open_place(place, root=root, create=create, clock=clock))

    def close(self) -> None:
        """Close what is open."""
        self.place.database.close()

    def drain(self, spools: Path, *, most_s: float = 1.0) -> Drained:
        """Take what the spools in a folder hold into the database, each frame once.

        Parameters
        ----------
        spools : a folder of segments, or of folders of segments
        most_s : no transaction is begun later; the next call goes on

        Raises
        ------
        StoreFailed, StoreBusy, Unreachable : nothing is lost, the next call catches up
        """
        started = time.monotonic()

        def go() -> bool:
            return time.monotonic() - started < most_s

        if self._nothing_new(spools):
            return Drained(0, 0, 0, 0, (), time.monotonic() - started)
        intake = Intake(self.place, spools, go)
        with self.place.turn():
            whole = self._drain(intake, go)
            behind = intake.behind_bytes()
        return Drained(
            intake.predictions,
            intake.outcomes,
            intake.removed,
            behind,
            tuple(intake.damaged),
            time.monotonic() - started,
            whole,
        )

    def _nothing_new(self, spools: Path) -> bool:
        """Whether all segments are as the last complete drain left them: that is most looks."""
        try:
            return (
                bool(self._left)
                and self._left.keys() == set(segments(spools))
                and not any(behind(path, end) for path, end in self._left.items())
                and all(map(writer_lives, self._left))
            )
        except FileNotFoundError:
            return False

    def _drain(self, intake: Intake, go: Callable[[], bool]) -> bool:
        """Whether all was taken that was there at the beginning."""
        self._left = {}
        if not intake.take():
            return False
        told, mark = intake.outcomes, None
        if told:
            # a prediction is acknowledged before its outcome: after one more look it is in
            with self.place.database.read() as connection:
                mark = last_number(connection)
            if not intake.take():
                return True
        settle(self.place, self._archive, mark, go)
        if go() and intake.outcomes == told:
            self._left = intake.ends()
        return True

    def outcomes_state(self, receipts: Sequence[str]) -> dict[str, str]:
        """What became of outcomes: counted, repeated, replaced, unknown or waiting.

        A receipt that was not drained yet, or was sealed, is left out. *replaced* is an outcome
        that differs from one told before: both are kept, the one with the latest time counts.
        """
        table = tables.outcome
        query = select(table.c.receipt, table.c.state).where(table.c.receipt.in_(some()))
        with self.place.database.read() as connection:
            rows = list(within(connection, query, receipts))
        return {row.receipt: tables.STATES[row.state] for row in rows}

    def predictions(
        self,
        model: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        columns: Sequence[str] | None = None,
        arm: str | None = None,
        version: int | None = None,
    ) -> Iterator[pl.DataFrame]:
        """Predictions in the order in which they were drained, in batches.

        Parameters
        ----------
        since, until : of the server's clock at the prediction; ``until`` is not included
        columns : those to read, of the log (id, at, version, arm, key, value, probabilities, low,
            high, warnings, of) and of the features; None: all. One that is nowhere is all missing.
        arm : None: all of them, shadows too
        """
        wanted = read.Wanted(model, _us(since), _us(until), arm, version, columns)
        return read.ahead(read.predictions(self.place, wanted))

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
        """As :meth:`predictions`, with the outcome that counts where there is one.

        Adds ``outcome``, ``outcome_at`` and ``lateness`` (a duration).
        """
        wanted = read.Wanted(model, _us(since), _us(until), arm, version, columns)
        return read.ahead(read.joined(self.place, wanted))

    def history(self, model: str, key: str, n: int) -> pl.DataFrame:
        """The last ``n`` predictions of a key, oldest first, with their outcomes.

        Columns as :meth:`joined` gives them; shadows are left out.
        """
        return read.last_of(self.place, self._archive, model, key_text(key), n)

    def lived(self, model: str, keys: Sequence[str], n: int) -> list[list[Lived]]:
        """For each key its last ``n`` predictions whose outcomes are known, oldest first."""
        texts = [key_text(key) for key in keys]
        found = lived(self.place, self._archive, model, list(dict.fromkeys(texts)), n)
        return [found[text] for text in texts]

    def count(
        self,
        model: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        arm: str | None = None,
        version: int | None = None,
    ) -> int:
        """How many predictions there are; arguments as for :meth:`predictions`."""
        wanted = read.Wanted(model, _us(since), _us(until), arm, version)
        return sum(tally(self.place, wanted).values())

    def arms(
        self, model: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> dict[str, int]:
        """How many predictions there are of each arm that has any."""
        return tally(self.place, read.Wanted(model, _us(since), _us(until)))

    def span(self, model: str) -> tuple[datetime, datetime] | None:
        """When the first and the newest prediction were made, shadows too; None: there is none.

        What was removed with its day or its key counts no more.
        """
        found = extent(self.place, model)
        if found is None:
            return None
        first, newest = (EPOCH + timedelta(microseconds=at_us) for at_us in found)
        return first, newest

    def requests(self, model: str, *, after: int, most: int) -> Sequence[Repeatable]:
        """Requests to answer again in the shadow: see :mod:`everfit.store.log.repeat`."""
        return repeat.requests(self.place, model, after=after, most=most)

    def newest(self) -> int:
        """The number of the newest row of the log."""
        return repeat.newest(self.place)

    def shadowed(self, model: str, version: int) -> int:
        """The number of the newest request that ``version`` repeated in the shadow; 0 if none."""
        return repeat.shadowed(self.place, model, version)

    def seal(self, *, before: date | None = None) -> list[Path]:
        """Move whole days into Parquet files, and as much of a busy day as fills files.

        Parameters
        ----------
        before : the first day, in UTC, that is not over; None: today

        Returns
        -------
        list of Path : the files that were made

        Raises
        ------
        StoreFailed, StoreBusy, Unreachable : rows stay where they were
        """
        if before is None:
            before = datetime.fromtimestamp(self.place.clock() / 1e6, UTC).date()
        return seal(self.place, before)

    def forget(self, model: str, key: str, *, by: str, spools: Path | None = None) -> Forgotten:
        """Remove all rows of a key; a marker stays that holds a salted hash of it.

        Interactions of a user of that name go with them, and count as predictions.

        Parameters
        ----------
        by : who asked for it
        spools : drained first, and what was drained is blanked in segments under way

        Raises
        ------
        StoreFailed, StoreBusy, Unreachable : call it again, it goes on where it was
        """
        with self.place.turn():
            if spools is not None:
                intake = Intake(self.place, spools, lambda: True)
                self._drain(intake, lambda: True)
                blank(spools, intake.positions)
            gone = forget(self.place, model, key, by)
            if self._has(log_name(model)):
                met = forget(self.place, log_name(model), key, by)
                gone.predictions += met.predictions
                gone.files += met.files
        aside = len([*(self.place.files / "damaged").glob("*.bytes")])
        return Forgotten(model, gone.predictions, gone.outcomes, gone.files, aside)

    def _has(self, name: str) -> bool:
        """Whether anything was ever logged under a name."""
        with self.place.database.read() as connection:
            return bool(self.place.number(connection, name))

    def retain(self, days: int) -> int:
        """Remove what is older than ``days`` whole days; how many rows went.

        A sealed file goes when its latest row is too old.
        """
        today = datetime.fromtimestamp(self.place.clock() / 1e6, UTC).date()
        with self.place.turn():
            return retain(self.place, day_us(today) - days * DAY_US)


def _us(at: datetime | None) -> int | None:
    if at is None:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    since = at - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
