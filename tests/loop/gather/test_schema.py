"""What became of columns: missing, new, renamed, of another type."""

from __future__ import annotations

import polars as pl
import pytest

from everfit.errors import ColumnMissing, DataError
from everfit.loop.gather.schema import differences, fitted, require
from everfit.records import Column

LIKE = (
    Column("age", "number"),
    Column("plan", "category"),
    Column("row", "identifier", role="ignore"),
    Column("churned", "category", role="target"),
)


def frame(**more: list[object]) -> pl.DataFrame:
    told = {"age": [41, 36, 52], "plan": ["trial", "paid", None], "churned": ["yes", "no", "no"]}
    return pl.DataFrame(told | more)


def test_a_column_that_was_never_learnt_from_need_not_be_there() -> None:
    assert differences(frame().columns, LIKE).gone == ()


def test_a_new_column_is_named() -> None:
    assert require([*frame().columns, "town"], LIKE, "here").new == ("town",)


def test_a_missing_column_is_an_error_that_says_where_and_what_to_do() -> None:
    with pytest.raises(ColumnMissing, match="the source x.csv lacks 'plan'") as caught:
        require(["age", "churned"], LIKE, "the source x.csv")

    assert "no new columns" in caught.value.got
    assert "bring the column back" in caught.value.do


def test_a_renamed_column_is_recognised_by_its_name() -> None:
    with pytest.raises(ColumnMissing, match="lacks 'plan'") as caught:
        require(["age", "Plan_", "churned"], LIKE, "here")

    assert "'plan' is now 'Plan_'?" in caught.value.do


def test_numbers_that_come_as_text_are_numbers_still() -> None:
    found, notes = fitted(frame(age=["41", " 36 ", "?"]), LIKE, "here", absent=True)

    assert found["age"].to_list() == [41.0, 36.0, None]
    assert found["age"].dtype == pl.Float64
    assert notes == []


def test_words_for_numbers_are_taken_as_words() -> None:
    found, _ = fitted(frame(plan=[1, 2, None]), LIKE, "here", absent=True)

    assert found["plan"].to_list() == ["1", "2", None]


def test_a_few_values_that_are_no_numbers_count_as_missing_and_are_told() -> None:
    many = pl.DataFrame(
        {"age": ["1"] * 40 + ["old"], "plan": ["a"] * 41, "churned": ["no"] * 41, "row": ["r"] * 41}
    )

    found, notes = fitted(many, LIKE, "here")

    assert found["age"].null_count() == 1
    assert notes == [
        "here: 1 of 41 values of 'age' are no number, such as 'old'; they count as missing"
    ]


def test_a_column_that_changed_its_meaning_is_an_error() -> None:
    with pytest.raises(DataError, match="'age' is no longer a number") as caught:
        fitted(frame(age=["young", "old", "41"]), LIKE, "the log", absent=True)

    assert "2 of 3 values of 'age' are no number, such as 'young'" in caught.value.got


def test_a_column_without_any_value_is_missing_values_and_no_error() -> None:
    found, notes = fitted(frame(age=[None, None, None]), LIKE, "here", absent=True)

    assert found["age"].null_count() == 3
    assert notes == []
