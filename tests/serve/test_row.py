from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from everfit.data.columns.missing import ANYWHERE
from everfit.records import Column
from everfit.serve.row import MISSING_WORDS, Asked, RowReader, seconds_of

ASKED = (
    Asked(Column("plan", "category", missing_marks=("?",))),
    Asked(Column("age", "number", missing_marks=("-1",)), low=18.0, high=90.0),
    Asked(Column("since", "date")),
    Asked(Column("paid", "boolean", levels=("nay", "Yea"))),
    Asked(Column("rooms", "number"), low=1.0, high=9.0, default=3.0),
    Asked(Column("note", "text")),
)
GOOD: dict[str, Any] = {
    "plan": "pro", "age": 40, "since": datetime(2024, 5, 1), "paid": True, "rooms": 2.0,
    "note": "hello there",
}  # fmt: skip


def reader() -> RowReader:
    return RowReader(ASKED, {"plan": frozenset({"pro", "3", "true"})})


def read(name: str, value: Any) -> tuple[Any, tuple[str, ...]]:
    it = reader()
    row, odd = it(GOOD | {name: value})
    return row[it.positions[name]], odd


def test_a_good_row_gives_its_base_values_without_a_warning() -> None:
    it = reader()

    row, odd = it(GOOD)

    assert odd == ()
    assert {name: row[at] for name, at in it.positions.items()} == GOOD | {"age": 40.0, "paid": 1.0}


@pytest.mark.parametrize("value", [40.0, np.int64(40), np.float32(40), Decimal(40)])
def test_any_type_of_number_is_a_number(value: Any) -> None:
    assert read("age", value) == (40.0, ())


@pytest.mark.parametrize(
    "value", [None, float("nan"), "", " ", "NA", -1, -1.0, "-1", pd.NA, pd.NaT]
)
def test_what_stands_for_missing_is_missing_without_a_warning(value: Any) -> None:
    found, odd = read("age", value)

    assert np.isnan(found)
    assert odd == ()


def test_a_number_as_text_is_read_with_a_warning() -> None:
    assert read("age", " 40 ") == (40.0, ("age: the text ' 40 ' was given for a number",))


@pytest.mark.parametrize("value", ["old", [40], {"a": 1}, 1j])
def test_what_is_no_number_counts_as_missing_with_a_warning(value: Any) -> None:
    found, odd = read("age", value)

    assert np.isnan(found)
    assert odd[-1] == "age: counts as missing"


def test_a_number_outside_the_training_range_is_kept_with_a_warning() -> None:
    assert read("age", 95) == (95.0, ("age: 95 is outside the training range 18 to 90",))


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), 10**400], ids=["+", "-", "int"])
def test_an_infinite_number_counts_as_missing_with_a_warning(value: float) -> None:
    found, odd = read("age", value)

    assert np.isnan(found)
    assert "counts as missing" in odd[-1]


def test_an_absent_column_takes_its_default_with_a_warning() -> None:
    it = reader()

    row, odd = it({name: value for name, value in GOOD.items() if name not in ("rooms", "age")})

    assert row[it.positions["rooms"]] == 3.0
    assert np.isnan(row[it.positions["age"]])
    assert odd == ("age: not given, it counts as missing", "rooms: not given, 3.0 is used")


def test_a_missing_value_that_is_given_does_not_take_the_default() -> None:
    found, odd = read("rooms", None)

    assert np.isnan(found)
    assert odd == ()


@pytest.mark.parametrize(
    ("value", "level"), [("pro", "pro"), (" pro ", "pro"), (3, "3"), (3.0, "3"), (True, "true")]
)
def test_a_category_is_found_however_it_is_spelt(value: Any, level: str) -> None:
    assert read("plan", value) == (level, ())


@pytest.mark.parametrize("value", [None, "?", "", "NaN", float("nan")])
def test_a_missing_category_is_none(value: Any) -> None:
    assert read("plan", value) == (None, ())


def test_an_unseen_category_gives_a_warning() -> None:
    assert read("plan", "max") == (
        "max",
        ("plan: category 'max' is rare or new, it counts as none of the known ones",),
    )


@pytest.mark.parametrize("value", [["pro"], np.array(["a", "b"]), {"a"}, b"pro"])
def test_a_container_is_no_category(value: Any) -> None:
    found, odd = read("plan", value)

    assert found is None
    assert "was given for a category" in odd[0]


@pytest.mark.parametrize(
    ("value", "truth"),
    [(True, 1), (0, 0), ("Yea", 1), ("nay", 0), ("YES", 1), ("false", 0), (np.True_, 1), ("1", 1)],
)
def test_a_boolean_is_found_however_it_is_said(value: Any, truth: float) -> None:
    assert read("paid", value) == (truth, ())


@pytest.mark.parametrize("value", [2, "perhaps", [True]])
def test_what_is_neither_true_nor_false_is_missing_with_a_warning(value: Any) -> None:
    found, odd = read("paid", value)

    assert np.isnan(found)
    assert "neither true nor false" in odd[0]


@pytest.mark.parametrize(
    "value",
    [
        "2024-05-01", "2024-05-01T00:00:00Z", date(2024, 5, 1), np.datetime64("2024-05-01"),
        pd.Timestamp("2024-05-01"), datetime(2024, 5, 1, tzinfo=UTC),
        datetime(2024, 5, 1, 2, tzinfo=timezone(timedelta(hours=2))),
    ],
)  # fmt: skip
def test_a_date_is_read_in_any_common_form(value: Any) -> None:
    assert read("since", value) == (datetime(2024, 5, 1), ())


@pytest.mark.parametrize("value", ["soon", 5, [1]])
def test_what_is_no_date_is_missing_with_a_warning(value: Any) -> None:
    found, odd = read("since", value)

    assert found is None
    assert len(odd) == 1


@settings(deadline=None, max_examples=300)
@given(
    some.fixed_dictionaries(
        {},
        optional={
            "plan": some.sampled_from(["pro", "3", 3, None, "new", "?", " pro"]),
            "age": some.one_of(some.none(), some.floats(), some.integers(), some.just("40")),
            "rooms": some.one_of(some.none(), some.floats(0, 12)),
            "paid": some.sampled_from([True, None, "Yea", 0, "x", 7]),
            "since": some.one_of(some.none(), some.datetimes(), some.just("2024-01-01")),
            "note": some.one_of(some.none(), some.text(max_size=5), some.just(" NA ")),
        },
    )
)
def test_the_fast_and_the_slow_path_read_the_same(change: dict[str, Any]) -> None:
    it = reader()

    row, odd = it(GOOD | change)

    slow, slow_odd = it._slow(GOOD | change)
    assert repr(row) == repr(slow)  # NaN equals NaN as text
    assert odd == slow_odd


def test_further_columns_are_ignored() -> None:
    assert reader()(GOOD | {"colour": "red"}) == reader()(GOOD)


def test_words_for_missing_are_those_of_the_reader_of_data() -> None:
    assert MISSING_WORDS == ANYWHERE


def test_seconds_of_a_date_keep_its_microseconds() -> None:
    assert seconds_of(datetime(1970, 1, 1, 0, 0, 1, 250_000)) == 1.25
