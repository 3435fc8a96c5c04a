"""Looking into sealed files: one prediction by id or key, and what was told of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import Connection, Row, select

from everfit.store.log import tables
from everfit.store.log.place import Place
from everfit.store.log.sealed.index import Index, digest
from everfit.store.log.settle import Earlier


class Archive:
    """The sealed files of a log; indexes stay mapped once they were used."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._indexes: dict[str, Index] = {}

    def ids(self, connection: Connection, model: int, ids: Sequence[str]) -> dict[str, int]:
        """The number of each sealed prediction of ``model`` that has one of ``ids``."""
        hashes = [digest(text) for text in ids]
        found: dict[str, int] = {}
        for row in self._files(connection, model, "predictions") if ids else ():
            for at, number in self._index(row, ".ids").find(hashes):
                found[ids[at]] = min(number, found.get(ids[at], number))
        return found

    def keys(
        self, connection: Connection, model: int, wanted: Sequence[tuple[str, int]]
    ) -> dict[int, int]:
        """For each place in ``wanted`` the number of the last sealed prediction of that key.

        ``wanted`` holds keys, each with the time in microseconds that it may not be after.
        """
        hashes = [digest(key) for key, _ in wanted]
        found: dict[int, int] = {}
        for row in self._files(connection, model, "predictions") if wanted else ():
            places = [i for i in range(len(wanted)) if i not in found]
            if not places:
                break
            hits = self._index(row, ".keys").find([hashes[i] for i in places])
            if hits:
                rows = self._originals(row, [number for _, number in hits])
                found |= _last_fitting(hits, places, wanted, rows)
        return found

    def told(
        self, connection: Connection, model: int, numbers: Sequence[int]
    ) -> dict[int, list[Earlier]]:
        """The sealed outcomes of predictions, by their number."""
        found: dict[int, list[Earlier]] = {}
        if not numbers:
            return found
        for row in self._files(connection, model, "outcomes"):
            some = [number for number in numbers if row.low <= number <= row.high]
            if not some:
                continue
            frame = (
                pl.scan_parquet(self._path(row))
                # the bounds let whole groups of rows be passed over
                .filter(pl.col("prediction").is_between(min(some), max(some)))
                .filter(pl.col("prediction").is_in(some))
                .select("prediction", "value", "at_us", "seq")
                .collect()
            )
            for prediction, value, at_us, seq in frame.iter_rows():
                found.setdefault(prediction, []).append(Earlier(value.encode(), at_us, seq))
        return found

    def of_key(
        self, connection: Connection, model: int, key: str, most: int
    ) -> tuple[list[Path], list[int]]:
        """The files, latest first, and the numbers of at least ``most`` predictions of a key."""
        paths: list[Path] = []
        numbers: list[int] = []
        for row in self._files(connection, model, "predictions"):
            mine = [number for _, number in self._index(row, ".keys").find([digest(key)])]
            if mine:
                paths.append(self._path(row))
                numbers += mine
            if len(numbers) >= most:
                break
        return paths, numbers

    def _files(self, connection: Connection, model: int, kind: str) -> Sequence[Row[Any]]:
        """The listed files, latest first."""
        table = tables.sealed
        mine = (table.c.model == model) & (table.c.kind == kind)
        query = select(table).where(mine).order_by(table.c.last_seq.desc())
        return connection.execute(query).all()

    def _index(self, row: Row[Any], suffix: str) -> Index:
        path = self._path(row).with_suffix(suffix)
        name = str(path)
        if name not in self._indexes:
            self._indexes[name] = Index(path, int(row.first_seq))
        return self._indexes[name]

    def _originals(self, row: Row[Any], numbers: Sequence[int]) -> dict[int, tuple[str, int]]:
        """The key and the time of each numbered prediction that is no shadow."""
        near = pl.col("seq").is_between(min(numbers), max(numbers))
        lazy = pl.scan_parquet(self._path(row)).filter(near, pl.col("seq").is_in(numbers))
        mine = lazy.filter(pl.col("of").is_null())
        frame = mine.select("seq", "key", pl.col("at").dt.epoch("us")).collect()
        return {seq: (key, at_us) for seq, key, at_us in frame.iter_rows()}

    def _path(self, row: Row[Any]) -> Path:
        return self._place.files / str(row.path)


def _last_fitting(
    hits: Sequence[tuple[int, int]],
    places: Sequence[int],
    wanted: Sequence[tuple[str, int]],
    rows: dict[int, tuple[str, int]],
) -> dict[int, int]:
    found: dict[int, int] = {}
    for at, number in hits:
        place = places[at]
        key, until_us = wanted[place]
        there, at_us = rows.get(number, ("", until_us + 1))
        if there == key and at_us <= until_us:
            found[place] = max(number, found.get(place, number))
    return found
