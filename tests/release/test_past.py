"""What a version that reads history is told of the rows that judge it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from everfit.data.read import read
from everfit.data.table import Table
from everfit.errors import ColumnMissing
from everfit.events import Reads
from everfit.records import Problem, SplitPolicy, Truth
from everfit.release.past import Rows, known_before, lists_before


def table() -> Table:
    days = pl.Series([4, 3, 2, 1, 0, 5]) * 86_400_000_000
    frame = pl.DataFrame(
        {
            "who": list("aaaaab"),
            "day": days.cast(pl.Datetime("us")),
            "size": [float(i) for i in range(6)],
        }
    )
    return read(frame, kinds={"who": "category", "size": "number"}, roles={"day": "time"})


def given(reads: Reads) -> list[list[float]]:
    """For the rows 0, 2 and 5, which are kept aside, the sizes of their events."""
    kept = np.array([True, False, True, False, False, True])
    truth = Truth(np.arange(6), np.zeros(6))
    rows = Rows(table(), truth, kept, SplitPolicy("random"))
    found = known_before(rows, reads, [table().column("size")], "values")
    return [[event.values["size"] for event in events] for events in found]


def test_with_a_time_all_that_is_earlier_is_known_as_it_would_be_in_use() -> None:
    assert given(Reads("who", 9, "day")) == [[4.0, 3.0, 2.0, 1.0], [4.0, 3.0], []]


def test_without_a_time_only_rows_of_the_training_are_known() -> None:
    assert given(Reads("who", 9)) == [[1.0, 3.0, 4.0], [1.0, 3.0, 4.0], []]


def test_data_without_the_key_cannot_judge_it() -> None:
    with pytest.raises(ColumnMissing, match="'whom'"):
        given(Reads("whom"))


def meetings() -> Rows:
    """Three users; the last two rows are kept aside; codes are those of items a, b and c."""
    frame = pl.DataFrame(
        {
            "user": ["u1", "u2", "u1", "u3", "u2", "u1"],
            "item": ["a", "b", "c", "a", None, "b"],
            "when": [0, 1, 2, 3, 4, 5],
        }
    )
    table = read(frame, roles={"user": "group", "item": "target", "when": "time"})
    truth = Truth(np.array([0, 1, 2, 3, 5]), np.array([0.0, 1.0, 2.0, 0.0, 1.0]))
    kept = np.array([False, False, False, False, True, True])
    return Rows(table, truth, kept, SplitPolicy("time", "when"))


class Told:
    """A version that writes down what it is told."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str, float]] = []

    def knowing(
        self, users: np.ndarray, items: list[str], at: np.ndarray, weight: np.ndarray | None = None
    ) -> Told:
        self.said = list(zip(users.tolist(), items, at.tolist(), strict=True))
        return self


LISTS = Problem("recommend", "item", "ndcg", "lists", ("a", "b", "c"), time="when", group="user")
DAY_S = 86_400.0


def test_a_version_of_lists_is_told_what_it_has_not_seen_and_nothing_that_was_kept_aside() -> None:
    seen = np.array([True, True, False, False, False, False])

    told = lists_before(Told(), meetings(), LISTS, seen)

    # small numbers are days
    assert told.said == [("u1", "c", 2 * DAY_S), ("u3", "a", 3 * DAY_S)]


def test_a_version_that_has_seen_it_all_is_told_nothing() -> None:
    seen = np.array([True] * 4 + [False] * 2)

    assert lists_before(Told(), meetings(), LISTS, seen).said == []
