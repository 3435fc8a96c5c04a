"""Rows of JSON as typed columns."""

from __future__ import annotations

import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everfit.store.log.columns import FEATURE, shown, stored_frame, table, typed


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (["1", "2", "null"], pl.Int64, [1, 2, None]),
        (["1", "2.5"], pl.Float64, [1.0, 2.5]),
        (["true", "null"], pl.Boolean, [True, None]),
        (['"a"', '"b"'], pl.String, ["a", "b"]),
        (["null", "null"], pl.Null, [None, None]),
        (["1", '"a"'], pl.String, ["1", "a"]),
        (["true", "1"], pl.String, ["true", "1"]),
        (["[1,2]", '{"b":3}', "null"], pl.String, ["[1,2]", '{"b":3}', None]),
        (["12345678901234567890", "1"], pl.Float64, [12345678901234567890.0, 1.0]),
        (["[1]", "[2,3]"], pl.String, ["[1]", "[2,3]"]),
    ],
)
def test_a_column_has_the_narrowest_kind_that_holds_all(
    values: list[str], kind: type[pl.DataType], expected: list[object]
) -> None:
    found = table([b'{"a":' + value.encode() + b"}" for value in values])

    assert found.schema == {"a": kind}
    assert found["a"].to_list() == expected


def test_rows_over_several_lines_are_read() -> None:
    found = table([b'{\n "a": 1,\r\n "b": "x\\ny"}', b'{"a": 2}'])

    assert found.rows() == [(1, "x\ny"), (2, None)]


def test_rows_without_columns_are_still_rows() -> None:
    assert table([b"{}", b"{}"]).height == 2


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**62), 2**62),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), SCALARS), min_size=1, max_size=8))
def test_nothing_is_dropped_and_no_row_is_torn(rows: list[dict[str, object]]) -> None:
    found = table([json.dumps(row).encode() for row in rows])

    assert found.height == len(rows) or not any(rows)
    for at, row in enumerate(rows):
        for name, value in row.items():
            assert (found[name][at] is None) == (value is None)
            if found[name].dtype not in (pl.String, pl.Float64):
                assert found[name][at] == value


def stored(*answers: bytes) -> pl.DataFrame:
    rows = [
        (n, f"p{n}", None, None, 1, 3, 2, n, None, b"{}", answer)
        for n, answer in enumerate(answers)
    ]
    return stored_frame(rows, {1: "churn", 2: "champion"})


def test_answers_without_probabilities_have_a_range() -> None:
    found = stored(
        b'{"id":"a","prediction":1.5,"range":[1.0,2.0],"warnings":[]}',
        b'{"id":"b","prediction":2,"range":null,"warnings":["odd"]}',
    )

    assert found.select("value", "low", "high", "warnings").rows() == [
        (1.5, 1.0, 2.0, []),
        (2.0, None, None, ["odd"]),
    ]
    assert found["probabilities"].to_list() == [None, None]


def test_answers_of_versions_with_other_labels_stand_side_by_side() -> None:
    found = stored(
        b'{"id":"a","prediction":"x","probabilities":{"x":1.0,"y":0.0},"warnings":[]}',
        b'{"id":"b","prediction":true,"probabilities":{"z z":1},"warnings":[],"extra":{"a":1}}',
    )

    assert found["value"].to_list() == ["x", "true"]
    assert found["probabilities"].struct.field("z z").to_list() == [None, 1.0]
    assert found["probabilities"].struct.field("x").to_list() == [1.0, None]


def test_answers_with_as_little_as_an_id_are_kept() -> None:
    found = stored(b'{"id":"a"}')

    assert found.select("value", "low", "warnings").rows() == [(None, None, [])]


def test_outcomes_get_their_kind_from_their_values() -> None:
    for texts, expected in (
        (["1", "2", None], [1, 2, None]),
        (["1", "2.5"], [1.0, 2.5]),
        (['"1"', '"2"'], ["1", "2"]),
        (["true", "false"], [True, False]),
        (["1", '"a"'], ["1", "a"]),
        ([None], [None]),
        ([], []),
    ):
        assert typed(pl.Series("v", texts, dtype=pl.String)).to_list() == expected


def test_features_keep_their_names_unless_the_log_has_them() -> None:
    stored_names = [FEATURE + name for name in ("age", "id", "feature.id")]

    assert list(shown(stored_names, ["id"]).values()) == [
        "age",
        "feature.id",
        "feature.feature.id",
    ]
