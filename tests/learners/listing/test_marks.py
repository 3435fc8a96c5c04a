"""What is written about items, as marks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import polars as pl

from everfit.data.table import Table
from everfit.learners.listing.marks import marks_of
from everfit.records import Column, Source


def items(kind: Any, values: list[Any], role: Any = "feature") -> Table:
    frame = pl.DataFrame({"it": values})
    return Table(frame, (Column("it", kind, role),), Source("test", "", len(values), 1))


def test_texts_give_words_and_categories_their_value_too() -> None:
    assert marks_of(items("text", ["Das Boot", None, ""])) == [["das", "boot"], [], []]
    assert marks_of(items("category", ["War", "War Drama"])) == [
        ["it=War"],
        ["it=War Drama", "war", "drama"],
    ]
    assert marks_of(items("boolean", [True, None])) == [["it=true"], []]


def test_numbers_near_each_other_share_a_mark() -> None:
    marks = marks_of(items("number", [float(i) for i in range(100)]))

    assert set(marks[3]) == set(marks[4])
    assert set(marks[5]) & set(marks[15])
    assert not set(marks[5]) & set(marks[60])


def test_dates_are_numbers_and_missing_values_have_no_mark() -> None:
    marks = marks_of(items("date", [datetime(2020, 1, 1), None, datetime(2024, 1, 1)]))

    assert marks[1] == []
    assert marks[0] != marks[2]


def test_what_names_an_item_or_is_the_same_for_all_tells_nothing() -> None:
    assert marks_of(items("identifier", ["a", "b"])) == [[], []]
    assert marks_of(items("constant", ["x", "x"])) == [[], []]
    assert marks_of(items("text", ["secret", "words"], "ignore")) == [[], []]
    assert marks_of(items("number", [float("nan"), None])) == [[], []]
