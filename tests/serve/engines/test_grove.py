"""Symmetric models answered together give what each gives alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from everfit.column import Array, Column
from everfit.encoders import steps as st
from everfit.serve.engines.grove import Grove, grove_of
from everfit.serve.engines.oblivious import Oblivious
from everfit.serve.row import Asked, RowReader
from everfit.serve.vector import Vector
from tests.serve.engines.test_oblivious import data_of, fitted

LEVELS = (5, 12, 2, 40)
NAMES = ("a", "b", "c")
WORDS = {f"w{i}": tuple(f"l{code}" for code in range(n)) for i, n in enumerate(LEVELS)}
HOT = {"one_hot_max_size": 64}


def reader_and_vector() -> tuple[RowReader, Vector]:
    columns = [Column(name, "number") for name in NAMES]
    columns += [Column(name, "category") for name in WORDS]
    known = {name: frozenset(levels) for name, levels in WORDS.items()}
    reader = RowReader([Asked(column) for column in columns], known)
    inputs = [st.Input(column.name, column.kind) for column in columns]
    steps = [st.Take(column.name) for column in columns]
    return reader, Vector(steps, inputs, WORDS, reader.positions)


def rows_of(matrix: Array) -> list[dict[str, object]]:
    return [
        {name: None if np.isnan(x) else float(x) for name, x in zip(NAMES, line, strict=False)}
        | {
            name: WORDS[name][int(code)] if code >= 0 else None
            for name, code in zip(WORDS, line[3:], strict=True)
        }
        for line in matrix
    ]


def known_of(reader: RowReader) -> dict[int, frozenset[str]]:
    return {at: reader.known.get(name, frozenset()) for name, at in reader.positions.items()}


def test_models_together_score_as_each_alone_to_the_last_bit(tmp_path: Path) -> None:
    reader, vector = reader_and_vector()
    plains = [fitted(tmp_path, classes, **HOT, depth=depth)[1]
              for classes, depth in ((2, 6), (0, 3), (2, 8))]  # fmt: skip
    models = [Oblivious(plain, vector) for plain in plains]

    grove, able = grove_of([(model, vector) for model in models], known_of(reader))

    assert isinstance(grove, Grove)
    assert able == [0, 1, 2]
    read = reader.filling([grove.write])
    assert read is not None
    for row in rows_of(data_of(300, 4)):
        found = read(row)
        assert found is not None
        grove.run()
        vector.fill(found)
        assert grove.raw == [model.row() for model in models]


@pytest.mark.parametrize("settings", [{"one_hot_max_size": 3}, {"nan_mode": "Max"} | HOT])
def test_a_model_whose_inputs_are_worked_out_stays_alone(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    reader, vector = reader_and_vector()
    model = Oblivious(fitted(tmp_path, 2, **settings)[1], vector)
    other = Oblivious(fitted(tmp_path, 2, **HOT)[1], vector)

    grove, able = grove_of([(model, vector), (other, vector)], known_of(reader))

    assert able == [1]
    assert grove is not None
    assert len(grove.raw) == 1


def test_a_number_that_no_single_holds_is_infinite_for_both(tmp_path: Path) -> None:
    reader, vector = reader_and_vector()
    model = Oblivious(fitted(tmp_path, 2, **HOT)[1], vector)
    grove, _ = grove_of([(model, vector)], known_of(reader))
    assert grove is not None
    read = reader.filling([grove.write])
    assert read is not None
    for large in (1e300, -1e300):
        found = read(rows_of(data_of(1, 0))[0] | {"a": large})
        assert found is not None
        vector.fill(found)
        grove.run()

        assert grove.raw == [model.row()]
