"""What was known of a key before a row of it."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl
import pytest

from everfit.data.read import read
from everfit.data.table import Table
from everfit.data.timeline import Timeline, marks
from everfit.errors import ColumnMissing
from everfit.events import Reads
from everfit.records import Array, SplitPolicy

RANDOM = SplitPolicy("random")


def rows(n: int, seed: int = 0) -> Table:
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame(
        {
            "who": [f"k{i}" for i in rng.integers(0, 12, n)],
            "day": pl.Series(rng.integers(0, 40, n) * 86_400_000_000).cast(pl.Datetime("us")),
            "size": rng.normal(size=n),
        }
    )
    return read(frame, kinds={"who": "identifier"}, roles={"day": "time"})


def timeline(table: Table, reads: Reads, split: SplitPolicy = RANDOM) -> Timeline:
    marked, timed = marks(table, reads, split)
    return Timeline(marked, table, np.arange(table.n_rows, dtype=float), True, timed)


@pytest.mark.parametrize("seed", range(5))
def test_an_event_is_of_the_same_key_seen_and_earlier_than_the_row(seed: int) -> None:
    table = rows(300, seed)
    rng = np.random.default_rng(seed)
    seen = np.sort(rng.choice(300, 200, replace=False))
    asked = np.arange(300)
    who, day = table.frame["who"].to_list(), table.frame["day"].to_list()

    found = timeline(table, Reads("who", 5, "day")).before(asked, seen=seen, n=5)

    given = 0
    for row, events in zip(asked.tolist(), found, strict=True):
        # the outcome of an event is the number of its row
        may = [r for r in seen.tolist() if who[r] == who[row] and day[r] < day[row]]
        expected = sorted(may, key=lambda r: (day[r], r))[-5:]
        assert [event.outcome for event in events] == expected
        assert all(event.at is not None and event.at < day[row] for event in events)
        given += len(events)
    assert given > 300  # the test would say nothing of empty histories


def test_without_a_time_a_row_knows_the_others_and_never_itself() -> None:
    table = rows(60)
    seen = np.arange(60)

    found = timeline(table, Reads("who", 100)).before(seen, seen=seen, n=100)

    who = table.frame["who"].to_list()
    for row, events in enumerate(found):
        others = [r for r in range(60) if who[r] == who[row] and r != row]
        assert [event.outcome for event in events] == others


def test_rows_without_a_time_or_a_key_get_no_history_and_are_no_event() -> None:
    frame = pl.DataFrame(
        {
            "who": ["a", "a", None, "a", "a"],
            "day": [datetime(2026, 1, 1), None, datetime(2026, 1, 1), datetime(2026, 1, 2), None],
            "size": [1.0, 2.0, 3.0, 4.0, 5.0],
        }
    )
    table = read(frame, kinds={"who": "identifier", "day": "date"})
    every: Array = np.arange(5)

    found = timeline(table, Reads("who", 5, "day")).before(every, seen=every, n=5)

    assert [[event.outcome for event in events] for events in found] == [[], [], [], [0], []]


def test_rows_in_order_of_time_without_a_column_are_earlier_when_they_stand_before() -> None:
    table = rows(50)
    every = np.arange(50)
    in_order = SplitPolicy("time", None)

    found = timeline(table, Reads("who", 50), in_order).before(every, seen=every, n=50)

    who = table.frame["who"].to_list()
    assert [[e.outcome for e in events] for events in found] == [
        [r for r in range(row) if who[r] == who[row]] for row in range(50)
    ]


def test_an_unknown_key_column_is_told_with_near_names() -> None:
    with pytest.raises(ColumnMissing, match="'whom' is not in") as caught:
        marks(rows(10), Reads("whom"), RANDOM)

    assert "did you mean 'who'" in caught.value.do
