"""What one row of a model looks like, as JSON Schema, from the columns that its version reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any

from everfit.serve.row import Asked

if TYPE_CHECKING:
    from everfit.serve.scorer import Scorer

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MOST_LEVELS = 100  # a longer list helps nobody; the description says how many there are
KEY = "_key"
SINGLE = ["string", "number", "boolean"]


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """A model as its clients see it: what a row holds, and what an answer holds.

    ``version`` is written ``v3``; ``labels`` are in the type in which they are given back, none
    for a model that predicts numbers; ``known`` has the levels of categories.
    """

    name: str
    version: str
    columns: tuple[Asked, ...]
    known: Mapping[str, frozenset[str]] = field(default_factory=dict)
    labels: tuple[str | int | float | bool, ...] = ()
    target: str = ""


def describe(name: str, version: str, scorer: Scorer, *, target: str = "") -> ModelDescription:
    """The description of a loaded version.

    Parameters
    ----------
    version : ``v3``
    target : the name of what is predicted, when it is known
    """
    labels: tuple[Any, ...] = ()
    if scorer.form == "probabilities":
        import numpy as np  # there already wherever a scorer is

        labels = tuple(scorer.decide(np.eye(len(scorer.labels))))
    return ModelDescription(name, version, scorer.asked, scorer.known, labels, target)


def row_schema(described: ModelDescription) -> dict[str, Any]:
    """The JSON Schema of one row: nothing is required, since whatever is absent counts as missing.

    It names what the model expects. A row that does not fit it in types, levels or ranges is
    answered all the same, with warnings.

    Examples
    --------
    >>> from everfit.records import Column
    >>> age = Asked(Column("age", "number"), low=18.0, high=96.0)
    >>> row_schema(ModelDescription("churn", "v3", (age,)))["properties"]["age"]["type"]
    ['number', 'null']
    """
    known = described.known
    predicts = f"; it predicts {described.target}" if described.target else ""
    return {
        "$schema": DIALECT,
        "title": f"A row of {described.name} {described.version}",
        "description": f"What {described.name} {described.version} reads{predicts}. A column that "
        "is absent or null counts as missing, or its default stands in; others are ignored.",
        "type": "object",
        "properties": {
            item.column.name: _column(item, known.get(item.column.name, frozenset()))
            for item in described.columns
        }
        | {
            KEY: {
                "type": ["string", "number", "null"],
                "description": "what or whom the row is about",
            }
        },
        # a list or an object under another name is refused: rows wrapped in something
        "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
        "examples": [example_row(described)],
    }


def example_row(described: ModelDescription) -> dict[str, Any]:
    """A row that fits: the middle of each range, the first of each column's levels.

    Examples
    --------
    >>> from everfit.records import Column
    >>> age = Asked(Column("age", "number"), low=18.0, high=96.0)
    >>> example_row(ModelDescription("churn", "v3", (age,)))
    {'age': 57}
    """
    known = described.known
    return {
        item.column.name: _example(item, known.get(item.column.name, frozenset()))
        for item in described.columns
    }


def _column(item: Asked, known: frozenset[str]) -> dict[str, Any]:
    column = item.column
    levels = list(column.levels) or sorted(known)
    if column.kind == "number":
        made: dict[str, Any] = {"type": ["number", "null"]}
    elif column.kind == "boolean":
        # one type each: generators of clients make nothing of a list that mixes them
        made = {"type": ["boolean", "null"]}
        if column.levels:
            made = {"anyOf": [made, {"enum": list(column.levels)}]}
    elif column.kind in ("category", "ordered") and 0 < len(levels) <= MOST_LEVELS:
        # a level that is not known is no error, so the list cannot stand alone
        made = {"anyOf": [{"enum": levels}, {"type": [*SINGLE, "null"]}]}
    elif column.kind in ("date", "text"):
        made = {"type": ["string", "null"]}
    else:
        made = {"type": [*SINGLE, "null"]}
    made["description"] = _words(item, len(levels))
    if _plain(item.default) is not None:
        made["default"] = _plain(item.default)
    made["examples"] = [_example(item, known)]
    return made


def _words(item: Asked, n_levels: int) -> str:
    kind = item.column.kind
    if kind == "number" and item.low is not None and item.high is not None:
        return f"number; trained on {item.low:.6g} to {item.high:.6g}"
    if kind == "date":
        return "date or time, ISO 8601; a time without a zone is UTC"
    if kind in ("category", "ordered"):
        words = "category" if kind == "category" else "category with an order"
        return f"{words}; {n_levels} known levels, any other counts as none of them"
    return kind


def _example(item: Asked, known: frozenset[str]) -> Any:
    kind = item.column.kind
    if kind == "number":
        if item.low is None or item.high is None or not isfinite(item.high - item.low):
            return _plain(item.default)
        middle = (item.low + item.high) / 2
        return round(middle) if _whole(item.low, item.high) else float(f"{middle:.6g}")
    if kind == "boolean":
        return True
    if kind == "date":
        return "2026-11-20T12:00:00"
    levels: Sequence[str] = item.column.levels or sorted(known)
    if levels:
        return levels[0]
    return _plain(item.default) or ("some words" if kind == "text" else None)


def _whole(low: float, high: float) -> bool:
    return float(low).is_integer() and float(high).is_integer() and high - low > 1


def _plain(value: Any) -> Any:
    """The value when JSON has a word for it, else None."""
    if isinstance(value, float) and not isfinite(value):
        return None
    return value if isinstance(value, (str, int, float, bool)) else None
