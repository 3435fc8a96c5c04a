"""Kinds and roles: what a data scientist would call a column."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from everfit.data.read import read
from everfit.errors import DataError
from everfit.records import Column

N = 60


def column(name: str, values: list[object]) -> Column:
    return read({name: values, "other": [0.5, 1.5] * (len(values) // 2)}).columns[0]


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("age", [i % 50 for i in range(N)], "number"),
        ("passenger_id", list(range(1000, 1000 + N)), "identifier"),
        ("row", list(range(1, N + 1)), "identifier"),
        ("year", list(range(1900, 1900 + N)), "number"),
        ("t", list(range(1, N + 1)), "number"),
        ("paid", [i * 7 % 61 for i in range(N)], "number"),
        ("user_id", [i % 25 for i in range(N)], "category"),
        ("key", [f"{i * 7919:08x}-ab" for i in range(N)], "identifier"),
        ("remark", [f"the parcel came late on day {i}" for i in range(N)], "text"),
        ("size", ["S", "M", "L"] * (N // 3), "ordered"),
        ("marital", ["S", "M"] * (N // 2), "category"),
        ("on", ["Y", "n"] * (N // 2), "boolean"),
        ("alive", ["TRUE", "FALSE"] * (N // 2), "boolean"),
        ("sex", ["M", "F"] * (N // 2), "category"),
        ("same", ["x"] * N, "constant"),
        ("nothing", [None] * N, "constant"),
        ("sometimes", ["x", None] * (N // 2), "category"),
        ("phone", ["+491701234567", "+491701234568"] * (N // 2), "category"),
        ("ended_at", [1_600_000_000 + i for i in range(N)], "date"),
        ("wait_time", [i % 7 for i in range(N)], "number"),
        ("date", [20200101 + i % 28 for i in range(N)], "date"),
        ("month", ["Jan 2020", "Feb 2020"] * (N // 2), "date"),
        ("house", ["1Fam", "2fmCon"] * (N // 2), "category"),
        ("version", ["1.2.3", "1.3.0"] * (N // 2), "category"),
    ],
)
def test_a_column_has_the_kind_that_a_person_would_give_it(
    name: str, values: list[object], kind: str
) -> None:
    assert column(name, values).kind == kind


def test_only_keys_are_ignored() -> None:
    found = read({"id": list(range(N)), "x": [i % 7 for i in range(N)], "c": ["a", "b"] * 30})

    assert [c.role for c in found.columns] == ["ignore", "feature", "feature"]
    assert "a key" in found.columns[0].why


def test_a_single_date_that_orders_rows_is_the_time_and_a_birthday_is_not() -> None:
    days = [f"2020-{1 + i // 28:02d}-{1 + i % 28:02d}" for i in range(N)]
    shuffled = days[1::2] + days[::2]

    assert column("bought", days).role == "time"
    assert column("bought", shuffled).role == "feature"
    assert column("Date", shuffled).role == "time"
    assert column("birth_date", days).role == "feature"
    two = read({"date": days, "until": shuffled, "bought": shuffled})
    assert [c.role for c in two.columns] == ["feature"] * 3


def test_weights_and_groups_only_when_plainly_named() -> None:
    data = {
        "weight": [float(i) for i in range(N)],
        "sample_weight": [1.5, 2.5] * (N // 2),
        "qid": [i // 6 for i in range(N)],
        "group": ["a", "b"] * (N // 2),
    }

    roles = {c.name: c.role for c in read(data).columns}

    assert roles == {
        "weight": "feature",
        "sample_weight": "weight",
        "qid": "group",
        "group": "feature",
    }


def test_told_kinds_are_stored_as_that_kind() -> None:
    data = {"a": [3.0, 2.0, 10.0], "b": ["x", "y", "x"], "c": ["1", "2", "?"], "d": [1999, 2001, 5]}

    table = read(data, kinds={"a": "ordered", "b": "boolean", "c": "text", "d": "identifier"})

    assert table.column("a").levels == ("2", "3", "10")
    assert table.frame["b"].to_list() == [False, True, False]
    assert table.frame["c"].to_list() == ["1", "2", None]
    assert table.frame["d"].to_list() == ["1999", "2001", "5"]


def test_a_column_that_holds_one_date_is_a_date_when_told_so(tmp_path: Path) -> None:
    file = tmp_path / "one.csv"
    file.write_text("when,x\n2026-01-01T10:00:00,3\n2026-01-01T10:00:00,4\n")

    table = read(str(file), kinds={"when": "date"})

    assert table.frame["when"].to_list() == [datetime(2026, 1, 1, 10)] * 2


def test_kinds_that_cannot_hold_the_values_are_refused() -> None:
    data = {"a": ["x", "y", "z"] * 4}

    for kind in ("number", "date", "boolean", "constant"):
        with pytest.raises(DataError, match=f"'a' cannot be of kind {kind}"):
            read(data, kinds={"a": kind})  # type: ignore[dict-item]
