"""What many keys have lived through: their last predictions whose outcomes are known, at once.

An answer waits for it, so it is one query for all keys, and without a data frame for what is still
in the tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
from sqlalchemy import Connection, exists, func, select

from everfit.store.log import tables
from everfit.store.log.columns import FEATURE
from everfit.store.log.place import Place, some, within
from everfit.store.log.read import each_file
from everfit.store.log.sealed.archive import Archive
from everfit.store.log.tables import COUNTED, REPLACED

LOOKED_AT = 1_000  # newest predictions of a key: further back nothing is looked for
COUNTS = (COUNTED, REPLACED)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_decode = msgspec.json.decode


@dataclass(frozen=True, slots=True)
class Lived:
    """A prediction, the row that was asked, and what turned out true."""

    at: datetime
    row: Mapping[str, Any]
    outcome: Any


@dataclass(frozen=True, slots=True)
class _Asked:
    seq: int
    at: datetime
    row: Mapping[str, Any]


def lived(
    place: Place, archive: Archive, model: str, keys: Sequence[str], n: int
) -> dict[str, list[Lived]]:
    """For each key its last ``n`` predictions with a known outcome, oldest first.

    Looked at are its last 1,000 predictions in the tables, and where these are too few, about its
    last 4 n + 20 sealed ones. Shadows are left out.
    """
    while True:
        with place.database.read() as connection:
            number = place.number(connection, model)
            found = _in_tables(connection, number, keys)
            paths, numbers = _sealed(archive, connection, number, found, n)
            seqs = [one.seq for rows in found.values() for one in rows] + numbers
            told = _outcomes(archive, connection, number, seqs)
        frames = each_file(place, paths, lambda path: _in_file(path, numbers, keys))  # noqa: B023
        if frames is not None:
            break
    for frame in frames:
        for key, one in _rows(frame):
            found[key].append(one)
    made = {}
    for key, rows in found.items():
        rows.sort(key=lambda one: one.seq)
        known = [Lived(one.at, one.row, told[one.seq]) for one in rows if one.seq in told]
        made[key] = known[-n:]
    return made


def _in_tables(connection: Connection, model: int, keys: Sequence[str]) -> dict[str, list[_Asked]]:
    table = tables.prediction
    newest = func.row_number().over(partition_by=table.c.key, order_by=table.c.seq.desc())
    mine = select(
        table.c.seq, table.c.key, table.c.at_us, table.c.request, newest.label("newest")
    ).where(table.c.model == model, table.c.key.in_(some()), table.c.of.is_(None))
    ranked = mine.subquery()
    found: dict[str, list[_Asked]] = {key: [] for key in keys}
    told = tables.outcome
    known = exists().where(told.c.prediction == ranked.c.seq, told.c.state.in_(COUNTS))
    query = select(ranked).where(ranked.c.newest <= LOOKED_AT, known)
    for row in within(connection, query, keys):
        at = EPOCH + timedelta(microseconds=row.at_us)
        found[row.key].append(_Asked(row.seq, at, _decode(bytes(row.request))))
    return found


def _sealed(
    archive: Archive,
    connection: Connection,
    model: int,
    found: Mapping[str, Sequence[_Asked]],
    n: int,
) -> tuple[list[Path], list[int]]:
    """Files and numbers of the predictions of keys that have too few in the tables."""
    paths: dict[Path, None] = {}
    numbers: list[int] = []
    for key, rows in found.items():
        if len(rows) < n:
            # some of them have no outcome
            places, more = archive.of_key(connection, model, key, 4 * n + 20)
            paths |= dict.fromkeys(places)
            numbers += more
    return list(paths), numbers


def _in_file(path: Path, numbers: Sequence[int], keys: Sequence[str]) -> pl.DataFrame:
    mine = pl.col("seq").is_in(numbers) & pl.col("key").is_in(keys) & pl.col("of").is_null()
    return pl.scan_parquet(path).filter(mine).collect()


def _rows(frame: pl.DataFrame) -> Iterator[tuple[str, _Asked]]:
    features = [name for name in frame.columns if name.startswith(FEATURE)]
    for row in frame.select("seq", "key", "at", *features).rows(named=True):
        values = {
            name.removeprefix(FEATURE): row[name] for name in features if row[name] is not None
        }
        yield row["key"], _Asked(row["seq"], row["at"], values)


def _outcomes(
    archive: Archive, connection: Connection, model: int, seqs: Sequence[int]
) -> dict[int, Any]:
    """The outcome that counts of each prediction that has one: the latest, then the last told."""
    table = tables.outcome
    query = select(table.c.prediction, table.c.value, table.c.at_us, table.c.seq).where(
        table.c.model == model,
        table.c.prediction.in_(some()),
        table.c.state.in_(COUNTS),
    )
    told: dict[int, list[tuple[int, int, bytes]]] = {}
    for row in within(connection, query, seqs):
        told.setdefault(row.prediction, []).append((row.at_us, row.seq, bytes(row.value)))
    for number, earlier in archive.told(connection, model, seqs).items():
        told.setdefault(number, []).extend((e.at_us, e.seq, e.value) for e in earlier)
    return {number: _decode(max(some_of)[2]) for number, some_of in told.items()}
