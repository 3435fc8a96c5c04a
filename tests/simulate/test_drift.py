"""Drifts: read from words, checked before anything runs, made in the windows that they name."""

from __future__ import annotations

import polars as pl
import pytest

from everfit.errors import UsageError
from everfit.simulate.drift import check_drifts, drifted, read_drift, told

ROWS = pl.DataFrame(
    {
        "age": [float(i) for i in range(100)],
        "plan": ["free", "paid"] * 50,
        "left": ["yes" if i % 3 else "no" for i in range(100)],
    }
)


@pytest.mark.parametrize(
    "text",
    [
        "shift:age:0.5", "shift:@3", "blend:age@3", "shift:age:x@3", "shift:age@9-3",
        "labels:age@3", "shift:age:nan@3", "",
    ],
)  # fmt: skip
def test_words_that_are_no_drift_are_refused_with_what_is_expected(text):
    with pytest.raises(UsageError, match="a drift cannot be read") as caught:
        read_drift(text)

    assert "KIND:COLUMN[:SIZE]@WINDOW" in caught.value.expected
    assert "--drift" in caught.value.do


def test_a_column_may_have_a_colon_in_its_name():
    assert read_drift("shift:a:b:0.5@3").column == "a:b"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("shift:agee@3", "there is no column 'agee' to shift"),
        ("shift:plan@3", "'plan' is no number, so it cannot shift"),
        ("drop:left@3", "there is no column 'left' to drop"),
        ("drop:age@12", "begins after the last window"),
    ],
)
def test_a_drift_that_cannot_be_made_is_refused_before_anything_runs(text, words):
    with pytest.raises(UsageError, match=words):
        check_drifts(ROWS, "left", [read_drift(text)], 10)


def after(text: str, index: int) -> pl.DataFrame:
    return drifted(ROWS, "left", [read_drift(text)], index, seed=1)


def test_a_drift_grows_from_its_first_window_to_its_last():
    means = [after("shift:age:2@2-5", index)["age"].mean() for index in range(8)]

    assert means[:2] == [49.5, 49.5]
    assert sorted(means) == means
    assert means[5] == means[7] == pytest.approx(49.5 + 2 * ROWS["age"].std())


def test_the_same_window_drifts_the_same_each_time():
    assert after("swap:plan:0.5@0", 3).equals(after("swap:plan:0.5@0", 3))
    assert not after("swap:plan:0.5@0", 3).equals(after("swap:plan:0.5@0", 4))


def test_columns_are_dropped_renamed_and_written_as_words():
    assert "age" not in after("drop:age@0", 0).columns
    assert "age_new" in after("rename:age@0", 0).columns
    assert after("retype:age@0", 0)["age"][3] == "value 3.0"


def test_a_drift_of_a_column_that_is_gone_changes_nothing():
    drifts = [read_drift("drop:age@0"), read_drift("shift:age:1@0")]

    assert drifted(ROWS, "left", drifts, 0, seed=1).columns == ["plan", "left"]


def test_outcomes_are_told_otherwise_and_what_turned_out_stays():
    silent = [read_drift("silent::0.5@0")]

    said, late = told(ROWS["left"], silent, 0, seed=1)

    assert 30 < said.null_count() < 70
    assert late == 0.0
    assert drifted(ROWS, "left", silent, 0, seed=1).equals(ROWS)


def test_outcomes_that_are_all_the_same_are_the_most_common_one():
    said, _ = told(ROWS["left"], [read_drift("same::@2")], 2, seed=1)

    assert said.unique().to_list() == ["yes"]
    assert told(ROWS["left"], [read_drift("same::@2")], 1, seed=1)[0].equals(ROWS["left"])
