"""What is written about items, as marks: words of texts, categories, and numbers in tenths."""

from __future__ import annotations

import numpy as np
import polars as pl

from everfit.data.table import Table
from everfit.encoders.words import words_of

TENTHS = 10  # parts of a number's range that count as alike


def marks_of(items: Table) -> list[list[str]]:
    """The marks of each item; a column of identifiers, or of a single value, gives none.

    Examples
    --------
    >>> from everfit.records import Column, Source
    >>> frame = pl.DataFrame({"genre": ["War Drama", "Drama"], "title": ["Das Boot", None]})
    >>> columns = (Column("genre", "category"), Column("title", "text"))
    >>> marks_of(Table(frame, columns, Source("", "", 2, 2)))[0]
    ['genre=War Drama', 'war', 'drama', 'das', 'boot']
    """
    marks: list[list[str]] = [[] for _ in range(items.n_rows)]
    for column in items.columns:
        if column.role != "feature" or column.kind in ("identifier", "constant"):
            continue
        values = items.frame[column.name]
        if column.kind in ("number", "date"):
            _add_tenths(marks, column.name, values)
            continue
        for item, value in enumerate(values.cast(pl.String).to_list()):
            if not value:
                continue
            if column.kind != "text":
                marks[item].append(f"{column.name}={value}")
            if column.kind not in ("boolean", "ordered"):
                words = words_of(value)
                marks[item] += words if column.kind == "text" or len(words) > 1 else []
    return marks


def _add_tenths(marks: list[list[str]], name: str, values: pl.Series) -> None:
    """Which tenth of the items a number is in, and the two beside it, so that near is alike."""
    number = values.cast(pl.Int64, strict=False) if values.dtype.is_temporal() else values
    plain = number.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    known = np.flatnonzero(np.isfinite(plain))
    if not known.size:
        return
    edges = np.unique(np.quantile(plain[known], np.linspace(0, 1, TENTHS + 1)[1:-1]))
    for item, part in zip(
        known.tolist(), np.searchsorted(edges, plain[known]).tolist(), strict=True
    ):
        marks[item] += [f"{name}#{part}", f"{name}#{part}+{part + 1}", f"{name}#{part - 1}+{part}"]
