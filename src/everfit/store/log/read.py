"""Reading: batches in the order in which predictions were drained, sealed files first.

A reader remembers the number it came to. Each step asks for what follows in one short transaction,
so that rows which move from the tables into a file meanwhile are read once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import Connection, select

from everfit.errors import StoreFailed
from everfit.store.log import tables
from everfit.store.log.columns import FEATURE, JOINED, SEEN, shown, stored_frame, typed
from everfit.store.log.place import Place
from everfit.store.log.sealed.archive import Archive
from everfit.store.log.tables import COUNTED, REPLACED

STEP = 50_000  # rows of one transaction
JOIN_ROWS = 1_000_000  # predictions whose outcomes are held at a time


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which predictions are read; times in microseconds, ``until_us`` not included."""

    model: str
    since_us: int | None = None
    until_us: int | None = None
    arm: str | None = None
    version: int | None = None
    columns: Sequence[str] | None = None


def ahead(frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The same frames, the next one read while the one before is worked on.

    Reading happens in a thread of its own: a caller that holds the database for writing must not
    go on with this, since each would wait for the other.
    """
    with ThreadPoolExecutor(1, "everfit-log") as reader:
        coming = reader.submit(next, frames, None)
        while (frame := coming.result()) is not None:
            coming = reader.submit(next, frames, None)
            yield frame


def predictions(place: Place, wanted: Wanted) -> Iterator[pl.DataFrame]:
    """Batches as :meth:`Log.predictions` gives them."""
    for frame in stored(place, wanted, also=()):
        yield _seen(frame, wanted.columns, SEEN)


def joined(place: Place, wanted: Wanted) -> Iterator[pl.DataFrame]:
    """Batches as :meth:`Log.joined` gives them."""
    low, high, told = 0, -1, None
    for frame in stored(place, wanted, also=("root", "at")):
        first, last = _bounds(frame["root"])
        if told is None or first < low or last > high:
            low, high = first, max(last, _reach(place, wanted.model, first))
            told = outcomes(place, wanted.model, low, high)
        yield _with_outcome(frame, told, wanted.columns)


def last_of(place: Place, archive: Archive, model: str, key: str, n: int) -> pl.DataFrame:
    """The frame as :meth:`Log.history` gives it."""
    table = tables.prediction
    mine = (pl.col("key") == key) & pl.col("of").is_null()
    while True:
        with place.database.read() as connection:
            number = place.number(connection, model)
            query = (
                select(table)
                .where(table.c.model == number, table.c.key == key, table.c.of.is_(None))
                .order_by(table.c.seq.desc())
                .limit(n)
            )
            frame = stored_frame(connection.execute(query).all(), place.named(connection))
            paths, numbers = archive.of_key(connection, number, key, n - frame.height)
        some = pl.col("seq").is_in(numbers)
        frames = each_file(place, paths, lambda p: pl.scan_parquet(p).filter(some, mine).collect())  # noqa: B023
        if frames is not None:
            break
    whole = pl.concat([frame, *frames], how="diagonal_relaxed").sort("seq").tail(n)
    told = outcomes(place, model, *_bounds(whole["root"]))
    return _with_outcome(whole, told, None)


def stored(place: Place, wanted: Wanted, *, also: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Stored frames, with the wanted columns that there are and those named in ``also``."""
    at = -1
    while True:
        with place.database.read() as connection:
            found = _next_file(place, connection, wanted, at)
            rows = None if found else _next_rows(place, connection, wanted, at)
        if rows is not None:
            if rows.height:
                at = int(rows["seq"][-1])
                yield rows.select(_stored_names(rows.columns, wanted.columns, also))
            if rows.height < STEP:
                return
            continue
        assert found is not None
        path, last = found
        try:
            frame = _read_file(path, wanted, at, also)
        except FileNotFoundError:
            _still_there(place, path)
            continue
        at = last
        if frame.height:
            yield frame


def outcomes(place: Place, model: str, low: int, high: int) -> pl.DataFrame:
    """The outcome that counts for each prediction from ``low`` to ``high``.

    Columns: root, outcome, outcome_at; the one with the latest time counts, then the one that came
    last.
    """
    table, files = tables.outcome, tables.sealed
    while True:
        with place.database.read() as connection:
            number = place.number(connection, model)
            query = select(table.c.prediction, table.c.value, table.c.at_us, table.c.seq).where(
                table.c.model == number,
                table.c.prediction.between(low, high),
                table.c.state.in_([COUNTED, REPLACED]),
            )
            rows = connection.execute(query).all()
            listed = select(files.c.path).where(
                files.c.model == number,
                files.c.kind == "outcomes",
                files.c.low <= high,
                files.c.high >= low,
            )
            listed = listed.order_by(files.c.low)
            paths = [place.files / name for name in connection.execute(listed).scalars()]
        parts = each_file(place, paths, lambda path: _told_in(path, low, high))
        if parts is not None:
            break
    latest = _latest(pl.concat([*parts, _told(rows)]))
    return latest.select(
        pl.col("prediction").alias("root"),
        typed(latest["value"]).alias("outcome"),
        _time(pl.col("at_us")).alias("outcome_at"),
    )


def _latest(told: pl.DataFrame) -> pl.DataFrame:
    """For each prediction the outcome that counts, in the order of predictions."""
    # files that follow one another are in order; of most predictions there is one outcome
    if not told["prediction"].is_sorted():
        told = told.sort("prediction")
    number = pl.col("prediction")
    again = (number == number.shift(-1)).fill_null(False)
    several = told.select(again | (number == number.shift(1)).fill_null(False)).to_series()
    if not several.any():
        return told
    some = told.filter(several).sort("prediction", "at_us", "seq").filter(~again)
    return pl.concat([told.filter(~several), some]).sort("prediction")


def _told(rows: Sequence[Any]) -> pl.DataFrame:
    prediction, value, at_us, seq = zip(*rows, strict=True) if rows else ((),) * 4
    return pl.DataFrame(
        {
            "prediction": pl.Series(prediction, dtype=pl.Int64),
            "value": pl.Series([bytes(item).decode() for item in value], dtype=pl.String),
            "at_us": pl.Series(at_us, dtype=pl.Int64),
            "seq": pl.Series(seq, dtype=pl.Int64),
        }
    )


def _told_in(path: Path, low: int, high: int) -> pl.DataFrame:
    within = pl.col("prediction").is_between(low, high)
    lazy = pl.scan_parquet(path).filter(within).select("prediction", "value", "at_us", "seq")
    return lazy.collect()


def each_file(
    place: Place, paths: Sequence[Path], read: Callable[[Path], pl.DataFrame]
) -> list[pl.DataFrame] | None:
    """What ``read`` gives for each file; None when one was rewritten since it was listed."""
    frames = []
    for path in paths:
        try:
            frames.append(read(path))
        except FileNotFoundError:
            _still_there(place, path)
            return None
    return frames


def _with_outcome(
    frame: pl.DataFrame, told: pl.DataFrame, columns: Sequence[str] | None
) -> pl.DataFrame:
    # both are in the order of predictions: looking up is four times as quick as a join
    if told.is_empty():
        found = told.clear(frame.height).drop("root")
    else:
        roots = frame["root"].fill_null(-1)
        places = told["root"].search_sorted(roots).clip(0, told.height - 1)
        there = told["root"].gather(places) == roots
        found = told.drop("root")[places].select(pl.when(there).then(pl.all()))
    whole = frame.hstack(found)
    late = whole.with_columns(lateness=pl.col("outcome_at") - pl.col("at"))
    return _seen(late, columns, (*SEEN, *JOINED))


def _bounds(numbers: pl.Series) -> tuple[int, int]:
    """The lowest and the highest; of none, an empty range."""
    low, high = numbers.min(), numbers.max()
    return (0, -1) if low is None or high is None else (int(low), int(high))  # type: ignore[arg-type]


def _reach(place: Place, model: str, first: int) -> int:
    """How far the files go that hold about a million predictions from ``first`` on."""
    table = tables.sealed
    with place.database.read() as connection:
        query = (
            select(table.c.last_seq, table.c.n)
            .where(
                table.c.model == place.number(connection, model),
                table.c.kind == "predictions",
                table.c.last_seq >= first,
            )
            .order_by(table.c.last_seq)
        )
        total, last = 0, first
        for row in connection.execute(query):
            total, last = total + row.n, int(row.last_seq)
            if total >= JOIN_ROWS:
                break
    return last


def _next_file(
    place: Place, connection: Connection, wanted: Wanted, at: int
) -> tuple[Path, int] | None:
    table = tables.sealed
    number = place.number(connection, wanted.model)
    query = select(table.c.path, table.c.last_seq).where(
        table.c.model == number, table.c.kind == "predictions", table.c.last_seq > at
    )
    if wanted.since_us is not None:
        query = query.where(table.c.max_at_us >= wanted.since_us)
    if wanted.until_us is not None:
        query = query.where(table.c.min_at_us < wanted.until_us)
    row = connection.execute(query.order_by(table.c.last_seq).limit(1)).first()
    return (place.files / row.path, int(row.last_seq)) if row else None


def _next_rows(place: Place, connection: Connection, wanted: Wanted, at: int) -> pl.DataFrame:
    table = tables.prediction
    query = select(table).where(
        table.c.model == place.number(connection, wanted.model), table.c.seq > at
    )
    if wanted.since_us is not None:
        query = query.where(table.c.at_us >= wanted.since_us)
    if wanted.until_us is not None:
        query = query.where(table.c.at_us < wanted.until_us)
    if wanted.arm is not None:
        query = query.where(table.c.arm == place.number(connection, wanted.arm))
    if wanted.version is not None:
        query = query.where(table.c.version == wanted.version)
    rows = connection.execute(query.order_by(table.c.seq).limit(STEP)).all()
    return stored_frame(rows, place.named(connection))


def _read_file(path: Path, wanted: Wanted, at: int, also: Sequence[str]) -> pl.DataFrame:
    names = pl.read_parquet_schema(path)
    lazy = within_time(pl.scan_parquet(path).filter(pl.col("seq") > at), wanted)
    if wanted.arm is not None:
        lazy = lazy.filter(pl.col("arm") == wanted.arm)
    if wanted.version is not None:
        lazy = lazy.filter(pl.col("version") == wanted.version)
    return lazy.select(_stored_names(list(names), wanted.columns, also)).collect()


def within_time(rows: pl.LazyFrame, wanted: Wanted) -> pl.LazyFrame:
    """The rows of a stored frame that lie in the wanted time."""
    if wanted.since_us is not None:
        rows = rows.filter(pl.col("at") >= _time(pl.lit(wanted.since_us)))
    if wanted.until_us is not None:
        rows = rows.filter(pl.col("at") < _time(pl.lit(wanted.until_us)))
    return rows


def _time(at_us: pl.Expr) -> pl.Expr:
    return at_us.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _stored_names(
    have: Sequence[str], columns: Sequence[str] | None, also: Sequence[str]
) -> list[str]:
    """Those of the stored columns that are wanted."""
    names = shown([name for name in have if name.startswith(FEATURE)], (*SEEN, *JOINED))
    back = {name: name for name in SEEN} | {seen: name for name, seen in names.items()}
    wanted = list(back) if columns is None else columns
    picked = [back[name] for name in wanted if name in back and back[name] in have]
    return [*dict.fromkeys((*also, *picked))]


def _seen(frame: pl.DataFrame, columns: Sequence[str] | None, own: Sequence[str]) -> pl.DataFrame:
    names = shown([n for n in frame.columns if n.startswith(FEATURE)], (*SEEN, *JOINED))
    renamed = frame.rename(names)
    wanted = [*own, *names.values()] if columns is None else list(columns)
    return renamed.select(
        pl.col(name) if name in renamed.columns else pl.lit(None).alias(name) for name in wanted
    )


def _still_there(place: Place, path: Path) -> None:
    """A file that is gone because it was rewritten or removed is no matter; another one is."""
    table = tables.sealed
    listed = path.relative_to(place.files).as_posix()
    with place.database.read() as connection:
        row = connection.execute(select(table.c.n).where(table.c.path == listed)).first()
    if row is not None:
        raise StoreFailed(
            "a sealed file of the log is gone",
            got=f"no {path}",
            expected=f"{row.n} predictions in it",
            do="put the file back; machines that share a log must share its folder of files too",
        )
