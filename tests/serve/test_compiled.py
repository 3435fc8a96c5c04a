from __future__ import annotations

from typing import Any

import pytest

from everfit.records import Column
from everfit.serve.compiled import MOST, filling, reading
from everfit.serve.row import Asked, RowReader


def test_columns_of_many_functions_stand_in_order() -> None:
    n = 2 * MOST + 3
    read = reading([(f"c{i}", "n", 0.0, float(n)) for i in range(n)])
    row = {f"c{i}": float(i) for i in reversed(range(n))}

    assert read(row) == [float(i) for i in range(n)]
    assert read(row | {f"c{n - 1}": n + 1.0}) is None
    with pytest.raises(KeyError):
        read({name: value for name, value in row.items() if name != f"c{MOST}"})


def test_no_column_at_all_reads_nothing() -> None:
    assert reading([])({"a": 1}) == []


@pytest.mark.parametrize(
    "name", ["", "x0", "values", "def f():", "a'b\"\n]", "__import__('os')", "Größe", "{x}"]
)
def test_a_name_is_never_source(name: str) -> None:
    reader = RowReader(
        [Asked(Column(name, "number"), 0.0, 9.0), Asked(Column("level", "category"))],
        {"level": frozenset({name})},
    )

    assert reader({name: 4, "level": name}) == ([4.0, name], ())


@pytest.mark.parametrize(
    ("kind", "a", "b", "value"),
    [
        ("n", 0.0, 1.0, 1.5),
        ("n", 0.0, 1.0, float("inf")),
        ("m", ({0.5}, 0.0), 1.0, 0.5),
        ("m", ({0.5}, 0.0), 1.0, -1.0),
        ("l", {"a", None}, None, "b"),
        ("d", None, None, "2024-01-01"),
        ("t", str.strip, None, 5),
    ],
)
def test_an_odd_value_of_each_kind_is_told(kind: str, a: Any, b: Any, value: Any) -> None:
    assert reading([("c", kind, a, b)])({"c": value}) is None


@pytest.mark.parametrize("value", ["1", b"1", [1.0], {}])
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        reading([("c", "n", 0.0, 9.0)])({"c": value})


def test_columns_of_many_functions_are_not_written_by_one() -> None:
    columns = [(f"c{i}", "n", 0.0, 1.0) for i in range(MOST + 1)]

    assert filling(columns, []) is None
    assert filling(columns[:-1], []) is not None
