"""The history of rows for a version that reads it: from the store's log, sources, or the caller."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from everfit.errors import ModelUnknown, UsageError
from everfit.events import Event, Past, Reads, key_text, moment
from everfit.house import House
from everfit.live.recall import Question, recall
from everfit.live.sources import Sources, registered
from everfit.records import Column, Version
from everfit.serve import Scorer
from everfit.settings import Settings

if TYPE_CHECKING:
    from everfit.data.table import Table
    from everfit.store.log import Log

KEY = "_key"


class Remembering:
    """Looks up what is known of rows; ``keyless`` counts those that had no key."""

    def __init__(self, version: Version, scorer: Scorer, sources: Sources, log: Log | None) -> None:
        self._version, self._scorer = version, scorer
        self._sources, self._log = sources, log
        self.keyless = 0

    def of_rows(self, rows: Sequence[Mapping[str, Any]]) -> Past | None:
        """The events before each row, given as dicts; None for a version that reads none."""
        reads = self._scorer.reads
        if reads is None:
            return None
        keys = [key_text(row.get(KEY, row.get(reads.key))) for row in rows]
        return self._of(keys, [row.get(reads.time or "") for row in rows], reads)

    def of_table(self, table: Table) -> Past | None:
        """The events before each row of a table that was read with :func:`with_key`."""
        reads = self._scorer.reads
        if reads is None:
            return None
        keys = [key_text(value) for value in table.frame[reads.key]]
        times = [None] * table.n_rows if reads.time is None else table.frame[reads.time].to_list()
        return self._of(keys, times, reads)

    def warnings(self) -> list[str]:
        """What was odd, in words."""
        reads = self._scorer.reads
        if reads is None or not self.keyless:
            return []
        return [f"history: {self.keyless} rows have no {reads.key}, their answers are without it"]

    def _of(self, keys: Sequence[str | None], times: Sequence[Any], reads: Reads) -> Past:
        self.keyless += sum(key is None for key in keys)
        when = [None if (at := moment(time)) is None else at.isoformat() for time in times]
        asks = [(key, at) for key, at in zip(keys, when, strict=True) if key is not None]
        once = list(dict.fromkeys(asks))
        target = self._version.problem.target
        question = Question(self._version.model, once, reads.events, reads.time, target)
        found = recall(question, self._log, self._sources, strict=True).events
        known = {ask: self._scorer.events(plain) for ask, plain in zip(once, found, strict=True)}
        return [[] if key is None else known[key, at] for key, at in zip(keys, when, strict=True)]


@contextmanager
def remembering(
    house: House, version: Version, scorer: Scorer, settings: Settings
) -> Iterator[Remembering]:
    """What looks up the history of rows, while the log is open; a store may have none.

    Raises
    ------
    StoreFailed, Unreachable : the log cannot be read
    """
    log = None
    if scorer.reads is not None:
        from everfit.store.log import Log  # SQLAlchemy, and few versions read history

        try:
            log = Log.open(house.place, root=house.root, create=False)
        except ModelUnknown:
            log = None  # nothing was ever served from this store
    try:
        yield Remembering(version, scorer, registered(settings.models), log)
    finally:
        if log is not None:
            log.close()


def with_key(scorer: Scorer) -> list[Column]:
    """The columns to read for a version: its own, and those that its history is found by."""
    known = {column.name: column for column in scorer.columns}
    if (reads := scorer.reads) is not None:
        known.setdefault(reads.key, Column(reads.key, "identifier", "ignore"))
        if reads.time is not None:
            known.setdefault(reads.time, Column(reads.time, "date", "time"))
    return list(known.values())


def given_past(scorer: Scorer, history: Sequence[Any], n_rows: int) -> list[list[Event]]:
    """A history that the caller gives: for each row events, or ``(at, values, outcome)`` each.

    Raises
    ------
    UsageError : the version reads none, or it is not of this shape
    """
    if scorer.reads is None:
        raise UsageError(
            "this version reads no history",
            got=f"a history of {len(history)} rows",
            expected="no history",
            do="leave it out",
        )
    try:
        past = [scorer.events([tuple(event) for event in events]) for events in history]
    except (TypeError, ValueError, AttributeError) as error:
        raise _no_history(f"{type(error).__name__}: {error}") from error
    if len(past) != n_rows:
        raise _no_history(f"{len(past)} histories for {n_rows} rows")
    return past


def _no_history(got: str) -> UsageError:
    return UsageError(
        "the history cannot be used",
        got=got,
        expected="for each row a list of events, (at, values, outcome) each",
        do='history=[[("2026-05-01", {"paid": 12.0}, "yes")], []] for two rows',
    )
