from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from everfit.errors import UsageError
from everfit.faces.containers import (
    incoming,
    outgoing_labels,
    outgoing_probabilities,
    typed_labels,
)

LABELS = [False, True]
VALUES = np.array([[0.25, 0.75], [1.0, 0.0]])
FRAME = {"age": [41, 30]}


@pytest.mark.parametrize(
    ("data", "container"),
    [
        (pd.DataFrame(FRAME), "pandas"),
        (pl.DataFrame(FRAME), "polars"),
        (pl.LazyFrame(FRAME), "polars"),
        (pa.table(FRAME), "arrow"),
        (FRAME, "polars"),
        ({"age": 41}, "record"),
        (pd.DataFrame(FRAME).iloc[0], "record"),
        ([{"age": 41}], "records"),
        ([], "records"),
        ("new.csv", "place"),
        (Path("new.csv"), "place"),
    ],
    ids=lambda item: type(item).__name__,
)
def test_a_container_is_known_for_what_it_is(data: Any, container: str) -> None:
    assert incoming(data).container == container


@pytest.mark.parametrize("data", [np.ones((2, 2)), 3, [[1, 2]], None, pl.Series([1])])
def test_rows_without_names_are_refused(data: Any) -> None:
    with pytest.raises(UsageError, match="no named columns"):
        incoming(data)


def test_pandas_gets_a_series_with_its_own_index_and_types() -> None:
    given = incoming(pd.DataFrame(FRAME, index=["b", "a"]))

    labels = outgoing_labels(given, [True, False], "churned")
    shares = outgoing_probabilities(given, LABELS, VALUES)

    assert labels.to_dict() == {"b": True, "a": False}
    assert (labels.name, labels.dtype) == ("churned", bool)
    assert shares.loc["b", True] == 0.75


def test_polars_gets_a_series_and_text_columns() -> None:
    given = incoming(pl.DataFrame(FRAME))

    labels = outgoing_labels(given, [1, 0], "churned")
    shares = outgoing_probabilities(given, [0, 1], VALUES)

    assert labels.to_list() == [1, 0]
    assert labels.name == "churned"
    assert shares.to_dict(as_series=False) == {"0": [0.25, 1.0], "1": [0.75, 0.0]}


def test_arrow_gets_arrow() -> None:
    given = incoming(pa.table(FRAME))

    assert outgoing_labels(given, ["yes", "no"], "x").to_pylist() == ["yes", "no"]
    assert isinstance(outgoing_probabilities(given, LABELS, VALUES), pa.Table)


def test_a_dict_gets_one_value_and_its_labels_as_keys() -> None:
    given = incoming({"age": 41})

    assert outgoing_labels(given, [True], "x") is True
    assert outgoing_probabilities(given, LABELS, VALUES[:1]) == {False: 0.25, True: 0.75}


def test_a_list_of_dicts_gets_lists() -> None:
    given = incoming([{"age": 41}, {"age": 30}])

    assert outgoing_labels(given, [1.5, 2.5], "x") == [1.5, 2.5]
    assert outgoing_probabilities(given, ["a", "b"], VALUES)[1] == {"a": 1.0, "b": 0.0}


@pytest.mark.parametrize(
    ("labels", "label_type", "typed"),
    [
        (("no", "yes"), "str", ["no", "yes"]),
        (("-1", "2"), "int", [-1, 2]),
        (("0.5", "2.0"), "float", [0.5, 2.0]),
        (("false", "true"), "bool", [False, True]),
    ],
)
def test_labels_come_back_in_their_own_type(
    labels: tuple[str, ...], label_type: str, typed: list[Any]
) -> None:
    found = typed_labels(labels, label_type)

    assert found == typed
    assert [type(item) for item in found] == [type(item) for item in typed]
