"""A database that gives whole transactions, and says in our words what went wrong."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlalchemy.pool import NullPool, StaticPool

from everfit.errors import StoreBusy, StoreFailed

# SQLite below this can damage a write-ahead log when it is reset while another connection
# writes (https://www.sqlite.org/changes.html, 3.51.3); a rollback journal is safe with all.
WAL_SAFE = (3, 51, 3)
BUSY_MS = 10_000


def journal_mode(sqlite_version: tuple[int, ...]) -> str:
    """The journal that is safe with this SQLite.

    Examples
    --------
    >>> journal_mode((3, 40, 1)), journal_mode((3, 53, 0))
    ('DELETE', 'WAL')
    """
    # 3.52.0 was withdrawn
    return "WAL" if sqlite_version >= WAL_SAFE and sqlite_version != (3, 52, 0) else "DELETE"


class Database:
    """Whole transactions over one database URL; threads take turns.

    A file is opened anew for each transaction: nothing stays open that a forked child could
    inherit, and a store on disk can be moved or removed at any time.
    """

    def __init__(self, url: str) -> None:
        self.place = make_url(url).render_as_string(hide_password=True)
        self.engine = _engine(url)
        self._turn = threading.RLock()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction that sees no other writer; rolled back when the block raises.

        Raises
        ------
        StoreBusy : another process kept the database locked
        StoreFailed : disk full, no rights, or damaged
        """
        with self._turn, self._told(), self.engine.connect() as opened:
            connection = opened.execution_options(everfit_write=True)
            with connection.begin():
                yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One transaction that sees a single state of the database; errors as in write."""
        with self._turn, self._told(), self.engine.connect() as connection, connection.begin():
            yield connection

    def close(self) -> None:
        """Close what is open."""
        self.engine.dispose()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError:
            raise  # a rule of the schema: the caller knows what it means
        except DatabaseError as error:
            raise _in_our_words(error, self.place) from error


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_pre_ping=True)
    if parsed.database in (None, "", ":memory:"):
        engine = create_engine(
            parsed, poolclass=StaticPool, connect_args={"check_same_thread": False}
        )
    else:
        engine = create_engine(parsed, poolclass=NullPool)
    mode = journal_mode(sqlite3.sqlite_version_info)

    @event.listens_for(engine, "connect")
    def settle(connection: sqlite3.Connection, _: Any) -> None:
        # we begin transactions ourselves: Python's sqlite3 would begin them late and unlocked
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute(f"PRAGMA journal_mode={mode}")
        connection.execute("PRAGMA synchronous=FULL")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("everfit_write", False)
        # a reader that becomes a writer could be refused halfway; a writer waits at the start
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _in_our_words(error: DatabaseError, place: str) -> StoreBusy | StoreFailed:
    said = str(error.orig)
    if "locked" in said or "busy" in said:
        return StoreBusy(
            f"the store {place} is busy",
            got=said,
            expected=f"the database free within {BUSY_MS // 1000} s",
            do="try again when the other process has finished",
        )
    if "full" in said or "disk I/O" in said:
        what, do = "could not be written", "make room on the disk and repeat the same command"
    elif "not a database" in said or "malformed" in said:
        what, do = "is damaged", "put back a copy of the file, or use another place with --store"
    else:
        what, do = "could not be used", "check the place, its rights and the free disk space"
    return StoreFailed(f"the store {place} {what}", got=said, expected="a store", do=do)
