"""The rows of a table by key and time: what was known of a key when a row of it was asked."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from math import isfinite, isnan
from typing import Any

import numpy as np
import polars as pl

from everfit.data.table import Table
from everfit.events import Event, Reads, key_text
from everfit.records import Array, SplitPolicy

KEY, RANK, AT = "key", "rank", "at"


def marks(table: Table, reads: Reads, split: SplitPolicy) -> tuple[pl.DataFrame, bool]:
    """Columns ``key``, ``rank`` and ``at`` of each row; and whether a time is known at all.

    The time is what the rows are split by, else the column that ``reads`` names. ``key`` and
    ``rank`` are null where a row has none.

    Raises
    ------
    ColumnMissing : the table has no such column
    """
    forward = split.kind == "time"
    time = split.column if forward else reads.time
    table.column(reads.key)
    n, texts = table.n_rows, [key_text(value) for value in table.frame[reads.key]]
    key = pl.Series(KEY, texts, dtype=pl.String)
    nowhen = pl.Series(AT, [None] * n, dtype=pl.Datetime("us"))
    if time is None:
        ranks = pl.Series(RANK, range(n) if forward else [0] * n, dtype=pl.Int64)
        return pl.DataFrame([key, ranks, nowhen]), forward
    table.column(time)
    values = table.frame[time]
    if values.dtype.is_float():
        values = values.fill_nan(None)
    dated = isinstance(values.dtype, (pl.Datetime, pl.Date))
    when = values.cast(pl.Datetime("us")).alias(AT) if dated else nowhen
    return pl.DataFrame([key, values.rank("dense").cast(pl.Int64).alias(RANK), when]), True


@dataclass(frozen=True, slots=True)
class Timeline:
    """Rows with their keys, times and outcomes.

    ``marks`` are those of :func:`marks`, ``values`` the columns of the events, ``outcomes`` (n,)
    class codes or numbers, NaN where not known; ``timed`` is False when no time is known at all.
    """

    marks: pl.DataFrame
    values: Table
    outcomes: Array
    codes: bool
    timed: bool

    def before(self, asked: Array, *, seen: Array, n: int) -> list[list[Event]]:
        """For each row of ``asked`` the last ``n`` events of its key among the rows ``seen``.

        With a time only what is earlier than the row counts, and nothing for a row without one;
        rows of the same time do not know each other. A row is never an event of itself.
        """
        keys = self.marks[KEY].to_list()
        ranks = self.marks[RANK].to_list()
        by_key: dict[str, list[tuple[int, int]]] = {}
        for row in seen.tolist():
            if keys[row] is not None and ranks[row] is not None and not isnan(self.outcomes[row]):
                by_key.setdefault(keys[row], []).append((ranks[row], row))
        for rows in by_key.values():
            rows.sort()
        chosen = [self._of(by_key.get(keys[row], []), row, ranks[row], n) for row in asked.tolist()]
        events = self._events({row for rows in chosen for row in rows})
        return [[events[row] for row in rows] for rows in chosen]

    def _of(self, rows: list[tuple[int, int]], asked: int, rank: int | None, n: int) -> list[int]:
        if not self.timed:
            # one more than asked for, since the row itself may be among them
            return [row for _, row in rows[-n - 1 :] if row != asked][-n:] if n else []
        if rank is None:
            return []
        end = bisect_left(rows, (rank, -1))
        return [row for _, row in rows[max(0, end - n) : end]]

    def _events(self, rows: set[int]) -> dict[int, Event]:
        order = np.array(sorted(rows), dtype=np.int64)
        when = self.marks[AT][order].to_list()
        told = self.values.frame[order].rows(named=True)
        made = {}
        for row, at, values in zip(order.tolist(), when, told, strict=True):
            outcome = float(self.outcomes[row])
            plain = {name: plain_value(value) for name, value in values.items()}
            made[row] = Event(at, plain, int(outcome) if self.codes else outcome)
        return made


def plain_value(value: Any) -> Any:
    """A value of a table as an event holds it.

    Examples
    --------
    >>> from datetime import datetime
    >>> plain_value(datetime(2026, 5, 1)), plain_value(float("nan")), plain_value(True)
    ('2026-05-01T00:00:00', None, True)
    """
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, (int, float)):
        return float(value) if isfinite(value) else None
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
