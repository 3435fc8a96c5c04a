"""New rows of a database: those beyond a watermark."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from everfit.data.sources.frames import plain, series_of
from everfit.errors import ColumnMissing, DataError, SourceMissing, Unreachable, UsageError, near
from everfit.loop.feed.contract import Feed
from everfit.loop.feed.files import Found
from everfit.loop.feed.keeping import beyond, hashes, keep, kept

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

Check = Callable[[pl.DataFrame, str], None]
MOST_ROWS = 1_000_000  # of one pull; the next goes on where it ended
MOST_BEHIND = 200_000  # rows that are asked for again because one before them has no outcome


def pull_rows(
    feed: Feed,
    state: Mapping[str, Any],
    *,
    root: Path,
    model: str,
    check: Check,
    target: str,
) -> Found:
    """Labelled rows from the watermark on that were not pulled before.

    Rows that share the value of the watermark with the last row pulled may have come later, and so
    may outcomes of rows that had none: they are asked for again, and known by their content.

    Raises
    ------
    UsageError : the feed names no watermark
    SourceMissing, Unreachable : the database or the table is not there
    ColumnMissing : there is no such watermark
    DataError : the query fails, or the watermark goes backwards
    """
    if feed.watermark is None:
        raise UsageError(
            f"the feed {feed.name!r} needs a watermark",
            got="a database and no watermark",
            expected="the name of a column that grows with every row",
            do=f'add watermark = "..." to [models.{model}.feeds.{feed.name}]',
        )
    import sqlalchemy as sa

    mark = _read_mark(state.get("mark"))
    engine, table = _engine(feed)
    try:
        with engine.connect() as connection:
            rows = _beyond(connection, feed, feed.watermark, table, mark)
    except sa.exc.DBAPIError as error:
        raise _failure(feed, error) from error
    finally:
        engine.dispose()
    return _kept(feed, rows, state, root=root, model=model, check=check, target=target)


def _kept(
    feed: Feed,
    rows: pl.DataFrame,
    state: Mapping[str, Any],
    *,
    root: Path,
    model: str,
    check: Check,
    target: str,
) -> Found:
    """Keep the labelled rows that were not kept before; the mark waits for those without outcome.

    Rows from the mark on are asked for again at the next pull, and known by their content.
    """
    if not rows.height:
        return Found((), 0, state, ())
    column, before = str(feed.watermark), list(state.get("kept", []))
    known = rows[target].is_not_null() if target in rows.columns else rows[column].is_not_null()
    labelled, open_ = rows.filter(known), rows.filter(~known)
    since = [name for name, top in before if top is None or not _is_below(top, state.get("mark"))]
    fresh = labelled.filter(pl.Series(beyond(hashes(labelled), kept(root, since))))
    mark, notes = _next_mark(rows, open_, column)
    after: dict[str, Any] = {"mark": mark, "kept": before}
    if not fresh.height:
        return Found((), 0, after if mark != state.get("mark") else state, notes)
    check(fresh, f"the feed {feed.name!r}")
    file = keep(root, model, feed.name, fresh)
    after["kept"] = [*before, [file, _write_mark(fresh[column].max())]]
    return Found((file,), fresh.height, after, notes)


def _next_mark(rows: pl.DataFrame, open_: pl.DataFrame, column: str) -> tuple[Any, tuple[str, ...]]:
    """From where on the next pull asks: the first row without outcome, or the last row."""
    last = _write_mark(rows[column].max())
    if not open_.height:
        return last, ()
    first = open_[column].min()
    behind = rows.filter(pl.col(column) >= first).height
    if behind > MOST_BEHIND:
        note = f"{open_.height:,} rows without an outcome were given up: too many came after them"
        return last, (note,)
    note = f"{open_.height:,} rows have no outcome yet; they are asked for again"
    return _write_mark(first), (note,)


def _is_below(top: Any, mark: Any) -> bool:
    """Whether a file's newest row lies before the mark, so that no row of it can come again."""
    if mark is None:
        return False
    return bool(_comparable(_read_mark(top)) < _comparable(_read_mark(mark)))


def _engine(feed: Feed) -> tuple[Engine, str | None]:
    """The database of a feed, not yet asked, and the table that its address names."""
    import sqlalchemy as sa

    try:
        url = sa.make_url(feed.source)
        table = url.query.get("table")
        _there(feed, url.get_backend_name(), url.database)
        engine = sa.create_engine(url.difference_update_query(["table"]))
    except (sa.exc.NoSuchModuleError, ImportError) as error:
        raise Unreachable(
            f"the feed {feed.name!r} did not answer",
            got=str(error).splitlines()[0][:300],
            expected="a database whose driver is installed",
            do="install the driver that is named above",
        ) from error
    except sa.exc.ArgumentError as error:
        raise UsageError(
            f"the address of the feed {feed.name!r} cannot be read",
            got=repr(feed.source.rsplit("@", maxsplit=1)[-1]),
            expected="an SQLAlchemy URL such as sqlite:///shop.db?table=customers",
            do="write dialect://user:password@host/database?table=name",
        ) from error
    return engine, table[-1] if isinstance(table, tuple) else table


