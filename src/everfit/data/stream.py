"""Streams a source in tables typed as known columns, for files larger than memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from everfit.data.columns.missing import stripped
from everfit.data.columns.reading import Reading, choose_as, tally
from everfit.data.conform import conform
from everfit.data.sources.contract import Supply
from everfit.data.sources.opening import open_source
from everfit.data.table import Table
from everfit.errors import UsageError
from everfit.records import Column, Kind, Source

BATCH_ROWS = 65_536


def stream(
    source: Any,
    like: Sequence[Column],
    *,
    batch_rows: int = BATCH_ROWS,
    query: str | None = None,
) -> Iterator[Table]:
    """Tables of at most ``batch_rows`` rows in source order, with exactly the columns ``like``.

    Missing columns become nulls and extra columns are kept out; notes say so, in the source of
    the first table in which it happens. A source without rows gives one table without rows.

    Raises
    ------
    UsageError : ``batch_rows`` is below 1
    SourceMissing, SourceUnreadable, TooManyColumns : as :func:`everfit.data.read.read`

    Examples
    --------
    >>> like = (Column("age", "number"),)
    >>> [t.frame["age"].to_list() for t in stream({"age": ["41", "36", "7"]}, like, batch_rows=2)]
    [[41.0, 36.0], [7.0]]
    """
    if batch_rows < 1:
        raise UsageError(
            "batch_rows is too small", got=str(batch_rows), expected="1 or more", do="raise it"
        )
    with open_source(source, query=query, known=[column.name for column in like]) as supply:
        told: set[str] = set()
        empty = True
        for frame, notes in batches_like(supply, like):
            fresh = [n for n in (*supply.notes, *notes) if n not in told]
            told.update(fresh)
            for part in frame.iter_slices(batch_rows):
                empty = False
                yield _table(supply, part, like, tuple(fresh))
                fresh = []
        if empty:
            frame, notes = conform(pl.DataFrame(), like)
            yield _table(supply, frame, like, (*supply.notes, *notes))


def _table(
    supply: Supply, frame: pl.DataFrame, like: Sequence[Column], notes: tuple[str, ...]
) -> Table:
    digest = supply.sha256() or ""
    source = Source(supply.uri, digest, frame.height, frame.width, notes)
    return Table(frame, tuple(like), source)


def batches_like(
    supply: Supply, like: Sequence[Column]
) -> Iterator[tuple[pl.DataFrame, list[str]]]:
    """Frames of ``supply`` conformed to ``like``, with the notes of each.

    A file without a header and with as many columns as ``like``, or as ``like`` without its
    target, has these names in their order.
    """
    names = _names_by_place(supply, like)
    wanted = [name for name in supply.names if names.get(name, name) in {c.name for c in like}]
    if not wanted:
        # nothing fits: the rows must still be counted
        for frame in supply.batches():
            bare = pl.DataFrame({"": [None] * frame.height})
            yield conform(bare, like)
        return
    readings = _settled(supply, like, {names.get(name, name): name for name in wanted})
    for frame in supply.batches(wanted):
        renamed = frame.rename({name: names[name] for name in frame.columns if name in names})
        yield conform(renamed, like, readings)


def _names_by_place(supply: Supply, like: Sequence[Column]) -> dict[str, str]:
    """Names of ``like`` for columns that have none of their own."""
    known = [column.name for column in like]
    if set(known) & set(supply.names):
        return {}
    if not all(name == f"column_{n}" for n, name in enumerate(supply.names, start=1)):
        return {}
    without = [column.name for column in like if column.role != "target"]
    for names in (known, without):
        if len(names) == len(supply.names):
            return dict(zip(supply.names, names, strict=True))
    return {}


def _settled(supply: Supply, like: Sequence[Column], origin: dict[str, str]) -> dict[str, Reading]:
    """How numbers and dates are written, for the few columns where one batch cannot tell.

    Day and month, or a decimal and a thousands comma, must mean the same in all batches; all
    distinct cells of such a column are looked at first.
    """
    kinds = {c.name: c.kind for c in like if c.name in origin and c.kind in ("number", "date")}
    first = next(supply.batches(list(origin.values())), None)
    if first is None:
        return {}
    readings: dict[str, Reading] = {}
    for name, kind in kinds.items():
        values = first[origin[name]]
        if values.dtype != pl.String:
            continue
        cells, counts = tally(stripped(values)[0])
        reading = choose_as(kind, cells, counts, comma=supply.comma)
        if kind == "date" or reading.words or reading.is_text:
            reading = _over_all(supply, origin[name], kind)
        if not reading.is_text:
            readings[name] = reading
    return readings


def _over_all(supply: Supply, name: str, kind: Kind) -> Reading:
    distinct = pl.DataFrame(schema={"cell": pl.String, "n": pl.UInt32})
    for frame in supply.batches([name]):
        cells, counts = tally(stripped(frame[name].cast(pl.String))[0])
        more = pl.DataFrame({"cell": cells, "n": counts.cast(pl.UInt32)})
        distinct = (
            pl.concat([distinct, more]).group_by("cell", maintain_order=True).agg(pl.col("n").sum())
        )
    return choose_as(kind, distinct["cell"], distinct["n"], comma=supply.comma)
