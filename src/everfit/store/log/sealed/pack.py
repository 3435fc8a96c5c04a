"""Seal: whole days, and parts of a busy day, from the tables into files.

A file is written under another name, synced and renamed; then one transaction lists it and takes
its rows out of the table. A kill before that leaves a file that nobody lists, which the next seal
removes; the rows are in one place at every moment.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import Connection, delete, func, insert, select

from everfit.errors import StoreBusy
from everfit.store.artefacts import told
from everfit.store.log import tables
from everfit.store.log.columns import stored_frame
from everfit.store.log.ingest import sync_folder
from everfit.store.log.place import Place
from everfit.store.log.sealed.index import SPAN, write_index
from everfit.store.log.tables import COUNTED, REPEATED, REPLACED

CHUNK = 200_000  # rows of one file; more are sealed before their day is over
SETTLED = (COUNTED, REPEATED, REPLACED)  # outcomes that have their prediction
STEP = 20_000  # rows that are taken out of the table at a time
GROUP = 50_000  # rows of one row group: what a reader that wants few rows must read
REST_US = 600 * 1_000_000  # outcomes stay in the table so long, where their state can be asked
ORPHAN_S = 3_600.0  # where others may be sealing, an unlisted file is young for so long
DAY_US = 86_400 * 1_000_000


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one model that become one file."""

    model: int
    name: str
    first: int
    last: int


def seal(place: Place, before: date) -> list[Path]:
    """Seal the days before ``before``, and full files of later ones; the files that were made."""
    with place.turn():
        sweep(place)
        limit_us = day_us(before)
        made = []
        for model, name in _models(place):
            while (part := _next_part(place, model, name, limit_us)) is not None:
                made.append(_seal_predictions(place, part))
            while (part := _next_told(place, model, name, limit_us)) is not None:
                made += _seal_outcomes(place, part)
        return made


def sweep(place: Place) -> None:
    """Remove the files that are not listed: left by a kill, or replaced by others."""
    folder = place.files / "sealed"
    if not folder.is_dir():
        return
    with place.database.read() as connection:
        listed = set(connection.execute(select(tables.sealed.c.path)).scalars())
    kept = {Path(name).with_suffix("").as_posix() for name in listed}
    with told(folder):
        for path in [*folder.rglob("*.*")]:
            if path.is_dir() or _stem(place, path) in kept:
                continue
            young = time.time() - path.stat().st_mtime < ORPHAN_S
            if not (place.database.is_server and young):
                path.unlink()


def day_us(day: date) -> int:
    """The first moment of a day in UTC, in microseconds."""
    return (day - date(1970, 1, 1)).days * DAY_US


def write_file(path: Path, frame: pl.DataFrame) -> int:
    """Write a file that is whole or not there; its bytes."""
    part = path.with_name(path.name + ".part")
    frame.write_parquet(part, compression="zstd", compression_level=3, row_group_size=GROUP)
    with part.open("rb") as file:
        os.fsync(file.fileno())
    os.rename(part, path)
    sync_folder(path.parent)
    return path.stat().st_size


def write_predictions(place: Place, path: Path, frame: pl.DataFrame, model: int) -> dict[str, Any]:
    """Write a stored frame with its indexes; what the list of files says of it."""
    numbers = frame["seq"].to_list()
    originals = frame.filter(pl.col("of").is_null())
    with told(path):
        _make_folder(place.files, path.parent)
        write_index(
            path.with_suffix(".ids"), originals["id"], originals["seq"].to_list(), numbers[0]
        )
        write_index(path.with_suffix(".keys"), frame["key"], numbers, numbers[0])
        n_bytes = write_file(path, frame)
    times = frame["at"].dt.epoch("us")
    arms = frame["arm"].value_counts()
    return {
        "path": path.relative_to(place.files).as_posix(), "kind": "predictions", "model": model,
        "first_seq": numbers[0], "last_seq": numbers[-1], "low": numbers[0], "high": numbers[-1],
        "min_at_us": times.min(), "max_at_us": times.max(), "n": frame.height,
        "n_bytes": n_bytes, "arms": json.dumps(dict(arms.iter_rows())),
    }  # fmt: skip


