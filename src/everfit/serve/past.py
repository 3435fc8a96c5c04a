"""Events as they were recorded, read as the models of a version learnt them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from math import isfinite
from typing import Any

from everfit.events import Event, moment
from everfit.serve.row import Asked, RowReader

TRUE_FALSE = {"true": "1", "false": "0"}


class PastReader:
    """Turns ``[at, values, outcome]`` into events.

    Parameters
    ----------
    asked : the columns of the version; others are not part of an event
    labels : of the target, in the order of their codes; none for a number
    """

    def __init__(self, asked: Sequence[Asked], labels: Sequence[str]) -> None:
        # a column that an event lacks is missing in it: the default of a row says nothing of then
        self._reader = RowReader([replace(one, default=None) for one in asked], {})
        self._boolean = {one.column.name for one in asked if one.column.kind == "boolean"}
        self._codes = {label: code for code, label in enumerate(labels)}

    def events(self, plain: Sequence[Sequence[Any]]) -> list[Event]:
        """The events, in the same order."""
        return [Event(moment(at), self._values(v), self.outcome(y)) for at, v, y in plain]

    def _values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        row, _ = self._reader(values)
        return {name: self._plain(name, row[at]) for name, at in self._reader.positions.items()}

    def _plain(self, name: str, value: Any) -> Any:
        if isinstance(value, float):
            if value != value:  # noqa: PLR0124 - NaN alone differs from itself
                return None
            return bool(value) if name in self._boolean else value
        return value.isoformat() if isinstance(value, datetime) else value

    def outcome(self, value: Any) -> float | int | None:
        """What turned out true as ``y`` of ``fit`` has it; None for what is no label or number."""
        if value is None:
            return None
        if not self._codes:
            return _number(value)
        for text in spellings(value):
            if text in self._codes:
                return self._codes[text]
        return None


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if isfinite(number) else None


def spellings(value: Any) -> tuple[str, ...]:
    """How a label may have been written when it was learnt, the likeliest first."""
    if isinstance(value, bool):
        word = str(value).lower()
        return word, str(value), TRUE_FALSE[word]
    number = _number(value)
    if number is not None and number.is_integer():
        return str(value), str(int(number)), f"{number:.1f}"
    return (str(value),)
