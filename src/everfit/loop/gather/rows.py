"""All rows to learn from, at a cut in time: the source, the feeds and the log as one table."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from everfit.data.hashes import frame_hashes
from everfit.data.read import read, recount
from everfit.data.table import Table
from everfit.errors import TooFewRows
from everfit.loop.gather.doubles import contents, firsts, tells
from everfit.loop.gather.outcomes import Record, Stretch, matured, oldest_first, outcomes
from everfit.loop.gather.source import Part, nowhen, place_of, pulled, reread
from everfit.records import Column, Source

MOST_CELLS = 50_000_000  # 400 MB of numbers; a fit needs a few times as much
LEAST_ROWS = 30  # as every task asks for

From = Literal["source", "log", "both"]


@dataclass(frozen=True, slots=True)
class Wish:
    """Which rows are wanted: of ``model``, typed as ``columns``, known before ``until``.

    ``spec`` names the source; ``files`` are what feeds brought. With ``widen`` the source is read
    as if it were new, so that columns that came since are in it. ``since`` leaves out what was
    asked before, and ``aside`` what was asked in these stretches of time. ``time`` is the column
    by which rows are in time order, where its role does not say so.
    """

    model: str
    spec: Mapping[str, Any]
    columns: tuple[Column, ...]
    until: datetime
    now: datetime
    learn_from: From = "both"
    delay_s: float = 0.0
    missing: str | None = None
    files: tuple[Path, ...] = ()
    widen: bool = False
    most_cells: int = MOST_CELLS
    since: datetime | None = None
    aside: tuple[Stretch, ...] = ()
    time: str | None = None


@dataclass(frozen=True, slots=True)
class Gathered:
    """Rows to learn from, oldest first where times are known; all have a target.

    ``at`` (n,) naive UTC is null where no time is known; ``n`` counts rows by part; ``new`` are
    columns that the version before did not know.
    """

    table: Table
    at: pl.Series
    n: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    new: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """The hash of the content: the same rows in the same order give the same."""
        return self.table.source.sha256


def gather(wish: Wish, record: Record | None) -> Gathered:
    """Read all parts, leave doubles out, order by time, and keep what memory allows, newest first.

    Raises
    ------
    SourceMissing, SourceUnreadable, Unreachable : a source cannot be read
    ColumnMissing : one lacks a column that the version before learnt from
    DataError : a column is no longer of its kind
    TooFewRows : fewer than 30 rows have a target
    """
    first = _source(wish)
    columns = wish.columns if first is None or not wish.widen else first[1]
    parts: list[Part] = [] if first is None else [first[0]]
    most = max(LEAST_ROWS, wish.most_cells // max(1, len(columns)))
    if wish.files and wish.learn_from != "log":
        parts.append(pulled(wish.files, columns, absent=wish.widen))
    if record is not None and wish.learn_from != "source":
        cut = matured(
            wish.model, until=wish.until, now=wish.now, delay_s=wish.delay_s, missing=wish.missing
        )
        cut = replace(cut, since=wish.since, aside=wish.aside)
        parts.append(outcomes(record, cut, columns, most=most))
    parts = [part for part in parts if part.frame.height]
    notes = [note for part in parts for note in part.notes]
    parts, said = _once(parts, columns)
    return _joined(wish, parts, columns, notes + said, most)


def _source(wish: Wish) -> tuple[Part, tuple[Column, ...]] | None:
    if wish.learn_from == "log":
        return None
    if not wish.widen:
        return reread(wish.spec, wish.columns), wish.columns
    spec = wish.spec
    table = read(
        place_of(spec),
        query=spec.get("query"),
        kinds=spec.get("kinds") or None,
        roles={**(spec.get("roles") or {}), str(spec["target"]): "target"},
        header=spec.get("header"),
    )
    known = {column.name for column in wish.columns}
    new = tuple(column.name for column in table.columns if column.name not in known)
    notes = tuple(table.source.notes)
    return Part("source", table.frame, nowhen(table.n_rows), notes, new), table.columns


def _once(parts: Sequence[Part], columns: Sequence[Column]) -> tuple[list[Part], list[str]]:
    """The parts without rows that an earlier part has, and notes about it."""
    if len(parts) < 2 and not any(part.name != "source" for part in parts):
        return list(parts), []
    here = _known_everywhere(parts)
    hashes = [contents(part.frame, columns, here) for part in parts]
    if not here or not tells(hashes[0]):
        note = "rows are too much alike to tell which came twice: all of them count"
        return list(parts), [note] if len(parts) > 1 else []
    whole = sum(part.name == "source" for part in parts)
    kept = firsts(hashes, keep_first=whole)
    found, notes = [], []
    for part, stays in zip(parts, kept, strict=True):
        gone = int((~stays).sum())
        if gone:
            notes.append(f"{part.name}: {gone:,} rows are there already and count once")
        rows = np.flatnonzero(stays)
        found.append(replace(part, frame=part.frame[rows], at=part.at[rows]))
    return [part for part in found if part.frame.height], notes


def _known_everywhere(parts: Sequence[Part]) -> list[str]:
    """Columns that no part lacks altogether."""
    names = parts[0].frame.columns
    return [n for n in names if all(p.frame[n].null_count() < p.frame.height for p in parts)]


def _joined(
    wish: Wish, parts: Sequence[Part], columns: Sequence[Column], notes: list[str], most: int
) -> Gathered:
    target = next(column.name for column in columns if column.role == "target")
    known = [_with_target(part, target) for part in parts]
    n = {part.name: part.frame.height for part in known}
    if sum(n.values()) < LEAST_ROWS:
        raise TooFewRows(
            f"there is too little to learn from for {wish.model!r}",
            got=", ".join(f"{name}: {count} rows" for name, count in n.items()) or "no rows",
            expected=f"at least {LEAST_ROWS} rows with an outcome",
            do="send outcomes of predictions, or name a source of labelled rows",
        )
    first = known[0].frame.schema
    frames = [part.frame.cast(dict(first)) for part in known]  # type: ignore[arg-type]
    frame = pl.concat(frames, rechunk=True)
    at = pl.concat([part.at.alias("at") for part in known])
    frame, at = _by_time(frame, at, _time_of(wish, columns))
    if frame.height > most:
        notes.append(f"{frame.height - most:,} of {frame.height:,} rows were left out: the oldest")
        frame, at = frame.tail(most), at.tail(most)
    found = tuple(dict.fromkeys(name for part in parts for name in part.new))
    if found and not wish.widen:
        notes.append(f"new columns were left out: {', '.join(found[:8])}; a search would try them")
    counted = recount(frame, columns)
    source = Source(_uri(wish, n), _sha256(frame), frame.height, frame.width, tuple(notes))
    return Gathered(Table(frame, counted, source), at, n, tuple(notes), found)


def _with_target(part: Part, target: str) -> Part:
    rows = part.frame.select(pl.col(target).is_not_null().arg_true()).to_series()
    return replace(part, frame=part.frame[rows], at=part.at[rows])


def _time_of(wish: Wish, columns: Sequence[Column]) -> str | None:
    """The column that holds the time of a row."""
    names = [column.name for column in columns]
    if wish.time in names:
        return wish.time
    return next((column.name for column in columns if column.role == "time"), None)


def _by_time(
    frame: pl.DataFrame, at: pl.Series, time: str | None
) -> tuple[pl.DataFrame, pl.Series]:
    """The rows by their own time where they have one, else by when they were asked.

    Rows without any time come first, in the order in which they were read.
    """
    if time is None:
        order = oldest_first(at)
        return frame[order], at[order]
    own = frame[time]
    if isinstance(own.dtype, pl.Datetime):
        own = own.cast(pl.Datetime("us"))
        # a request need not say when it is: then it is now
        frame = frame.with_columns(pl.coalesce(own, at).alias(time))
        at = frame[time].alias("at")
    order = oldest_first(frame[time])
    return frame[order], at[order]


def _sha256(frame: pl.DataFrame) -> str:
    digest = hashlib.sha256(repr(frame.columns).encode())
    digest.update(np.ascontiguousarray(frame_hashes(frame)).tobytes())
    return digest.hexdigest()


def _uri(wish: Wish, n: Mapping[str, int]) -> str:
    places = {"source": str(wish.spec.get("source", "")), "feeds": "feeds", "log": "log"}
    return " + ".join(places[name] for name, count in n.items() if count)
