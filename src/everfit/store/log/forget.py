"""Forget one person's rows, and let go of old ones."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import Row, delete, insert, select

from everfit.store.artefacts import told
from everfit.store.log import tables
from everfit.store.log.ingest import key_text
from everfit.store.log.place import IN, Place, some, within
from everfit.store.log.sealed.pack import sweep, write_outcomes, write_predictions
from everfit.store.log.spool import START, segment_id, segments

ZEROS = bytes(1 << 16)


@dataclass(slots=True)
class Gone:
    """What was removed so far."""

    predictions: int = 0
    outcomes: int = 0
    files: int = 0


def forget(place: Place, model: str, key: str, by: str) -> Gone:
    """Remove the rows of a key from the tables and the sealed files; the spools are drained.

    Outcomes go before the predictions by which they are found: after a kill the same call
    finishes the work.
    """
    gone = Gone()
    key = key_text(key)
    with place.database.read() as connection:
        number = place.number(connection, model)
    numbers = _numbers(place, number, key)
    for kind in ("outcomes", "predictions"):
        for row in _listed(place, number, kind):
            _from_file(place, row, key, numbers, gone)
        _from_table(place, number, key, numbers, kind, gone)
    _mark(place, model, key, by, gone)
    sweep(place)
    _scrub(place)
    return gone


def was_forgotten(place: Place, model: str, key: str) -> bool:
    """Whether the rows of this key were removed at some time."""
    table = tables.forgotten
    with place.database.read() as connection:
        rows = connection.execute(select(table).where(table.c.model == model)).all()
    text = key_text(key)
    return any(row.digest == _digest(row.salt, text) for row in rows)


def blank(spools: Path, taken: dict[str, int]) -> None:
    """Write zeros over what was drained from segments that are still being written."""
    for path in segments(spools):
        end = taken.get(segment_id(path), START)
        if end > START:
            with told(path), path.open("r+b") as file:
                file.seek(START)
                for start in range(START, end, len(ZEROS)):
                    file.write(ZEROS[: end - start])
                file.flush()
                os.fdatasync(file.fileno())


def retain(place: Place, before_us: int) -> int:
    """Remove what is older than a time; the number of predictions and outcomes that went."""
    p, o, files = tables.prediction, tables.outcome, tables.sealed
    with place.database.write() as connection:
        n = connection.execute(delete(p).where(p.c.at_us < before_us)).rowcount
        n += connection.execute(delete(o).where(o.c.arrived_us < before_us)).rowcount
        too_old = files.c.max_at_us < before_us
        old = connection.execute(select(files.c.path, files.c.n).where(too_old)).all()
        connection.execute(delete(files).where(too_old))
    for row in old:
        _remove(place, place.files / row.path)
    sweep(place)
    return int(n) + sum(int(row.n) for row in old)


def _numbers(place: Place, model: int, key: str) -> list[int]:
    """The numbers of all predictions of a key, and of the shadows that repeat them."""
    p = tables.prediction
    found: set[int] = set()
    for row in _listed(place, model, "predictions"):
        theirs = pl.scan_parquet(place.files / row.path).filter(pl.col("key") == key)
        found |= set(theirs.select("seq").collect()["seq"].to_list())
    with place.database.read() as connection:
        mine = select(p.c.seq).where(p.c.model == model, p.c.key == key)
        found |= {int(seq) for seq in connection.execute(mine).scalars()}
        shadows = select(p.c.seq).where(p.c.root.in_(some()))
        found |= {int(row.seq) for row in within(connection, shadows, found)}
    return sorted(found)


def _from_table(
    place: Place, model: int, key: str, numbers: Sequence[int], kind: str, gone: Gone
) -> None:
    p, o = tables.prediction, tables.outcome
    table, of = (p, p.c.seq) if kind == "predictions" else (o, o.c.prediction)
    with place.database.write() as connection:
        mine = (table.c.model == model) & (table.c.key == key)
        n = connection.execute(delete(table).where(mine)).rowcount
        for start in range(0, len(numbers), IN):
            part = of.in_(numbers[start : start + IN])
            n += connection.execute(delete(table).where(part)).rowcount
    if kind == "predictions":
        gone.predictions += n
    else:
        gone.outcomes += n


def _listed(place: Place, model: int, kind: str) -> Sequence[Row[Any]]:
    table = tables.sealed
    with place.database.read() as connection:
        query = select(table).where(table.c.model == model, table.c.kind == kind)
        return connection.execute(query).all()


def _from_file(place: Place, row: Row[Any], key: str, numbers: Sequence[int], gone: Gone) -> None:
    """Write a file anew without the rows of a key, and list it in place of the old one."""
    path = place.files / row.path
    of = "root" if row.kind == "predictions" else "prediction"
    theirs = pl.col(of).is_in(numbers).fill_null(False)
    mine = (pl.col("key") == key).fill_null(False) | theirs
    n = pl.scan_parquet(path).select(mine.sum()).collect().item()
    if not n:
        return
    rest = pl.scan_parquet(path).filter(~mine).collect()
    made = None
    if rest.height:
        name = path.name.partition(".")[0].partition("_")[0]
        anew = path.with_name(f"{name}_{secrets.token_hex(4)}.parquet")
        write = write_predictions if row.kind == "predictions" else write_outcomes
        made = write(place, anew, rest, row.model)
        # rows that a reader has passed must stay passed
        made["last_seq"] = row.last_seq
    table = tables.sealed
    with place.database.write() as connection:
        connection.execute(delete(table).where(table.c.path == row.path))
        if made is not None:
            connection.execute(insert(table), made)
    _remove(place, path)
    gone.files += 1
    if row.kind == "predictions":
        gone.predictions += n
    else:
        gone.outcomes += n


def _remove(place: Place, path: Path) -> None:
    """Remove a file that is no longer listed, with its indexes."""
    with told(place.files):
        for suffix in (".parquet", ".ids", ".keys"):
            path.with_suffix(suffix).unlink(missing_ok=True)


def _mark(place: Place, model: str, key: str, by: str, gone: Gone) -> None:
    salt = secrets.token_hex(16)
    with place.database.write() as connection:
        connection.execute(insert(tables.forgotten), {
            "model": model, "salt": salt, "digest": _digest(salt, key), "at_us": place.clock(),
            "by": by, "predictions": gone.predictions, "outcomes": gone.outcomes,
        })  # fmt: skip


def _digest(salt: str, key: str) -> str:
    return blake2b(key.encode(), key=bytes.fromhex(salt), digest_size=32).hexdigest()


def _scrub(place: Place) -> None:
    """Take removed rows out of a database file, where SQLite leaves them until it needs room."""
    if place.database.is_server:
        return
    with told(place.files), place.database.engine.connect() as connection:
        raw: Any = connection.connection.driver_connection
        try:
            raw.execute("VACUUM")
        except sqlite3.Error as error:
            raise OSError(f"what was removed could not be scrubbed from log.db: {error}") from error
