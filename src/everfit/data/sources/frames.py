"""Frames in memory: Polars, pandas, Arrow, a dict of lists or a list of dicts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import polars as pl

from everfit.data.sources.contract import check_width, tidy_names
from everfit.errors import DataError, UsageError

SLICE = 262_144  # rows


class Frame:
    """A frame in memory as a source.

    Raises
    ------
    UsageError : it is no frame
    DataError : its columns do not have the same length
    """

    def __init__(self, source: Any) -> None:
        self.uri = f"a {type(source).__module__.split('.')[0]} frame"
        self.notes: list[str] = []
        self.ordered: dict[str, tuple[str, ...]] = {}
        self.comma = False
        frame = self._to_polars(source)
        self.names = tidy_names(frame.columns, self.notes)
        frame.columns = list(self.names)
        check_width(self.uri, frame.width)
        self._frame, dropped = plain(frame)
        self.names = tuple(self._frame.columns)
        self.notes += dropped

    def sha256(self) -> None:
        """Frames have no bytes of their own: the reader hashes the rows."""

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Slices of the frame."""
        frame = self._frame if columns is None else self._frame.select(columns)
        yield from frame.iter_slices(SLICE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def _to_polars(self, source: Any) -> pl.DataFrame:
        if isinstance(source, pl.DataFrame):
            return source.clone()
        if isinstance(source, pl.LazyFrame):
            return source.collect()
        if isinstance(source, pl.Series):
            return source.to_frame()
        if isinstance(source, Mapping):
            return self._from_lists(dict(source))
        if isinstance(source, (list, tuple)) and source and isinstance(source[0], Mapping):
            return self._from_lists(_columns_of(source))
        if type(source).__module__.split(".")[0] == "pandas" and hasattr(source, "columns"):
            return self._from_pandas(source)
        if hasattr(source, "__arrow_c_stream__"):
            self.uri = "an Arrow table"
            found = pl.from_arrow(source)
            return found if isinstance(found, pl.DataFrame) else found.to_frame()
        raise UsageError(
            f"a {type(source).__name__} cannot be read as a table",
            got=repr(source)[:80],
            expected="a path, a glob, a database URL, a pandas or Polars frame, an Arrow table, "
            "or a dict of lists",
            do="turn it into one of these",
        )

    def _from_lists(self, lists: dict[Any, Any]) -> pl.DataFrame:
        self.uri = "a dict of lists"
        lengths = {str(name): len(values) for name, values in lists.items()}
        if len(set(lengths.values())) > 1:
            raise DataError(
                "the columns of a dict do not have the same length",
                got=", ".join(f"{name!r}: {n}" for name, n in list(lengths.items())[:8]),
                expected="lists of one length",
                do="give each column a value for each row, None where it is missing",
            )
        return pl.DataFrame([series_of(str(name), list(v)) for name, v in lists.items()])

    def _from_pandas(self, source: Any) -> pl.DataFrame:
        self.uri = "a pandas frame"
        columns: list[pl.Series] = []
        names = tidy_names([str(name) for name in source.columns], self.notes)
        for place, name in enumerate(names):
            values = source.iloc[:, place]
            dtype = values.dtype
            if getattr(dtype, "ordered", False):
                self.ordered[name] = tuple(str(level) for level in dtype.categories)
            if str(dtype) == "object":
                columns.append(series_of(name, values.tolist()))
            else:
                if str(dtype) == "category":
                    values = values.astype("object").astype("string")
                found = pl.from_pandas(values, nan_to_null=True)
                columns.append(pl.Series(name, found))
        return pl.DataFrame(columns)


def _columns_of(rows: Sequence[Mapping[Any, Any]]) -> dict[str, list[Any]]:
    names = dict.fromkeys(str(name) for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def series_of(name: str, values: Sequence[Any]) -> pl.Series:
    """A series of Python values; mixed types become text, NaN and pandas' NA become null.

    Examples
    --------
    >>> series_of("x", [1, "a", None]).to_list()
    ['1', 'a', None]
    >>> series_of("x", [1, 2.5, float("nan")]).to_list()
    [1.0, 2.5, None]
    """
    known = [None if _is_missing(value) else value for value in values]
    types = {type(value) for value in known if value is not None}
    if len(types) > 1 and types <= {int, float}:
        return pl.Series(name, [None if v is None else float(v) for v in known])
    try:
        if len(types) <= 1:
            return pl.Series(name, known, strict=True)
        return pl.Series(name, [None if v is None else _text_of(v) for v in known])
    except (TypeError, OverflowError, pl.exceptions.PolarsError):
        # a type that Polars cannot hold, such as an int beyond 64 bits, is kept as words
        return pl.Series(name, [None if v is None else _text_of(v) for v in known])


def _is_missing(value: Any) -> bool:
    if value is None:
        return True
    if isinstance(value, float):
        return math.isnan(value)
    return type(value).__name__ in ("NAType", "NaTType")


def _text_of(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def plain(frame: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """The frame with each column as Int64, Float64, Boolean, Datetime[us] or String.

    Returns the frame and notes about columns that cannot be used. Structs become one column
    each field, lists become text.
    """
    notes: list[str] = []
    columns: list[pl.Series] = []
    for values in frame.get_columns():
        columns += _plain_columns(values, notes)
    return pl.DataFrame(columns), notes


def _plain_columns(values: pl.Series, notes: list[str]) -> list[pl.Series]:
    dtype = values.dtype
    if dtype in (pl.String, pl.Int64, pl.Boolean):
        return [values]
    if dtype.is_integer():
        limit = values.max() if dtype in (pl.UInt64, pl.Int128) else None
        wide = isinstance(limit, int) and limit > 2**63 - 1
        return [values.cast(pl.Float64 if wide else pl.Int64)]
    if dtype.is_numeric():
        return [values.cast(pl.Float64)]
    if isinstance(dtype, pl.Datetime):
        utc = values.dt.convert_time_zone("UTC") if dtype.time_zone else values
        return [utc.dt.replace_time_zone(None).dt.cast_time_unit("us")]
    if dtype == pl.Date:
        return [values.cast(pl.Datetime("us"))]
    if isinstance(dtype, pl.Duration):
        return [values.dt.total_microseconds() / 1e6]
    if isinstance(dtype, pl.Struct):
        fields = values.struct.unnest()
        found = [field.alias(f"{values.name}.{field.name}") for field in fields.get_columns()]
        return [column for field in found for column in _plain_columns(field, notes)]
    if isinstance(dtype, (pl.List, pl.Array)):
        text = pl.Series(values.name, [None if v is None else str(v.to_list()) for v in values])
        return [text.cast(pl.String)]
    if dtype == pl.Binary:
        notes.append(f"column {values.name!r} holds bytes and was left out")
        return []
    if dtype == pl.Object:
        return [pl.Series(values.name, [None if v is None else str(v) for v in values], pl.String)]
    return [values.cast(pl.String)]
