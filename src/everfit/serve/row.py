"""One row as a dict, checked against the schema: base values in a fixed order, and warnings.

The fast path (:mod:`everfit.serve.compiled`) costs one or two microseconds. A row that does not fit
it exactly - a column missing, a value out of range or of another type - takes the slow path, which
gives the same values and says what was odd.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import isfinite, isnan
from operator import itemgetter
from typing import Any

from everfit.column import Column
from everfit.serve.compiled import Read, Write, filling, reading

UNKNOWN = "counts as none of the known ones"  # the model card and batches say the same
NAN = float("nan")
LARGEST = 1.7976931348623157e308
EPOCH = datetime(1970, 1, 1)
MICROSECOND = timedelta(microseconds=1)
TRUE_WORDS = ("true", "yes", "y", "t", "1")
FALSE_WORDS = ("false", "no", "n", "f", "0")
# the words that the reader of data takes for missing in any column (data/columns/missing.py), kept
# here too because that module needs polars; a test holds both equal
MISSING_WORDS = frozenset(
    {"", "?", "NA", "N/A", "n/a", "NaN", "nan", "NAN", "null", "NULL", "Null", "<NA>", "#N/A"}
    | {"\\N", "NaT", "(null)", "#NA", "-nan", "-NaN"}
)
_ORDER = {"number": 0, "boolean": 1, "category": 2, "ordered": 2, "date": 3, "text": 4}


@dataclass(frozen=True, slots=True)
class Asked:
    """A column of a packed version: its training range and what stands in when it is absent."""

    column: Column
    low: float | None = None
    high: float | None = None
    default: Any = None


def getter(items: Sequence[Any]) -> Callable[[Any], tuple[Any, ...]]:
    """An itemgetter that gives a tuple for any number of items, one and none too.

    Examples
    --------
    >>> getter(["a"])({"a": 1}), getter([])({"a": 1})
    ((1,), ())
    """
    if len(items) > 1:
        return itemgetter(*items)
    if items:
        return lambda values: (values[items[0]],)
    return lambda values: ()


class RowReader:
    """Turns dicts into base values: floats, then categories, dates and texts.

    Parameters
    ----------
    asked : the columns that some feature plan reads
    known : for category and ordered columns the levels that are known

    ``positions`` says where each column stands in what is returned: numbers and booleans (0 or 1)
    as floats with NaN for missing, categories and texts as str or None, dates as naive UTC
    datetimes or None.
    """

    def __init__(self, asked: Sequence[Asked], known: Mapping[str, frozenset[str]]) -> None:
        ordered = sorted(asked, key=lambda item: _ORDER[item.column.kind])
        self._asked = ordered
        self.known = dict(known)
        names = [item.column.name for item in ordered]
        self.positions = {name: i for i, name in enumerate(names)}
        self._names = names
        kinds = [item.column.kind for item in ordered]
        self._n = sum(item.column.kind == "number" for item in ordered)
        numbers = ordered[: self._n]
        self._lows = tuple(-LARGEST if c.low is None else float(c.low) for c in numbers)
        self._highs = tuple(LARGEST if c.high is None else float(c.high) for c in numbers)
        self._marks = {
            i: marks for i, c in enumerate(numbers) if (marks := _number_marks(c.column))
        }
        self._boolean: dict[int, Mapping[Any, float]] = {}
        self._level: dict[int, frozenset[str]] = {}
        for i, item in enumerate(ordered):
            if item.column.kind == "boolean":
                self._boolean[i] = _boolean_words(item.column)
            elif item.column.kind in ("category", "ordered"):
                self._level[i] = known.get(item.column.name, frozenset())
        self._ways = [(name, *self._way(i, kinds[i])) for i, name in enumerate(names)]
        self._fast = reading(self._ways)

    def _way(self, i: int, kind: str) -> tuple[str, Any, Any]:
        """How the fast path reads column ``i``: see :mod:`everfit.serve.compiled`."""
        if i in self._marks:
            return "m", (self._marks[i], self._lows[i]), self._highs[i]
        if i < self._n:
            return "n", self._lows[i], self._highs[i]
        if i in self._boolean:
            return "b", self._boolean[i], None
        if i in self._level:
            return "l", self._level[i] | {None}, None
        return ("d", None, None) if kind == "date" else ("t", _text, None)

    def __call__(self, values: Mapping[str, Any]) -> tuple[list[Any], tuple[str, ...]]:
        """Base values of one row in the order of ``positions``, and what was odd about it."""
        try:
            row = self._fast(values)
        except (KeyError, TypeError, OverflowError):
            # a column that is not there, or a value of another type
            row = None
        return self._slow(values) if row is None else (row, ())

    def filling(self, writes: Sequence[Write]) -> Read | None:
        """What reads a row that is not odd, and writes it; see :mod:`everfit.serve.compiled`."""
        return filling(self._ways, writes)

    def _slow(self, values: Mapping[str, Any]) -> tuple[list[Any], tuple[str, ...]]:
        row: list[Any] = []
        odd: list[str] = []
        for i, (name, item) in enumerate(zip(self._names, self._asked, strict=True)):
            if name in values:
                value = values[name]
            else:
                value = item.default
                instead = "it counts as missing" if value is None else f"{value!r} is used"
                odd.append(f"{name}: not given, {instead}")
            if i < self._n:
                row.append(self._number(i, item, value, odd))
            elif item.column.kind == "boolean":
                row.append(self._boolean_value(i, item.column, value, odd))
            elif item.column.kind == "date":
                row.append(_date(name, value, odd))
            elif item.column.kind == "text":
                row.append(None if _absent(value) else _text(str(value)))
            else:
                row.append(self._category(i, item.column, value, odd))
        return row, tuple(odd)

    def _number(self, i: int, item: Asked, value: Any, odd: list[str]) -> float:
        if _absent(value):
            return NAN
        name = item.column.name
        if isinstance(value, str):
            bare = value.strip()
            if bare in MISSING_WORDS or bare in item.column.missing_marks:
                return NAN
            odd.append(f"{name}: the text {value[:40]!r} was given for a number")
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            if not isinstance(value, str):
                odd.append(f"{name}: {_kind_of(value)} was given for a number")
            odd.append(f"{name}: counts as missing")
            return NAN
        if isnan(number) or number in self._marks.get(i, ()):
            return NAN
        if not isfinite(number):
            odd.append(f"{name}: an infinite number counts as missing")
            return NAN
        if not self._lows[i] <= number <= self._highs[i]:
            seen = f"{self._lows[i]:.6g} to {self._highs[i]:.6g}"
            odd.append(f"{name}: {number:.6g} is outside the training range {seen}")
        return number

    def _boolean_value(self, i: int, column: Column, value: Any, odd: list[str]) -> float:
        words = self._boolean[i]
        try:
            if value in words:
                return words[value]
            text = str(value).strip().lower()
        except TypeError:
            text = ""
        if text in words:
            return words[text]
        if _absent(value) or _is_mark(str(value), column):
            return NAN
        odd.append(
            f"{column.name}: {str(value)[:40]!r} is neither true nor false, it counts as missing"
        )
        return NAN

    def _category(self, i: int, column: Column, value: Any, odd: list[str]) -> str | None:
        levels = self._level[i]
        if _absent(value):
            return None
        if not isinstance(value, str) and hasattr(value, "__len__"):
            odd.append(f"{column.name}: {_kind_of(value)} was given for a category, it is missing")
            return None
        tries = _spellings(value)
        for text in tries:
            if text in levels:
                return text
        if _is_mark(tries[-1], column):
            return None
        odd.append(f"{column.name}: category {tries[0][:40]!r} is rare or new, it {UNKNOWN}")
        return tries[0]


def _absent(value: Any) -> bool:
    """Whether the value stands for missing: None, NaN, or pandas' NaT and NA."""
    if value is None:
        return True
    try:
        return bool(value != value)  # noqa: PLR0124 - NaN and NaT alone differ from themselves
    except (TypeError, ValueError):
        # NA refuses to be true or false; an array is no single value and is judged by its type
        return type(value).__name__ == "NAType"


