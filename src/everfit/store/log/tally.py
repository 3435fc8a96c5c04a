"""How many predictions there are, by arm, and over which time."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import polars as pl
from sqlalchemy import func, select

from everfit.store.log import tables
from everfit.store.log.place import Place
from everfit.store.log.read import Wanted, each_file, within_time


def tally(place: Place, wanted: Wanted) -> dict[str, int]:
    """The number of predictions of each arm; a file that lies in the time is not opened."""
    p, f = tables.prediction, tables.sealed
    low = -(2**62) if wanted.since_us is None else wanted.since_us
    high = 2**62 if wanted.until_us is None else wanted.until_us
    while True:
        with place.database.read() as connection:
            number = place.number(connection, wanted.model)
            mine = [p.c.model == number, p.c.at_us >= low, p.c.at_us < high]
            if wanted.version is not None:
                mine.append(p.c.version == wanted.version)
            query = select(p.c.arm, func.count()).where(*mine).group_by(p.c.arm)
            counted = connection.execute(query).all()
            named = place.named(connection)
            listed = connection.execute(
                select(f.c.path, f.c.arms, f.c.min_at_us, f.c.max_at_us).where(
                    f.c.model == number,
                    f.c.kind == "predictions",
                    f.c.max_at_us >= low,
                    f.c.min_at_us < high,
                )
            ).all()
        found = Counter({named[arm]: int(n) for arm, n in counted})
        opened: list[Path] = []
        for row in listed:
            if low <= row.min_at_us and row.max_at_us < high and wanted.version is None:
                found.update(json.loads(row.arms))
            else:
                opened.append(place.files / row.path)
        frames = each_file(place, opened, lambda path: _arms_in(path, wanted))
        if frames is not None:
            for frame in frames:
                found.update(dict(frame.iter_rows()))
            return {arm: n for arm, n in sorted(found.items()) if n and wanted.arm in (None, arm)}


def extent(place: Place, model: str) -> tuple[int, int] | None:
    """The times of the earliest and the latest prediction in microseconds; no file is opened."""
    p, f = tables.prediction, tables.sealed
    with place.database.read() as connection:
        number = place.number(connection, model)
        fresh = select(func.min(p.c.at_us), func.max(p.c.at_us)).where(p.c.model == number)
        sealed = select(func.min(f.c.min_at_us), func.max(f.c.max_at_us)).where(
            f.c.model == number, f.c.kind == "predictions"
        )
        ends = [tuple(connection.execute(query).one()) for query in (fresh, sealed)]
    there = [(low, high) for low, high in ends if low is not None]
    if not there:
        return None
    return min(low for low, _ in there), max(high for _, high in there)


def _arms_in(path: Path, wanted: Wanted) -> pl.DataFrame:
    lazy = within_time(pl.scan_parquet(path), wanted)
    if wanted.version is not None:
        lazy = lazy.filter(pl.col("version") == wanted.version)
    return lazy.group_by("arm").len().collect()
