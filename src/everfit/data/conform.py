"""Makes any frame fit the columns that a model was learnt from, and says what did not fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import polars as pl

from everfit.data.columns.collect import as_words
from everfit.data.columns.kinds import WORD_PAIRS, stamps
from everfit.data.columns.missing import ANYWHERE, blank, is_mark_beside_numbers, stripped
from everfit.data.columns.reading import Reading, choose_as, tally
from everfit.data.sources.frames import plain
from everfit.records import Column, Kind

NA_IS_A_VALUE = "NA is a value here"  # in the why of a column of codes: Namibia, North America
_UNUSED = frozenset({"target", "ignore", "weight"})


def conform(
    frame: pl.DataFrame,
    like: Sequence[Column],
    readings: Mapping[str, Reading] | None = None,
) -> tuple[pl.DataFrame, list[str]]:
    """``frame`` with exactly the columns of ``like`` as their kinds are stored, and notes.

    A value that cannot be of its column's kind becomes null; so does a column that is not there.
    Further columns are left out. Numbers are Float64 here, whatever they were when read.

    Parameters
    ----------
    frame : any Polars frame, rows of a prediction
    readings : how text columns are written, where a whole file has decided that already

    Examples
    --------
    >>> like = (Column("age", "number"), Column("plan", "category"))
    >>> fitted, notes = conform(pl.DataFrame({"age": ["41", "old"], "more": [1, 2]}), like)
    >>> fitted.to_dict(as_series=False)
    {'age': [41.0, None], 'plan': [None, None]}
    >>> notes[0]
    "column 'age': 1 of 2 values are no number and count as missing, such as 'old'"
    """
    notes: list[str] = []
    tidy, _ = plain(frame)
    columns: list[pl.Series] = []
    for column in like:
        if column.name not in tidy.columns:
            columns.append(_absent(column, frame.height))
            if column.role not in _UNUSED:
                notes.append(f"column {column.name!r} is not there and counts as missing")
            continue
        values = tidy[column.name]
        reading = (readings or {}).get(column.name)
        fitted, lost = fit_column(values, column, reading)
        columns.append(fitted)
        if lost.any():
            example = values.filter(lost).item(0)
            notes.append(
                f"column {column.name!r}: {int(lost.sum()):,} of {len(values):,} values are no "
                f"{column.kind} and count as missing, such as {example!r}"
            )
    return pl.DataFrame(columns), notes


def stored_type(column: Column) -> pl.DataType:
    """The type in which :func:`conform` stores a column."""
    if column.kind == "number":
        return pl.Float64()
    if column.kind == "boolean":
        return pl.Boolean()
    return pl.Datetime("us") if column.kind == "date" else pl.String()


def fit_column(
    values: pl.Series, column: Column, reading: Reading | None = None
) -> tuple[pl.Series, pl.Series]:
    """One column as its kind is stored, and where a value was lost."""
    if values.dtype == pl.String:
        values = _without_marks(values, column)
    if _fits(
        values, column.kind
    ):  # each answer and each window comes by here: nothing is looked for
        fitted = (
            values.cast(pl.Float64).fill_nan(None) if column.kind == "number" else as_words(values)
        )
        return fitted.alias(column.name), pl.Series(column.name, np.zeros(len(values), dtype=bool))
    if column.kind == "number":
        fitted = _numbers(values, reading)
    elif column.kind == "boolean":
        fitted = _booleans(values, column)
    elif column.kind == "date":
        fitted = _dates(values, column.name, reading)
    else:
        fitted = as_words(values)
    fitted = fitted.cast(stored_type(column)).alias(column.name)
    if fitted.dtype == pl.Float64:
        fitted = fitted.fill_nan(None)
    known = (
        values.is_not_null() & values.is_not_nan()
        if values.dtype.is_float()
        else (values.is_not_null())
    )
    return fitted, fitted.is_null() & known


def _fits(values: pl.Series, kind: Kind) -> bool:
    """Whether no value of this type can be lost: numbers that are numbers, words that are words."""
    if kind == "number":
        return values.dtype.is_float() or values.dtype.is_integer()
    return values.dtype == pl.String and kind not in ("boolean", "date")


def _absent(column: Column, n_rows: int) -> pl.Series:
    return pl.Series(column.name, [None] * n_rows, dtype=stored_type(column))


def _without_marks(values: pl.Series, column: Column) -> pl.Series:
    """Text with blanks taken off and the marks of missing blanked, as the reader does."""
    if column.kind in ("number", "date"):
        bare, _ = stripped(values)
        words = bare.drop_nulls().unique()
        marks = [word for word in words if is_mark_beside_numbers(word)]
        return blank(bare, marks)
    bare_ = pl.first().str.strip_chars()
    gone = bare_.is_in(_marks(NA_IS_A_VALUE in column.why).implode())
    return values.to_frame().select(pl.when(gone).then(None).otherwise(bare_)).to_series()


@lru_cache(maxsize=2)
def _marks(na_is_a_value: bool) -> pl.Series:
    """Words that stand for missing in a column of words; empty cells are among them."""
    return pl.Series(sorted(ANYWHERE - ({"NA"} if na_is_a_value else set())), dtype=pl.String)


def _numbers(values: pl.Series, reading: Reading | None) -> pl.Series:
    if values.dtype == pl.String:
        read = _read(values, "number", reading)
        if read is None or not read.dtype.is_numeric():
            return values.cast(pl.Float64, strict=False)
        # codes such as 007 are no numbers to the reader, but here the column is known to be one
        return read.cast(pl.Float64).fill_null(values.cast(pl.Float64, strict=False))
    if isinstance(values.dtype, pl.Datetime):
        return pl.Series(values.name, [None] * len(values), dtype=pl.Float64)
    return values.cast(pl.Float64)


def _booleans(values: pl.Series, column: Column) -> pl.Series:
    if values.dtype == pl.Boolean:
        return values
    words = as_words(values).str.to_lowercase()
    pairs = [*WORD_PAIRS, ("0", "1")]
    if len(column.levels) == 2:
        pairs.append((column.levels[0].lower(), column.levels[1].lower()))
    truth = {word: place == 1 for pair in pairs for place, word in enumerate(pair)}
    return words.replace_strict(
        list(truth), list(truth.values()), default=None, return_dtype=pl.Boolean
    )


def _dates(values: pl.Series, name: str, reading: Reading | None) -> pl.Series:
    if isinstance(values.dtype, pl.Datetime):
        return values
    nothing = pl.Series(name, [None] * len(values), dtype=pl.Datetime("us"))
    if values.dtype == pl.String:
        read = _read(values, "date", reading)
        if read is not None and isinstance(read.dtype, pl.Datetime):
            return read
        if read is None or not read.dtype.is_numeric():
            return nothing
        values = read
    whole = values.cast(pl.Int64, strict=False) if values.dtype.is_numeric() else nothing
    found = stamps(whole.alias(name)) if whole.dtype == pl.Int64 else None
    return nothing if found is None else found


def _read(values: pl.Series, kind: Kind, reading: Reading | None) -> pl.Series | None:
    """Text as numbers or dates: by ``reading`` where it fits, else by what these rows suggest."""
    read = reading.apply(values) if reading is not None and not reading.is_text else None
    if read is not None and read.null_count() == values.null_count():
        return read
    cells, counts = tally(values)
    if cells.is_empty():
        return None
    own = choose_as(kind, cells, counts)
    if own.is_text:
        return read
    again = own.apply(values)
    return again if read is None or again.null_count() < read.null_count() else read
