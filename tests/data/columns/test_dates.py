"""Dates in text: every common form, and day told from month."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from everfit.data.columns.dates import best_form, parse_dates

DAY = dt.datetime(2021, 3, 25)


def parsed(cells: list[str]) -> list[dt.datetime | None] | None:
    texts = pl.Series(cells)
    form, _ = best_form(texts, pl.Series([1] * len(cells)))
    return None if form is None else parse_dates(texts, form).to_list()


@pytest.mark.parametrize(
    "cell",
    [
        "2021-03-25", "2021/03/25", "2021/3/25", "2021.03.25", "03/25/2021", "25/03/2021",
        "25.03.2021", "25-03-2021", "03-25-2021", "3/25/21", "25/3/21", "25.3.21", "25-Mar-2021",
        "25-Mar-21", "25 Mar 2021", "25 March 2021", "Mar 25, 2021", "March 25, 2021",
    ],
)  # fmt: skip
def test_each_form_of_a_day_is_read(cell: str) -> None:
    assert parsed([cell]) == [DAY]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("2021-03-25 14:30:15", DAY.replace(hour=14, minute=30, second=15)),
        ("2021-03-25T14:30:15.250", DAY.replace(hour=14, minute=30, second=15, microsecond=250000)),
        ("2021-03-25T14:30Z", DAY.replace(hour=14, minute=30)),
        ("2021-03-25 14:30:00+02:00", DAY.replace(hour=12, minute=30)),
        ("2021-03-25T14:30:00-0530", DAY.replace(hour=20)),
        ("3/25/2021 2:30 PM", DAY.replace(hour=14, minute=30)),
        ("25.03.2021 14:30", DAY.replace(hour=14, minute=30)),
        ("2021-03", DAY.replace(day=1)),
        ("Mar 2021", DAY.replace(day=1)),
        ("March 2021", DAY.replace(day=1)),
        ("03/2021", DAY.replace(day=1)),
    ],
)
def test_times_zones_and_months_are_read(cell: str, expected: dt.datetime) -> None:
    assert parsed([cell]) == [expected]


@pytest.mark.parametrize(
    "cells", [["1.2", "3.4"], ["12-15", "3-4"], ["A-12"], ["2020-W01"], ["May"]]
)
def test_what_is_no_date_is_not_read_as_one(cells: list[str]) -> None:
    assert parsed(cells) is None


def test_rows_in_order_tell_day_from_month() -> None:
    by_day = [f"{day:02d}/05/2021" for day in range(1, 13)]
    by_month = [f"05/{day:02d}/2021" for day in range(1, 13)]

    expected = [dt.datetime(2021, 5, day) for day in range(1, 13)]

    assert parsed(by_day) == expected
    assert parsed(by_month) == expected


def test_a_form_that_nothing_decides_is_marked_as_unsure() -> None:
    form, n_fit = best_form(pl.Series(["01/02/2021"]), pl.Series([5]))

    assert form is not None
    assert (form.format, form.unsure, n_fit) == ("%m/%d/%Y", "%d/%m/%Y", 5)
