"""Reading: values of rows, given as dicts, become floats, words and dates, column by column."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

# <body>
Array = np.ndarray[Any, np.dtype[Any]]
NAN = float("nan")
# words for missing in any column, and those for no and yes; a test holds them equal to Everfit's
MISSING = frozenset(
    {"", "?", "NA", "N/A", "n/a", "NaN", "nan", "NAN", "null", "NULL", "Null", "<NA>", "#N/A"}
    | {"\\N", "NaT", "(null)", "#NA", "-nan", "-NaN"}
)
NO, YES = ("false", "no", "n", "f", "0"), ("true", "yes", "y", "t", "1")


class Column:
    """Reads the values of one column."""

    def __init__(self, item: Mapping[str, Any]) -> None:
        self.name, self.kind, self.default = item["name"], item["kind"], item["default"]
        self.marks, self.known = frozenset(item["marks"]), frozenset(item["known"])
        self.numbers = {number for mark in self.marks if (number := as_float(mark)) is not None}
        self.words: dict[Any, float] = dict.fromkeys(NO, 0.0) | dict.fromkeys(YES, 1.0)
        for word, value in zip(item["levels"], (0.0, 1.0), strict=False):
            self.words[word] = self.words[word.lower()] = value
        truths: dict[Any, float] = {False: 0.0, True: 1.0}
        self.words |= truths

    def read(self, rows: Sequence[Mapping[str, Any]]) -> Any:
        """Floats (n,) of numbers and booleans, else a list of words or dates; None is missing."""
        ways = {
            "number": self.number, "boolean": self.boolean, "date": as_date, "text": as_text
        }  # fmt: skip
        one = ways.get(self.kind, self.category)
        found = [one(row.get(self.name, self.default)) for row in rows]
        return np.array(found, dtype=float) if self.kind in ("number", "boolean") else found

    def number(self, value: Any) -> float:
        """A number, NaN for missing."""
        if absent(value) or (isinstance(value, str) and self.stands_for_missing(value)):
            return NAN
        number = as_float(value)
        if number is None or number in self.numbers or not abs(number) <= sys.float_info.max:
            return NAN
        return number

    def boolean(self, value: Any) -> float:
        """0 or 1, NaN for missing and for neither."""
        if absent(value):
            return NAN
        try:
            if value in self.words:
                return self.words[value]
        except TypeError:
            return NAN
        return self.words.get(str(value).strip().lower(), NAN)

    def category(self, value: Any) -> str | None:
        """The level as training spelt it, None for missing."""
        if absent(value) or (not isinstance(value, str) and hasattr(value, "__len__")):
            return None
        tries = spellings(value)
        for text in tries:
            if text in self.known:
                return text
        return None if self.stands_for_missing(tries[-1]) else tries[0]

    def stands_for_missing(self, text: str) -> bool:
        """Whether a text is a word for missing."""
        return text.strip() in MISSING or text.strip() in self.marks


def absent(value: Any) -> bool:
    """Whether a value is None, NaN, or pandas' NaT or NA."""
    if value is None:
        return True
    try:
        return bool(value != value)  # noqa: PLR0124 - NaN and NaT differ from themselves
    except (TypeError, ValueError):
        return type(value).__name__ == "NAType"


def as_float(value: Any) -> float | None:
    """A value as a number, None when it is none."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def spellings(value: Any) -> tuple[str, str]:
    """How a category may be written in the training data, the likeliest first."""
    if isinstance(value, bool):
        return str(value).lower(), str(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value)), str(value)
    return str(value), str(value).strip()


def as_text(value: Any) -> str | None:
    """A stripped text, None for missing."""
    bare = "" if absent(value) else str(value).strip()
    return None if bare in MISSING else bare


def as_date(value: Any) -> datetime | None:
    """A naive UTC date, None for missing and for what is none."""
    if absent(value):
        return None
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            return None
    if hasattr(value, "item"):
        value = value.astype("datetime64[us]").item()
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    return datetime(value.year, value.month, value.day) if isinstance(value, date) else None
