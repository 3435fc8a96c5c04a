"""Asks for lists, their answers and interactions as JSON Schema."""

from __future__ import annotations

from typing import Any

from everfit.live.desk.wanting import MOST_K

Schema = dict[str, Any]
NAME: Schema = {"type": ["string", "number"]}
TEXT: Schema = {"type": "string"}
MODEL_ASK = {"user": 42, "k": 10}
EXAMPLES: dict[str, Any] = {
    "a user": {"value": MODEL_ASK},
    "a new user, from what is in stock": {
        "value": {"history": [50, 181], "allowed": [172, 1, 174], "why": True}
    },
}
NEAR_EXAMPLE: dict[str, Any] = {"item": 50, "k": 5}
MET_EXAMPLES: dict[str, Any] = {
    "one": {"value": {"user": 42, "item": 50}},
    "many": {"value": [{"user": 42, "item": 50, "at": "2026-11-20T12:00:00Z", "weight": 2}]},
}


def ask_schema(model: str) -> Schema:
    """The JSON Schema of an ask for a list.

    Examples
    --------
    >>> ask_schema("movies")["properties"]["k"]["maximum"]
    1000
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"An ask for a list of {model}",
        **_asks()["ListAsk"],
    }


def list_schemas() -> dict[str, Schema]:
    """All schemas about lists, by name."""
    return {**_asks(), **_answers(), **_interactions()}


def _asks() -> dict[str, Schema]:
    which = {
        "k": {
            "type": "integer", "minimum": 1, "maximum": MOST_K,
            "description": "how many; 10 when absent",
        },
        "allowed": _names("the only items that may be shown; all when absent or null"),
        "blocked": _names("items that may not be shown"),
    }  # fmt: skip
    user: Schema = {
        "type": ["string", "number", "null"], "description": "whom the list is for"
    }  # fmt: skip
    seen = {"type": "boolean", "description": "leave out what was met before: true when absent"}
    top = {
        "user": user,
        "history": _names("items that somebody met, oldest first, instead of a user"),
        **which,
        "exclude_seen": seen,
        "why": {"type": "boolean", "description": "say which past items speak for each"},
    }
    return {
        "ListAsk": {
            "type": "object", "properties": top, "additionalProperties": False,
            "not": {
                "required": ["user", "history"],
                "properties": {
                    "user": {"type": ["string", "number"]}, "history": {"type": "array"},
                },
            },
            "examples": [MODEL_ASK],
        },
        "NearAsk": {
            "type": "object", "properties": {"item": NAME, **which}, "required": ["item"],
            "additionalProperties": False,
        },
    }  # fmt: skip


def _answers() -> dict[str, Schema]:
    item: Schema = {"type": ["string", "number", "boolean"]}
    reason = _record(
        {"item": item, "share": {"type": "number"}, "title": TEXT}, ["item", "share"]
    )  # fmt: skip
    entry = {
        "item": item, "score": {"type": "number"}, "title": TEXT,
        "because": {"type": "array", "items": {"$ref": "#/components/schemas/Reason"}},
        "propensity": {"type": "number", "description": "the chance with which its place got it"},
    }  # fmt: skip
    answer = {
        "id": {"type": "string", "description": "name it when its outcome is known"},
        "items": {"type": "array", "items": {"$ref": "#/components/schemas/Entry"}},
        "fallback": {
            "type": ["string", "null"],
            "description": "why this is not the ask's own list; null when it is",
        },
        "model": TEXT,
        "version": {"type": "string", "examples": ["v3"]},
        "arm": {"type": "string", "enum": ["champion", "canary", "holdout", "direct"]},
        "warnings": {"type": "array", "items": TEXT},
    }
    return {
        "Reason": reason,
        "Entry": _record(entry, ["item", "score"]),
        "ListAnswer": _record(answer, list(answer)),
    }


def _interactions() -> dict[str, Schema]:
    weight = {"type": "number", "exclusiveMinimum": 0, "maximum": 1_000_000_000}
    met = {
        "user": {**NAME, "minLength": 1}, "item": {**NAME, "minLength": 1},
        "at": {
            "type": ["string", "null"], "format": "date-time",
            "description": "when, with its zone; now, when absent",
        },
        "weight": {**weight, "description": "what it counts; 1 when absent"},
    }  # fmt: skip
    whole = {"type": "integer"}
    told = {"accepted": whole, "counted": whole, "unknown": whole}
    return {
        "Interaction": _record(met, ["user", "item"]) | {"additionalProperties": False},
        "Interactions": {
            "type": "array", "items": {"$ref": "#/components/schemas/Interaction"}
        },
        "InteractionsAnswer": _record(told, list(told)),
    }  # fmt: skip


def _names(about: str) -> Schema:
    return {"type": ["array", "null"], "items": NAME, "description": about}


def _record(properties: Schema, required: list[str]) -> Schema:
    return {"type": "object", "properties": properties, "required": required}
