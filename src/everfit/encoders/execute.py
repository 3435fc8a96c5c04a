"""Run the steps of a feature plan over all rows of a frame at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import singledispatch
from typing import Any, Literal

import numpy as np
import polars as pl

from everfit.encoders import steps as st
from everfit.encoders.words import Describer
from everfit.records import Array

Vocabularies = Mapping[str, Sequence[str | None]]


class Reader:
    """Base values of the columns of a frame, each read once.

    A column that the frame does not have is all missing.
    """

    def __init__(
        self, frame: pl.DataFrame, inputs: Sequence[st.Input], known: Vocabularies
    ) -> None:
        self.n = frame.height
        self._frame = frame
        self._inputs = {item.name: item for item in inputs}
        self._vocabularies = known
        self._columns = set(frame.columns)
        self._kept: dict[str, Array] = {}
        self._ready: dict[str, pl.Series] = {}

    def floats(self, name: str) -> Array:
        """The base values of column ``name``: float64 (n,)."""
        if name not in self._kept:
            self._kept[name] = self._read(name)
        return self._kept[name]

    def read_all(self) -> None:
        """Read all columns in one query, whose threads work side by side."""
        present = [i for i in self._inputs.values() if i.name in self._columns and i.kind != "text"]
        read = self._frame.select(self._as_float(item) for item in present)
        self._ready = dict(zip(read.columns, read.get_columns(), strict=True))

    def codes(self, name: str) -> Array:
        """Category codes as int64 (n,); a category that is not known has the size as its code."""
        key = f"\0{name}"
        if key not in self._kept:
            values = self.floats(name)
            unknown = float(len(self._vocabularies[name]))
            self._kept[key] = np.where(np.isnan(values), unknown, values).astype(np.int64)
        return self._kept[key]

    def series(self, name: str) -> pl.Series:
        """The column itself, all null when it is not there."""
        if name in self._columns:
            return self._frame[name]
        return pl.Series(name, [None] * self.n, dtype=pl.String)

    def dates(self, name: str) -> pl.Series:
        """A date column as Datetime[us], null where it is none."""
        series = self.series(name)
        return series.to_frame().select(_date(pl.first(), series.dtype)).to_series()

    def _read(self, name: str) -> Array:
        kind = self._inputs[name].kind
        if name not in self._columns:
            values = np.full(self.n, np.nan)
            if kind == "category" and None in self._vocabularies[name]:
                values[:] = list(self._vocabularies[name]).index(None)
            return values
        if name in self._ready:
            values = self._ready[name].to_numpy()
        else:
            read = self._frame.select(self._as_float(self._inputs[name]))
            values = read.to_series().to_numpy()
        if kind in ("category", "ordered"):
            return _with_missing(values, self._frame[name], self._vocabularies[name])
        if kind == "date":
            return values / 1e6
        endless = np.isinf(values)
        return np.where(endless, np.nan, values) if endless.any() else values

    def _as_float(self, item: st.Input) -> pl.Expr:
        column, dtype = pl.col(item.name), self._frame.schema[item.name]
        if item.kind in ("category", "ordered"):
            column = _place(column, self._vocabularies[item.name])
        elif item.kind == "boolean" and dtype == pl.String:
            column = _place(column, item.levels or ("false", "true"))
        elif item.kind == "date":
            column = _date(column, dtype).dt.epoch("us")
        return _filled(column)


def _filled(column: pl.Expr) -> pl.Expr:
    return column.cast(pl.Float64, strict=False).fill_null(float("nan"))


def _date(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if dtype == pl.String:
        return column.str.to_datetime(strict=False, time_unit="us", ambiguous="null")
    return column.cast(pl.Datetime("us"), strict=False)


def _place(column: pl.Expr, vocabulary: Sequence[str | None]) -> pl.Expr:
    """The place of each word among the words of ``vocabulary``, which may have None among them."""
    words = pl.Enum([word for word in vocabulary if word is not None])
    return column.cast(pl.String, strict=False).cast(words, strict=False).to_physical()


def _with_missing(places: Array, series: pl.Series, vocabulary: Sequence[str | None]) -> Array:
    """Places among all of ``vocabulary``: None has one too, and shifts the words after it."""
    if None not in vocabulary:
        return places
    missing = list(vocabulary).index(None)
    found: Array = np.where(places >= missing, places + 1.0, places)
    found[series.is_null().to_numpy()] = missing
    return found


def code(series: pl.Series, vocabulary: Sequence[str | None]) -> Array:
    """Positions of the values of ``series`` in ``vocabulary``: float64 (n,), NaN for others.

    Examples
    --------
    >>> code(pl.Series(["b", None, "z", "a"]), ["a", "b", None])
    array([ 1.,  2., nan,  0.])
    """
    places = series.to_frame().select(_filled(_place(pl.first(), vocabulary))).to_series()
    return _with_missing(places.to_numpy(), series, vocabulary)


def run(
    steps: Sequence[st.Step],
    inputs: Sequence[st.Input],
    known: Vocabularies,
    frame: pl.DataFrame,
    *,
    order: Literal["C", "F"] = "C",
) -> Array:
    """Features of all rows: float64 (n, total size of the steps).

    ``order`` F, column by column, is written in a tenth of the time of C, row by row.
    """
    reader = Reader(frame, inputs, known)
    reader.read_all()
    out = np.empty((frame.height, sum(step.size for step in steps)), order=order)
    start = 0
    for step in steps:
        out[:, start : start + step.size] = apply(step, reader)
        start += step.size
    return out


@singledispatch
def apply(step: Any, reader: Reader) -> Array:
    """The features of one step: (n, size)."""
    raise TypeError(f"no way to run a {type(step).__name__}")


@apply.register
def _take(step: st.Take, reader: Reader) -> Array:
    return reader.floats(step.column)[:, None]


@apply.register
def _missing(step: st.Missing, reader: Reader) -> Array:
    return np.isnan(reader.floats(step.column)).astype(float)[:, None]


@apply.register
def _scale(step: st.Scale, reader: Reader) -> Array:
    values = reader.floats(step.column)
    filled = np.where(np.isnan(values), step.fill, values)
    return np.clip((filled - step.centre) / step.spread, -step.limit, step.limit)[:, None]


@apply.register
def _quantile(step: st.Quantile, reader: Reader) -> Array:
    values = reader.floats(step.column)
    x = np.where(np.isnan(values), step.fill, values)
    knots, marks = np.asarray(step.knots), np.asarray(step.marks)
    slopes = np.diff(marks) / np.diff(knots)
    x = np.clip(x, knots[0], knots[-1])
    at = np.clip(np.searchsorted(knots, x, side="right") - 1, 0, len(slopes) - 1)
    return np.asarray((marks[at] + slopes[at] * (x - knots[at]))[:, None])


@apply.register
def _one_hot(step: st.OneHot, reader: Reader) -> Array:
    codes = np.minimum(reader.codes(step.column), step.levels)
    out = np.zeros((reader.n, step.levels + 1))
    out[np.arange(reader.n), codes] = 1.0
    return out[:, : step.size]


@apply.register
def _date_part(step: st.DatePart, reader: Reader) -> Array:
    if step.part == "days":
        return ((reader.floats(step.column) - step.reference) / 86_400.0)[:, None]
    return date_part(reader.dates(step.column), step.part)[:, None]


def date_part(dates: pl.Series, part: str) -> Array:
    """Year, month (1..12), day, weekday (Monday 0) or hour of each date: float64 (n,)."""
    ways: Mapping[str, Callable[[], pl.Series]] = {
        "year": dates.dt.year, "month": dates.dt.month, "day": dates.dt.day,
        "weekday": dates.dt.weekday, "hour": dates.dt.hour,
    }  # fmt: skip
    values = ways[part]().to_frame().select(_filled(pl.first())).to_series().to_numpy()
    return values - 1.0 if part == "weekday" else values


@apply.register
def _cycle(step: st.Cycle, reader: Reader) -> Array:
    values = date_part(reader.dates(step.column), step.part)
    known = ~np.isnan(values)
    out = np.zeros((reader.n, 2))
    out[known] = step.table[values[known].astype(int) % len(step.table)]
    return out


def keys_of(codes: Sequence[Array], sizes: Sequence[int]) -> Array:
    """One int64 key for each row's tuple of codes; see :class:`everfit.encoders.steps.Lookup`."""
    key = codes[0]
    for other, size in zip(codes[1:], sizes[1:], strict=True):
        key = key * (size + 1) + other
    return key


@apply.register
def _lookup(step: st.Lookup, reader: Reader) -> Array:
    keys = keys_of([reader.codes(name) for name in step.columns], step.sizes)
    table = np.vstack([step.table.reshape(-1, step.size), step.default])
    if not len(step.keys):
        return np.asarray(table[np.zeros(reader.n, dtype=np.int64)])
    at = np.minimum(np.searchsorted(step.keys, keys), len(step.keys) - 1)
    return np.asarray(table[np.where(step.keys[at] == keys, at, len(step.keys))])


@apply.register
def _arithmetic(step: st.Arithmetic, reader: Reader) -> Array:
    left, right = reader.floats(step.left), reader.floats(step.right)
    if step.operation == "difference":
        return (left - right)[:, None]
    if step.operation == "product":
        return (left * right)[:, None]
    return (left / np.where(right == 0.0, np.nan, right))[:, None]


@apply.register
def _gap(step: st.Gap, reader: Reader) -> Array:
    return (reader.floats(step.column) - step.table[reader.codes(step.category)])[:, None]


@apply.register
def _words(step: st.Words, reader: Reader) -> Array:
    texts = reader.series(step.column).cast(pl.String, strict=False).to_list()
    return Describer(step)(texts)
