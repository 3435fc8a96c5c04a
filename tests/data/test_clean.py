"""Acts of findings, applied."""

from __future__ import annotations

import pytest

from everfit.data.clean import clean
from everfit.data.read import read
from everfit.data.table import Table
from everfit.errors import ColumnMissing
from everfit.records import Act


def table() -> Table:
    return read(
        {
            "income": [99999999.0, 12.5, None, 0.0],
            "plan": ["a", "unknown", "b", "a"],
            "y": ["yes", "no", None, "perhaps"],
        },
        roles={"y": "target"},
    )


def test_values_are_blanked_by_number_or_by_word() -> None:
    acts = [Act("blank", "income", ("99999999", "0")), Act("blank", "plan", ("unknown",))]

    cleaned = clean(table(), acts)

    assert cleaned.frame["income"].to_list() == [None, 12.5, None, None]
    assert cleaned.frame["plan"].to_list() == ["a", None, "b", "a"]
    income = cleaned.column("income")
    assert (income.n_missing, income.n_distinct) == (3, 1)
    assert income.missing_marks == ("99999999", "0")


def test_rows_are_left_out_and_everything_is_counted_again() -> None:
    acts = [Act("drop_missing", "y"), Act("drop_value", "y", ("perhaps",))]

    cleaned = clean(table(), acts)

    assert cleaned.frame["y"].to_list() == ["yes", "no"]
    assert cleaned.source.n_rows == 2
    assert cleaned.column("income").n_missing == 0
    assert cleaned.column("y").role == "target"


def test_missing_cells_are_no_value_to_drop() -> None:
    assert clean(table(), [Act("drop_value", "income", ("12.5",))]).n_rows == 3


def test_a_column_that_is_gone_is_left_alone_and_one_that_never_was_is_an_error() -> None:
    acts = [Act("drop_column", "plan"), Act("blank", "plan", ("a",))]

    assert [c.name for c in clean(table(), acts).columns] == ["income", "y"]
    with pytest.raises(ColumnMissing, match="did you mean 'plan'"):
        clean(table(), [Act("drop_column", "plam")])


def test_the_table_itself_is_not_changed() -> None:
    before = table()

    clean(before, [Act("drop_column", "plan"), Act("drop_missing", "y")])

    assert before.frame.shape == (4, 3)


def test_rows_that_repeat_an_earlier_one_in_some_columns_are_left_out() -> None:
    twice = read({"who": ["a", "a", "b", "a"], "what": [1, 1, 1, 2], "note": ["x", "y", "z", "x"]})

    cleaned = clean(twice, [Act("drop_repeats", "who", ("what",))])

    assert cleaned.frame["note"].to_list() == ["x", "z", "x"]
    assert cleaned.column("who").n_distinct == 2
