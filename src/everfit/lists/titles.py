"""Titles of items, packed with a version so that people can read its lists."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from everfit.data.table import Table

FILE = "items.json"
NAMES = ("title", "name", "label")  # of a column, whatever else there is
DISTINCT = 0.8  # share of the items whose text is their own, for a column of another name
LONGEST = 200  # characters of a title that are kept


def lay_titles(folder: Path, items: Table | None) -> bool:
    """Write the titles of a catalogue, row i = code i; whether it has a column of titles.

    It is the text column called title, name or label, else the first whose texts tell items apart.

    Raises
    ------
    OSError : the disk refused
    """
    column = None if items is None else _column(items)
    if items is None or column is None:
        return False
    texts = items.frame[column].cast(pl.String).to_list()
    titles = [None if not text else str(text)[:LONGEST] for text in texts]
    told = json.dumps({"titles": titles}, ensure_ascii=False)
    (folder / FILE).write_text(told, encoding="utf-8")
    return True


def _column(items: Table) -> str | None:
    texts = [
        column.name
        for column in items.columns
        if column.name in items.frame.columns
        and items.frame[column.name].dtype in (pl.String, pl.Categorical, pl.Enum)
    ]
    for wanted in NAMES:
        for name in texts:
            if name.lower().endswith(wanted):
                return name
    least = DISTINCT * items.frame.height
    return next((name for name in texts if items.frame[name].n_unique() >= max(least, 2)), None)