def _is_mark(text: str, column: Column) -> bool:
    bare = text.strip()
    return bare in MISSING_WORDS or bare in column.missing_marks


def _text(text: str) -> str | None:
    bare = text.strip()
    return None if bare in MISSING_WORDS else bare


def _kind_of(value: Any) -> str:
    name = type(value).__name__
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def _number_marks(column: Column) -> frozenset[float]:
    marks = set()
    for mark in column.missing_marks:
        try:
            marks.add(float(mark))
        except ValueError:
            continue
    return frozenset(marks)


def _boolean_words(column: Column) -> Mapping[Any, float]:
    words: dict[Any, float] = dict.fromkeys(FALSE_WORDS, 0.0)
    words |= dict.fromkeys(TRUE_WORDS, 1.0)
    for word, value in zip(column.levels, (0.0, 1.0), strict=False):
        words[word] = words[word.lower()] = value
    # 0 and 0.0 are the same key as False
    return words | {False: 0.0, True: 1.0, None: NAN}


def _spellings(value: Any) -> tuple[str, ...]:
    """How the value may be written in the training data, the likeliest first, stripped last."""
    if isinstance(value, bool):
        return str(value).lower(), str(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value)), str(value)
    text = str(value)
    return text, text.strip()


def _date(name: str, value: Any, odd: list[str]) -> datetime | None:
    if _absent(value):
        return None
    if isinstance(value, str):
        if value.strip() in MISSING_WORDS:
            return None
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            odd.append(f"{name}: {value[:40]!r} is no ISO date, it counts as missing")
            return None
    if hasattr(value, "item"):
        value = value.astype("datetime64[us]").item()
    if isinstance(value, datetime):
        return value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    odd.append(f"{name}: {_kind_of(value)} was given for a date, it counts as missing")
    return None


def seconds_of(moment: datetime) -> float:
    """Seconds since 1970 of a naive UTC datetime, as a table of dates has them.

    Examples
    --------
    >>> seconds_of(datetime(1970, 1, 2))
    86400.0
    """
    return ((moment - EPOCH) // MICROSECOND) / 1e6