def _there(feed: Feed, backend: str, file: str | None) -> None:
    """SQLite would make a new, empty file where there is none."""
    if backend == "sqlite" and file not in (None, "", ":memory:") and not Path(str(file)).exists():
        raise SourceMissing(
            f"the feed {feed.name!r} has vanished",
            got=f"no file {file}",
            expected="a SQLite file that exists",
            do="bring it back, or change its source in everfit.toml; what was pulled is kept",
        )


def _beyond(
    connection: Connection, feed: Feed, column: str, table: str | None, mark: Any
) -> pl.DataFrame:
    import sqlalchemy as sa

    if feed.query is None and not table:
        raise UsageError(
            f"the feed {feed.name!r} names no rows",
            got="a database without a table or query",
            expected="?table=name at the end of the address, or a query",
            do="add one of them in everfit.toml",
        )
    if feed.query is not None:
        source: Any = sa.text(feed.query).columns(sa.column(column)).subquery("rows_of_feed")
        whole = sa.select(sa.text("*")).select_from(source)
    else:
        schema, _, name = str(table).rpartition(".")
        source = sa.table(name, sa.column(column), schema=schema or None)
        if not sa.inspect(connection).has_table(name, schema=schema or None):
            raise SourceMissing(
                f"the feed {feed.name!r} has vanished",
                got=f"no table {table!r}",
                expected="the table that it names",
                do="bring it back, or change its source in everfit.toml; what was pulled is kept",
            )
        whole = sa.select(sa.text("*")).select_from(source)
    key = source.c[column]
    if mark is not None:
        newest = connection.execute(sa.select(sa.func.max(key))).scalar()
        if newest is None or _comparable(newest) < _comparable(mark):
            raise _backwards(feed, column, mark, newest)
        whole = whole.where(key >= mark)
    result = connection.execute(whole.order_by(key).limit(MOST_ROWS))
    names = [str(name) for name in result.keys()]  # noqa: SIM118 - a result is no dict
    if column not in names:
        raise _no_column(feed, column, names)
    columns = list(zip(*result.all(), strict=True)) or [()] * len(names)
    frame, _ = plain(pl.DataFrame([series_of(n, c) for n, c in zip(names, columns, strict=True)]))
    return frame.drop_nulls(column) if frame.height else frame


def _backwards(feed: Feed, column: str, mark: Any, newest: Any) -> DataError:
    return DataError(
        f"the feed {feed.name!r} goes backwards",
        got=f"its newest {column!r} is {newest}",
        expected=f"{mark} or later, which was pulled before",
        do="bring the rows back; for a table that begins anew, give the feed another name",
    )


def _no_column(feed: Feed, column: str, names: list[str]) -> ColumnMissing:
    hint = near(column, names)
    return ColumnMissing(
        f"the feed {feed.name!r} has no column {column!r}",
        got=", ".join(map(repr, names[:20])),
        expected="the watermark among the columns",
        do=f"did you mean {hint}?" if hint else "name one of the columns above",
    )


def _failure(feed: Feed, error: Any) -> Exception:
    first = str(error).splitlines()[0][:300]
    lost = error.connection_invalidated or "connect" in first.lower() or error.statement is None
    if lost:
        return Unreachable(
            f"the feed {feed.name!r} did not answer",
            got=first,
            expected="a database that can be reached",
            do="check address, rights and network; the next turn tries again",
        )
    if "no such column" in first.lower() or "undefinedcolumn" in first.lower():
        return ColumnMissing(
            f"the feed {feed.name!r} has no column {feed.watermark!r}",
            got=first,
            expected="the watermark among the columns",
            do="name a column that is there",
        )
    return DataError(
        f"the query of the feed {feed.name!r} failed",
        got=first,
        expected="SQL that gives rows",
        do="try the query in the database's own client",
    )


def _comparable(value: Any) -> Any:
    return value.isoformat() if isinstance(value, (date, datetime)) else value


def _write_mark(value: Any) -> Any:
    """A watermark as JSON: numbers and text as they are, times named as such."""
    if isinstance(value, datetime):
        return {"datetime": value.isoformat()}
    if isinstance(value, date):
        return {"date": value.isoformat()}
    if isinstance(value, Decimal):
        return float(value)
    return value


def _read_mark(value: Any) -> Any:
    if isinstance(value, Mapping):
        if "datetime" in value:
            return datetime.fromisoformat(value["datetime"])
        return date.fromisoformat(value["date"])
    return value
