"""Applies the changes that findings ask for: columns left out, values blanked, rows left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from everfit.data.columns.collect import as_words
from everfit.data.table import Table
from everfit.records import Act, Column


def clean(table: Table, acts: Sequence[Act]) -> Table:
    """``table`` after all ``acts`` in order; an act on a column that is already gone does nothing.

    Counts of missing and distinct values are taken again where they may have changed, and blanked
    values are added to the marks of missing of their column.

    Raises
    ------
    ColumnMissing : an act names a column that the table never had

    Examples
    --------
    >>> from everfit.data.read import read
    >>> table = read({"income": [99999999, 12, 15], "key": ["a", "b", "c"]})
    >>> acts = [Act("blank", "income", ("99999999",)), Act("drop_column", "key")]
    >>> clean(table, acts).frame["income"].to_list()
    [None, 12, 15]
    """
    columns = {column.name: column for column in table.columns}
    for act in acts:
        table.column(act.column)
    frame = table.frame
    for act in acts:
        if act.column not in columns:
            continue
        if act.kind == "drop_column":
            del columns[act.column]
            frame = frame.drop(act.column)
        elif act.kind == "blank":
            frame = _blank(frame, act)
            columns[act.column] = _marked(columns[act.column], act)
        elif act.kind == "drop_missing":
            frame = frame.filter(frame[act.column].is_not_null())
        elif act.kind == "drop_repeats":
            frame = frame.unique([act.column, *act.values], keep="first", maintain_order=True)
        else:
            frame = frame.filter(~_holds(frame[act.column], act.values))
    changed = {act.column for act in acts if act.kind == "blank"}
    if frame.height < table.n_rows:
        changed = set(columns)
    kept = tuple(
        _recounted(column, frame[name]) if name in changed else column
        for name, column in columns.items()
    )
    source = replace(table.source, n_rows=frame.height, n_columns=frame.width)
    return Table(frame, kept, source)


def _blank(frame: pl.DataFrame, act: Act) -> pl.DataFrame:
    values = frame[act.column]
    return frame.with_columns(values.set(_holds(values, act.values), None))


def _holds(values: pl.Series, words: Sequence[str]) -> pl.Series:
    """Where a value is one of ``words``: by number for numbers, by word for all others."""
    if values.dtype.is_numeric():
        numbers = pl.Series(list(words), dtype=pl.String).cast(pl.Float64, strict=False)
        wanted = numbers.drop_nulls()
        return values.cast(pl.Float64).is_in(wanted.implode()).fill_null(False)
    wanted = pl.Series(list(words), dtype=pl.String)
    return as_words(values).is_in(wanted.implode()).fill_null(False)


def _marked(column: Column, act: Act) -> Column:
    marks = tuple(dict.fromkeys((*column.missing_marks, *act.values)))
    return replace(column, missing_marks=marks)


def _recounted(column: Column, values: pl.Series) -> Column:
    n_missing = values.null_count()
    n_distinct = values.n_unique() - int(n_missing > 0) if len(values) else 0
    return replace(column, n_missing=n_missing, n_distinct=n_distinct)
