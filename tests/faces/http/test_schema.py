from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from everfit.faces.http.schema import (
    MOST_LEVELS,
    ModelDescription,
    describe,
    example_row,
    row_schema,
)
from everfit.records import Column
from everfit.serve import Scorer
from everfit.serve.row import Asked
from tests.faces.http.small import ROWS, described, small_scorer


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    return small_scorer(tmp_path_factory.mktemp("small") / "v3")


def one(item: Asked, known: frozenset[str] = frozenset()) -> dict[str, Any]:
    name = item.column.name
    made = row_schema(ModelDescription("m", "v1", (item,), {name: known}))
    return dict(made["properties"][name])


def test_the_schema_is_one_and_its_example_fits_it(scorer: Scorer) -> None:
    schema = row_schema(described(scorer))
    Draft202012Validator.check_schema(schema)

    for example in schema["examples"]:
        Draft202012Validator(schema).validate(example)
    assert json.loads(json.dumps(schema, allow_nan=False)) == schema


def test_rows_of_the_training_data_fit(scorer: Scorer) -> None:
    validator = Draft202012Validator(row_schema(described(scorer)))
    plain = [
        {k: v.isoformat() if hasattr(v, "isoformat") else v for k, v in row.items()} for row in ROWS
    ]

    assert [row for row in plain if not validator.is_valid(row)] == []


def test_the_example_is_answered_without_a_warning(scorer: Scorer) -> None:
    assert scorer.row(example_row(described(scorer))).warnings == ()


def test_nothing_is_required_and_other_columns_are_allowed(scorer: Scorer) -> None:
    schema = row_schema(described(scorer))
    validator = Draft202012Validator(schema)

    assert "required" not in schema
    assert validator.is_valid({})
    assert validator.is_valid({"nobody knows": 1})
    assert not validator.is_valid({"instances": [{"size": 1}]})


def test_a_level_that_is_not_known_and_a_number_outside_its_range_still_fit(
    scorer: Scorer,
) -> None:
    validator = Draft202012Validator(row_schema(described(scorer)))

    assert validator.is_valid({"plan": "diamond", "size": 1e300})
    assert not validator.is_valid({"size": "large"})


def test_known_levels_are_listed_and_the_range_is_told(scorer: Scorer) -> None:
    properties = row_schema(described(scorer))["properties"]

    assert properties["grade"]["anyOf"][0]["enum"] == ["low", "mid", "high"]
    assert properties["plan"]["anyOf"][0]["enum"] == ["basic", "plus", "pro"]
    assert properties["plan"]["default"] == "pro"
    assert properties["paid"]["anyOf"][1]["enum"] == ["no", "yes"]
    assert "trained on 1 to 8" in properties["rooms"]["description"]


def test_a_list_that_is_too_long_is_not_given() -> None:
    levels = frozenset(f"town {i}" for i in range(MOST_LEVELS + 1))
    town = Asked(Column("town", "category"))

    told, short = one(town, levels), one(town, frozenset(["a"]))

    assert told["type"] == ["string", "number", "boolean", "null"]
    assert f"{MOST_LEVELS + 1} known levels" in told["description"]
    assert short["anyOf"][0]["enum"] == ["a"]


def test_numbers_that_json_cannot_write_are_left_out() -> None:
    item = Asked(Column("x", "number"), low=-1e308, high=1e308, default=float("nan"))

    told = one(item)

    assert "default" not in told
    json.dumps(told, allow_nan=False)


def test_labels_come_in_their_own_type(tmp_path: Path, scorer: Scorer) -> None:
    number = small_scorer(tmp_path / "v1", "values")

    assert described(scorer).labels == ("no", "yes")
    assert describe("m", "v1", number).labels == ()
