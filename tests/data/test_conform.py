"""Prediction inputs are made to fit, and what does not fit is told."""

from __future__ import annotations

import datetime as dt
import math

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everfit.data.conform import conform
from everfit.data.read import read
from everfit.records import Column

NUMBER = (Column("x", "number"),)


def fit(values: object, column: Column) -> tuple[list[object], list[str]]:
    frame, notes = conform(pl.DataFrame({column.name: values}), (column,))
    return frame[column.name].to_list(), notes


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["41", " 7 ", "?", ""], [41.0, 7.0, None, None]),
        (["1,5", "2,25", "3", "4"], [1.5, 2.25, 3.0, 4.0]),
        ([True, False, None, True], [1.0, 0.0, None, 1.0]),
        ([1.5, math.nan, None, 2.0], [1.5, None, None, 2.0]),
        (["007", "12", "3", "4"], [7.0, 12.0, 3.0, 4.0]),
    ],
)
def test_numbers_come_from_text_booleans_and_numbers(
    values: list[object], expected: list[float | None]
) -> None:
    assert fit(values, NUMBER[0]) == (expected, [])


def test_a_wrong_type_becomes_null_with_count_and_example() -> None:
    values, notes = fit(["41", "old", "young", "?"], NUMBER[0])

    assert values == [41.0, None, None, None]
    assert notes == ["column 'x': 2 of 4 values are no number and count as missing, such as 'old'"]


def test_booleans_are_known_by_their_words() -> None:
    column = Column("x", "boolean", levels=("No", "Yes"))

    assert fit(["yes", "NO", "true", "0", "maybe"], column)[0] == [True, False, True, False, None]
    assert fit([1, 0, None], column)[0] == [True, False, None]
    assert "such as 'maybe'" in fit(["maybe"], column)[1][0]


def test_categories_get_the_words_that_they_were_learnt_with() -> None:
    column = Column("x", "category")

    assert fit([3.0, 2.5, None], column)[0] == ["3", "2.5", None]
    assert fit([3, 2], column)[0] == ["3", "2"]
    assert fit(["3.0", " x ", "NA"], column)[0] == ["3", "x", None]


def test_na_stays_a_value_where_it_was_one() -> None:
    learnt = read({"c": ["DE", "FR", "GB", "NA", "ZA", "NA"] * 3}).columns

    assert fit(["NA", "?"], learnt[0])[0] == ["NA", None]


def test_dates_come_from_text_dates_and_seconds() -> None:
    column = Column("x", "date")
    day = dt.datetime(2020, 1, 31)

    assert fit(["31.01.2020", "soon"], column)[0] == [day, None]
    assert fit([day.date()], column)[0] == [day]


def test_missing_columns_are_told_and_extra_ones_left_out() -> None:
    like = (Column("a", "number"), Column("y", "category", role="target"), Column("b", "text"))

    frame, notes = conform(pl.DataFrame({"a": [1, 2], "more": [3, 4]}), like)

    assert frame.columns == ["a", "y", "b"]
    assert frame.height == 2
    assert frame.dtypes == [pl.Float64, pl.String, pl.String]
    # the target is what is asked for: that it is not there is no news
    assert notes == ["column 'b' is not there and counts as missing"]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_numbers_as_text_are_the_numbers(values: list[float]) -> None:
    as_text, _ = fit([repr(value) for value in values], NUMBER[0])

    assert as_text == values


def test_a_table_that_was_read_conforms_to_itself() -> None:
    table = read({"n": [1, 2, 3], "b": ["yes", "no", "yes"], "c": ["x", "y", None]})

    frame, notes = conform(table.frame, table.columns)

    assert notes == []
    assert frame["n"].to_list() == [1.0, 2.0, 3.0]
    assert frame.select("b", "c").equals(table.frame.select("b", "c"))
