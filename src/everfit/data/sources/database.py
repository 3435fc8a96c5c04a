"""A table or query of a database, through an SQLAlchemy URL.

Rows are fetched in batches and spooled to a temporary folder as Arrow files, so that memory stays
small and a second look at a column sees exactly the rows of the first, whatever order the
database gives.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import polars as pl

from everfit.data.sources.contract import check_width, tidy_names
from everfit.data.sources.frames import plain, series_of
from everfit.errors import DataError, SourceMissing, Unreachable, UsageError, near

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, Executable
    from sqlalchemy.engine import URL

BATCH = 65_536  # rows


class Database:
    """The rows of one query, spooled.

    Parameters
    ----------
    address : an SQLAlchemy URL, possibly with ``?table=name``
    query : SQL that gives the rows; wins over ``table``

    Raises
    ------
    UsageError : neither query nor table is given and there is more than one table
    SourceMissing : no such table
    DataError : the query fails
    Unreachable : the database does not answer or its driver is not installed
    """

    def __init__(self, address: str, query: str | None) -> None:
        import sqlalchemy as sa

        self.notes: list[str] = []
        self.ordered: dict[str, tuple[str, ...]] = {}
        self.comma = False
        url, table = _split(address)
        self.uri = url.render_as_string(hide_password=True)
        self._folder = tempfile.TemporaryDirectory(prefix="everfit-database-")
        self.names: tuple[str, ...] = ()
        try:
            _check_file(url)
            engine = sa.create_engine(url)
            try:
                self._spool(engine, query, table)
            finally:
                engine.dispose()
        except (sa.exc.DBAPIError, sa.exc.NoSuchModuleError, ImportError) as error:
            self._folder.cleanup()
            raise self._failure(error) from error
        except BaseException:
            self._folder.cleanup()
            raise
        check_width(self.uri, len(self.names))

    def sha256(self) -> None:
        """A database has no bytes of its own: the reader hashes the rows."""

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """The spooled batches in the order in which they came."""
        for path in sorted(Path(self._folder.name).glob("*.arrow")):
            frame = pl.read_ipc(path)
            yield frame if columns is None else frame.select(columns)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._folder.cleanup()

    def _spool(self, engine: Engine, query: str | None, table: str | None) -> None:
        with engine.connect() as connection:
            statement = _statement(connection, query, table, self.uri)
            streaming = connection.execution_options(stream_results=True, yield_per=BATCH)
            result = streaming.execute(statement)
            self.names = tidy_names([str(name) for name in list(result.keys())], self.notes)
            place = 0
            for rows in result.partitions(BATCH):
                columns = zip(*rows, strict=True)
                frame, _ = plain(
                    pl.DataFrame(
                        [series_of(n, c) for n, c in zip(self.names, columns, strict=True)]
                    )
                )
                frame.write_ipc(Path(self._folder.name) / f"{place:08d}.arrow")
                self.names = tuple(frame.columns)
                place += 1
            if place == 0:
                empty = pl.DataFrame(schema=dict.fromkeys(self.names, pl.String))
                empty.write_ipc(Path(self._folder.name) / "00000000.arrow")

    def _failure(self, error: Exception) -> Exception:
        import sqlalchemy as sa

        first = str(error).splitlines()[0][:300]
        if isinstance(error, sa.exc.DBAPIError) and not isinstance(error, sa.exc.InterfaceError):
            lost = error.connection_invalidated or "connect" in first.lower()
            if error.statement and not lost:
                return DataError(
                    f"the query on {self.uri} failed",
                    got=first,
                    expected="SQL that gives rows",
                    do="try the query in the database's own client",
                )
        return Unreachable(
            f"{self.uri} did not answer",
            got=first,
            expected="a database that can be reached, with its driver installed",
            do="check address, rights and network, or install the driver that is named above",
        )


def _split(address: str) -> tuple[URL, str | None]:
    """The URL without ``table``, and the table."""
    import sqlalchemy as sa

    try:
        url = sa.make_url(address)
    except sa.exc.ArgumentError as error:
        raise UsageError(
            "the database address cannot be read",
            got=repr(address.rsplit("@", maxsplit=1)[-1]),
            expected="an SQLAlchemy URL such as sqlite:///shop.db?table=customers",
            do="write dialect://user:password@host/database?table=name",
        ) from error
    table = url.query.get("table")
    if isinstance(table, tuple):
        table = table[-1]
    return url.difference_update_query(["table"]), table


def _check_file(url: URL) -> None:
    """SQLite would make a new, empty file where there is none."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return
    path = Path(str(url.database))
    if path.exists() or str(url.database).startswith("file:"):
        return
    there = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    hint = near(path.name, there)
    raise SourceMissing(
        f"there is no database file {path}",
        got=str(path),
        expected="a SQLite file that exists",
        do=f"did you mean {hint}?" if hint else "check the path; three slashes are relative",
    )


def _statement(
    connection: Connection, query: str | None, table: str | None, uri: str
) -> Executable:
    import sqlalchemy as sa

    if query:
        return sa.text(query)
    schema, _, name = (table or "").rpartition(".")
    inspector = sa.inspect(connection)
    known = [*inspector.get_table_names(schema or None), *inspector.get_view_names(schema or None)]
    if not name and len(known) == 1:
        name = known[0]
    if not name:
        raise UsageError(
            f"{uri} has {len(known)} tables and none was named",
            got=", ".join(sorted(known)[:20]),
            expected="a query, or ?table=name at the end of the address",
            do="add ?table= with one of the names above",
        )
    if name not in known:
        hint = near(name, known)
        raise SourceMissing(
            f"there is no table {name!r} in {uri}",
            got=", ".join(sorted(known)[:20]) or "no tables",
            expected=f"a table or view called {name!r}",
            do=f"did you mean {hint}?" if hint else "give one of the names above",
        )
    return sa.select(sa.text("*")).select_from(sa.table(name, schema=schema or None))


def is_address(source: Any) -> bool:
    """Whether ``source`` is a database address and no path.

    Examples
    --------
    >>> is_address("sqlite:///shop.db?table=customers"), is_address("shop.csv")
    (True, False)
    """
    return isinstance(source, str) and "://" in source and not source.startswith("file://")