def write_outcomes(place: Place, path: Path, frame: pl.DataFrame, model: int) -> dict[str, Any]:
    """Write outcomes, sorted by their prediction; what the list of files says of it."""
    with told(path):
        _make_folder(place.files, path.parent)
        n_bytes = write_file(path, frame)
    return {
        "path": path.relative_to(place.files).as_posix(), "kind": "outcomes", "model": model,
        "first_seq": frame["seq"].min(), "last_seq": frame["seq"].max(),
        "low": frame["prediction"].min(), "high": frame["prediction"].max(),
        "min_at_us": frame["arrived_us"].min(), "max_at_us": frame["arrived_us"].max(),
        "n": frame.height, "n_bytes": n_bytes, "arms": "{}",
    }  # fmt: skip


def _models(place: Place) -> list[tuple[int, str]]:
    with place.database.read() as connection:
        names = place.named(connection)
        found: set[int] = set()
        for table in (tables.prediction, tables.outcome):
            found |= {
                int(n) for n in connection.execute(select(table.c.model).distinct()).scalars()
            }
    return sorted((number, names[number]) for number in found)


def _next_part(place: Place, model: int, name: str, limit_us: int) -> Part | None:
    """The oldest rows that may be sealed: of one day, and no more than a file holds."""
    table = tables.prediction
    mine = table.c.model == model
    with place.database.read() as connection:
        query = select(table.c.seq, table.c.at_us).where(mine).order_by(table.c.seq).limit(1)
        first = connection.execute(query).first()
        if first is None:
            return None
        end_us = (first.at_us // DAY_US + 1) * DAY_US
        later = select(func.min(table.c.seq)).where(mine, table.c.at_us >= end_us)
        stop = connection.execute(later).scalar()
        within = [mine, table.c.seq < first.seq + SPAN]
        within += [] if stop is None else [table.c.seq < stop]
        some = select(table.c.seq).where(*within).order_by(table.c.seq).limit(CHUNK).subquery()
        n, last = connection.execute(select(func.count(), func.max(some.c.seq))).one()
    if end_us > limit_us and n < CHUNK:
        return None
    return Part(model, name, int(first.seq), int(last))


def _seal_predictions(place: Place, part: Part) -> Path:
    table = tables.prediction
    mine = (table.c.model == part.model) & table.c.seq.between(part.first, part.last)
    frames = list(_steps(place, part, STEP))
    frame = one_frame(frames) if frames else None
    if frame is None:
        frame = next(_steps(place, part, CHUNK), None)
    if frame is None:
        raise _elsewhere(0, part.name)
    path = _path(place, part, frame["at"][0], "predictions")
    row = write_predictions(place, path, frame, part.model)
    with place.database.write() as connection:
        _take_out(connection, delete(table).where(mine), frame.height, path)
        connection.execute(insert(tables.sealed), row)
    return path


def _steps(place: Place, part: Part, size: int) -> Iterator[pl.DataFrame]:
    """Stored frames of at most ``size`` rows: as bytes and objects rows take ten times the room."""
    table, at = tables.prediction, part.first - 1
    while at < part.last:
        mine = (table.c.model == part.model) & table.c.seq.between(at + 1, part.last)
        with place.database.read() as connection:
            query = select(table).where(mine).order_by(table.c.seq).limit(size)
            frame = stored_frame(connection.execute(query).all(), place.named(connection))
        if frame.is_empty():
            return
        at = int(frame["seq"][-1])
        yield frame


def one_frame(frames: Sequence[pl.DataFrame]) -> pl.DataFrame | None:
    """Frames one under the other; None when a column has kinds that no kind of number holds."""
    kinds: dict[str, set[pl.DataType]] = {}
    for frame in frames:
        for name, kind in frame.schema.items():
            kinds.setdefault(name, set()).add(kind)
    numbers = {pl.Int64(), pl.Float64()}
    for found in kinds.values():
        found.discard(pl.Null())
        if len(found) > 1 and found != numbers:
            return None
    return pl.concat(frames, how="diagonal_relaxed")


def _next_told(place: Place, model: int, name: str, limit_us: int) -> Part | None:
    """The oldest settled outcomes that may be sealed: of one day, and not too many."""
    table = tables.outcome
    until = place.clock() - REST_US
    mine = [table.c.model == model, table.c.state.in_(SETTLED), table.c.arrived_us < until]
    with place.database.read() as connection:
        query = select(table.c.arrived_us).where(*mine).order_by(table.c.seq).limit(1)
        oldest = connection.execute(query).scalar()
        if oldest is None:
            return None
        end_us = (oldest // DAY_US + 1) * DAY_US
        query = select(table.c.seq).where(*mine, table.c.arrived_us < end_us)
        some = query.order_by(table.c.seq).limit(CHUNK).subquery()
        n, first, last = connection.execute(
            select(func.count(), func.min(some.c.seq), func.max(some.c.seq))
        ).one()
    if end_us > limit_us and n < CHUNK:
        return None
    return Part(model, name, int(first), int(last))


def _seal_outcomes(place: Place, part: Part) -> list[Path]:
    table = tables.outcome
    mine = (
        (table.c.model == part.model)
        & table.c.state.in_(SETTLED)
        & table.c.seq.between(part.first, part.last)
    )
    with place.database.read() as connection:
        n = connection.execute(select(func.count()).where(mine)).scalar_one()
        query = select(
            table.c.seq, table.c.prediction, table.c.key, table.c.value, table.c.at_us,
            table.c.arrived_us,
        ).where(mine, table.c.state != REPEATED)  # fmt: skip
        frame = told_frame(connection.execute(query).all())
    if frame.is_empty():  # repetitions alone: what they repeat is sealed already
        with place.database.write() as connection:
            connection.execute(delete(table).where(mine))
        return []
    at = datetime.fromtimestamp(int(frame["arrived_us"][0]) / 1e6, UTC)
    path = _path(place, part, at, "outcomes")
    row = write_outcomes(place, path, frame, part.model)
    with place.database.write() as connection:
        _take_out(connection, delete(table).where(mine), n, path)
        connection.execute(insert(tables.sealed), row)
    return [path]


def told_frame(rows: Sequence[Any]) -> pl.DataFrame:
    """Outcomes as a file holds them: seq, prediction, key, value (JSON), at_us, arrived_us."""
    seq, prediction, key, value, at_us, arrived_us = zip(*rows, strict=True) if rows else ((),) * 6
    return pl.DataFrame(
        {
            "seq": pl.Series(seq, dtype=pl.Int64),
            "prediction": pl.Series(prediction, dtype=pl.Int64),
            "key": pl.Series(key, dtype=pl.String),
            "value": pl.Series([bytes(item).decode() for item in value], dtype=pl.String),
            "at_us": pl.Series(at_us, dtype=pl.Int64),
            "arrived_us": pl.Series(arrived_us, dtype=pl.Int64),
        }
    ).sort("prediction", "at_us", "seq")


def _path(place: Place, part: Part, at: datetime, kind: str) -> Path:
    # a model's name is not a path: its number makes the folder its own
    folder = "".join(c if c.isalnum() or c in "-_" else "_" for c in part.name)
    name = f"{at:%Y-%m-%d}-{part.first}"
    return place.files / "sealed" / f"{part.model}-{folder}" / kind / f"{name}.parquet"


def _take_out(connection: Connection, statement: Any, n_rows: int, path: Path) -> None:
    taken = connection.execute(statement).rowcount
    if taken != n_rows:
        raise _elsewhere(taken, f"{n_rows} of {path.name}")


def _elsewhere(taken: int, expected: str) -> StoreBusy:
    return StoreBusy(
        "another process sealed or changed the same rows",
        got=f"{taken} rows",
        expected=f"the rows that were there a moment ago: {expected}",
        do="nothing was lost; it is tried again with the next seal",
    )


def _make_folder(files: Path, folder: Path) -> None:
    missing = [p for p in (folder, *folder.parents) if p.is_relative_to(files) and not p.exists()]
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        sync_folder(path.parent)


def _stem(place: Place, path: Path) -> str:
    return path.with_name(path.name.partition(".")[0]).relative_to(place.files).as_posix()
