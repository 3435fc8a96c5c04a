"""Reads anything with rows into a table whose columns have kinds and roles."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from everfit.data.columns.collect import Collected, Collector
from everfit.data.columns.kinds import Judged, as_kind, judge
from everfit.data.columns.roles import given_name, infer_roles
from everfit.data.conform import NA_IS_A_VALUE, conform
from everfit.data.hashes import frame_hashes
from everfit.data.sources.contract import Supply
from everfit.data.sources.opening import open_source
from everfit.data.stream import batches_like
from everfit.data.table import Table
from everfit.errors import ColumnMissing, TooFewRows, near
from everfit.records import Column, Kind, Role, Source

AGAIN_AT_ONCE = 4  # columns whose text is held in memory together when they are read again


def read(
    source: Any,
    *,
    query: str | None = None,
    kinds: Mapping[str, Kind] | None = None,
    roles: Mapping[str, Role] | None = None,
    header: bool | Sequence[str] | None = None,
    like: Sequence[Column] | None = None,
) -> Table:
    """Read a file, files, a database, or a frame, and infer what each column is.

    Every cell of every row is looked at: what is said of a column holds for all of it.

    Parameters
    ----------
    source : path, glob, list of paths, SQLAlchemy URL (with ``query`` or ``?table=name``), pandas
        or Polars frame, Arrow table, or dict of lists
    kinds, roles : what the caller knows about some columns; wins over what is inferred. A column
        with the role ``target`` is never taken for a boolean, a key or text.
    header : whether a text file has a header row, or the names themselves; inferred when None
    like : columns of an earlier table; then nothing is inferred and the result has these columns

    Raises
    ------
    SourceMissing, SourceUnreadable, TooManyColumns, TooFewRows : the source cannot be used
    ColumnMissing : ``kinds`` or ``roles`` name a column that is not there
    DataError : a column cannot be of the kind that was given
    UsageError, Unreachable : a query without a database, no such table, no answer

    Examples
    --------
    >>> table = read({"age": ["41", "36", "?"], "plan": ["trial", "paid", "paid"]})
    >>> [(c.name, c.kind, c.n_missing) for c in table.columns]
    [('age', 'number', 1), ('plan', 'category', 0)]
    """
    known = [column.name for column in like] if like is not None else []
    with open_source(source, query=query, header=header, known=known) as supply:
        if like is not None:
            return _read_like(supply, like)
        _check_names(supply, {**(kinds or {}), **(roles or {})})
        frame, columns = _infer(supply, kinds or {}, roles or {})
        found = _source(supply, frame)
    return Table(frame, columns, found)


def _infer(
    supply: Supply, kinds: Mapping[str, Kind], roles: Mapping[str, Role]
) -> tuple[pl.DataFrame, tuple[Column, ...]]:
    words = {name for name, kind in kinds.items() if kind in ("category", "text", "identifier")}
    target = given_name(roles, "target")
    stored: dict[str, pl.Series] = {}
    columns: dict[str, Column] = {}
    for name, column in _collect(supply, words):
        if name in kinds:
            judged = as_kind(column, kinds[name])
        else:
            judged = judge(column, target=name == target, levels=supply.ordered.get(name, ()))
        supply.notes += _notes_on(name, column)
        columns[name] = _column(name, column, judged)
        stored[name] = judged.values.alias(name)
    frame = pl.DataFrame([stored[name] for name in supply.names])
    if frame.height == 0:
        raise TooFewRows(
            f"{supply.uri} has no rows",
            got=f"a header of {len(supply.names)} names and nothing below",
            expected="rows below the header",
            do="check how the file was written, or give header=False if its one line is data",
        )
    return frame, infer_roles([columns[name] for name in supply.names], frame, roles)


def _collect(supply: Supply, words: set[str]) -> Iterator[tuple[str, Collected]]:
    """Every column, read once; those that turned out otherwise than they began, once more."""
    pending = _collectors(supply, list(supply.names), words, whole=False)
    for frame in supply.batches():
        for name, collector in pending.items():
            collector.add(frame[name])
    again: list[str] = []
    for name in list(pending):
        # popped, so that the batches of a column are freed before the next one is joined
        found = pending.pop(name).finish()
        if found is None:
            again.append(name)
        else:
            yield name, found
    for start in range(0, len(again), AGAIN_AT_ONCE):
        group = again[start : start + AGAIN_AT_ONCE]
        pending = _collectors(supply, group, words, whole=True)
        for frame in supply.batches(group):
            for name, collector in pending.items():
                collector.add(frame[name])
        for name in group:
            yield name, pending.pop(name).finish() or _impossible(name)


def _impossible(name: str) -> Collected:
    raise RuntimeError(f"column {name!r} kept its text and was still not decided")


def _collectors(
    supply: Supply, names: Sequence[str], words: set[str], *, whole: bool
) -> dict[str, Collector]:
    return {
        name: Collector(name, comma=supply.comma, as_words=name in words, whole=whole)
        for name in names
    }


def _column(name: str, column: Collected, judged: Judged) -> Column:
    why = judged.why
    words = judged.kind == "category" and column.from_text
    if words and bool((judged.values == "NA").any()):
        why += f"; {NA_IS_A_VALUE}"
    return Column(
        name,
        judged.kind,
        n_missing=judged.values.null_count(),
        n_distinct=judged.n_distinct,
        levels=judged.levels,
        missing_marks=column.marks,
        why=why,
    )


def _notes_on(name: str, column: Collected) -> list[str]:
    notes = list(column.notes)
    form = column.reading.form
    if form is not None and form.unsure:
        notes.append(
            f"column {name!r}: dates read as {form.format}, but {form.unsure} fits every row too"
        )
    return notes


def _read_like(supply: Supply, like: Sequence[Column]) -> Table:
    frames: list[pl.DataFrame] = []
    for frame, notes in batches_like(supply, like):
        frames.append(frame)
        supply.notes += [note for note in notes if note not in supply.notes]
    if frames:
        frame = pl.concat(frames, rechunk=True)
    else:
        frame, _ = conform(pl.DataFrame(), like)
    return Table(frame, recount(frame, like), _source(supply, frame))


def recount(frame: pl.DataFrame, columns: Sequence[Column]) -> tuple[Column, ...]:
    """``columns`` with missing and distinct values counted in ``frame``."""
    found: list[Column] = []
    for column in columns:
        values = frame[column.name]
        n_missing = values.null_count()
        n_distinct = values.n_unique() - int(n_missing > 0) if len(values) else 0
        found.append(replace(column, n_missing=n_missing, n_distinct=n_distinct))
    return tuple(found)


def _source(supply: Supply, frame: pl.DataFrame) -> Source:
    digest = supply.sha256()
    if digest is None:
        whole = hashlib.sha256(repr([(n, str(t)) for n, t in frame.schema.items()]).encode())
        whole.update(frame_hashes(frame).tobytes())
        digest = whole.hexdigest()
    return Source(supply.uri, digest, frame.height, frame.width, tuple(supply.notes))


def _check_names(supply: Supply, named: Mapping[str, Any]) -> None:
    for name in named:
        if name in supply.names:
            continue
        hint = near(name, supply.names)
        shown = ", ".join(map(repr, supply.names[:20]))
        raise ColumnMissing(
            f"column {name!r} is not in {supply.uri}",
            got=shown + (" ..." if len(supply.names) > 20 else ""),
            expected=f"a column called {name!r}",
            do=f"did you mean {hint}?" if hint else "give one of the columns above",
        )
