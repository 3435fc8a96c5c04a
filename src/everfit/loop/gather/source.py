"""The champion's source, read again; and rows that were pulled from feeds."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from everfit.data.sources.opening import open_source
from everfit.errors import SourceMissing
from everfit.loop.gather.schema import Fitting, differences, fitted, require
from everfit.records import Column


@dataclass(frozen=True, slots=True)
class Part:
    """Rows from one place, with the columns that were asked for, and notes about them.

    ``at`` says when each row came into being, naive UTC; null where nobody knows. ``new`` are names
    of columns that were not asked for.
    """

    name: str
    frame: pl.DataFrame
    at: pl.Series
    notes: tuple[str, ...] = ()
    new: tuple[str, ...] = ()


def place_of(spec: Mapping[str, Any]) -> str:
    """The source that a run was given, as it can be opened from here.

    A path that was given from another folder is looked for there too.

    Raises
    ------
    SourceMissing : the run learnt from something that lay in memory
    """
    source = str(spec.get("source", ""))
    if not source or source.startswith("a "):
        raise SourceMissing(
            "what the champion learnt from cannot be read again",
            got=source or "no source",
            expected="a file, files, or the URL of a database",
            do='name it as source of [models.NAME], or set learn_from = "log" in its policy',
        )
    if "://" in source or os.path.isabs(source) or not spec.get("folder"):
        return source
    there = os.path.join(str(spec["folder"]), source)
    return source if Path(source).exists() else there


def reread(spec: Mapping[str, Any], like: Sequence[Column]) -> Part:
    """All rows of the source of a run, typed as ``like``.

    Raises
    ------
    SourceMissing, SourceUnreadable, Unreachable : it cannot be read
    ColumnMissing : it lacks a column
    DataError : a column is no longer of its kind
    """
    place = place_of(spec)
    query, header = spec.get("query"), spec.get("header")
    known = [column.name for column in like]
    with open_source(place, query=query, header=header, known=known) as supply:
        found = require(supply.names, like, f"the source {supply.uri}")
        fitting = Fitting(like, f"the source {supply.uri}")
        there = [name for name in supply.names if name in set(known)]
        frames = [fitting.take(raw) for raw in supply.batches(there)]
        notes, uri = [*supply.notes, *fitting.notes()], supply.uri
    frame = pl.concat(frames, rechunk=True) if frames else pl.DataFrame()
    if frame.is_empty():
        raise SourceMissing(
            f"the source {uri} has no rows any more",
            got="a header and nothing below",
            expected="the rows that the champion learnt from, and newer ones",
            do="check how the file was written",
        )
    return Part("source", frame, nowhen(frame.height), tuple(notes), found.new)


def pulled(files: Sequence[Path], like: Sequence[Column], *, absent: bool = False) -> Part:
    """The rows of Parquet files that feeds brought, in the order given.

    ``absent`` allows columns that were not there yet when a file was pulled: they count as missing.

    Raises
    ------
    SourceMissing : a file is gone
    ColumnMissing, DataError : the rows do not have the columns
    """
    frames, notes, new = [], [], []
    for path in files:
        try:
            raw = pl.read_parquet(path)
        except FileNotFoundError as error:
            raise SourceMissing(
                "rows that were pulled are gone",
                got=f"no {path.name}",
                expected="the files under feeds of the store, as they were written",
                do="put the file back from a copy",
            ) from error
        found = differences(raw.columns, like)
        frame, more = fitted(raw, like, f"the feed's {path.name}", absent=absent)
        frames.append(frame)
        notes += more
        new += [name for name in found.new if name not in new]
    frame = pl.concat(frames, rechunk=True) if frames else pl.DataFrame()
    return Part("feeds", frame, nowhen(frame.height), tuple(notes), tuple(new))


def nowhen(n: int) -> pl.Series:
    """A time for each of ``n`` rows, none of them known."""
    return pl.Series("at", [None] * n, dtype=pl.Datetime("us"))
