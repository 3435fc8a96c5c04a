"""A database that gives whole transactions, and says in our words what went wrong."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.pool import NullPool, StaticPool

from everfit.errors import EverfitError, StoreBusy, StoreFailed, Unreachable
from everfit.store import postgresql

# SQLite below this can damage a write-ahead log when it is reset while another connection
# writes (https://www.sqlite.org/changes.html, 3.51.3); a rollback journal is safe with all.
WAL_SAFE = (3, 51, 3)
BUSY_MS = 10_000
GONE_S = 5.0  # a server that answered before may be away for so long


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
    inherit, and a store on disk can be moved or removed at any time. A connection to a server is
    kept, and made again when it broke; a server that is away for a moment is waited for.
    """

    def __init__(self, url: str, *, turn: int = postgresql.TURN) -> None:
        """``turn`` is the number that writers take turns on in a server.

        Raises
        ------
        SettingsError : the driver of the URL is not installed
        """
        parsed = postgresql.named(make_url(url))
        self.place = shown(parsed)
        self.is_server = parsed.get_backend_name() == "postgresql"
        self.engine = postgresql.engine(parsed) if self.is_server else _sqlite(parsed)
        self._turn = threading.RLock()
        self._answered = False
        if self.is_server:
            event.listen(self.engine, "begin", _turns(turn))
        self._connections = _Connections(self.engine)
        weakref.finalize(self, self._connections.close)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction that sees no other writer; rolled back when the block raises.

        Raises
        ------
        StoreBusy : another process kept the database locked
        StoreFailed : disk full, no rights, or damaged
        Unreachable : the server does not answer
        """
        with self._my_turn(), self._told(), self._begun(everfit_write=True) as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One transaction that sees a single state of the database; errors as in write."""
        single = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        options = single if self.is_server else {}
        with self._my_turn(), self._told(), self._begun(**options) as connection:
            yield connection

    def close(self) -> None:
        """Close what is open; it is opened again when the database is next used."""
        self._connections.close()

    def _my_turn(self) -> threading.RLock:
        if self._connections.leave_to_parent():
            self._turn = threading.RLock()  # a thread that did not come along may hold the other
        return self._turn

    @contextmanager
    def _begun(self, **options: Any) -> Iterator[Connection]:
        until = time.monotonic() + (GONE_S if self._answered else 0.0)
        with ExitStack() as stack:
            while True:
                try:
                    with ExitStack() as attempt:
                        opened = attempt.enter_context(self.engine.connect())
                        connection = opened.execution_options(**options)
                        attempt.enter_context(connection.begin())
                        stack.push(attempt.pop_all())
                    break
                except DBAPIError as error:
                    # nothing was done yet: the only moment at which trying again is safe
                    told = self._word(error)
                    if not isinstance(told, Unreachable) or isinstance(told, StoreBusy):
                        raise
                    if time.monotonic() > until:
                        raise
                    time.sleep(0.1)
            self._answered = True
            yield connection

    def _word(self, error: DBAPIError) -> EverfitError:
        if self.is_server:
            return postgresql.in_our_words(error, self.place, BUSY_MS)
        return _in_our_words(error, self.place)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError:
            raise  # a rule of the schema: the caller knows what it means
        except DBAPIError as error:
            raise self._word(error) from error


def shown(url: URL) -> str:
    """``url`` for people: without passwords, wherever they stand.

    Examples
    --------
    >>> shown(make_url("postgresql://ann:secret@db/shop?password=secret&sslmode=require"))
    'postgresql://ann:***@db/shop?password=%2A%2A%2A&sslmode=require'
    """
    hidden = {key: "***" for key in url.query if "pass" in key.lower()}
    return url.update_query_dict(hidden).render_as_string(hide_password=True)


class _Connections:
    """The open connections of an engine, and the process that they belong to."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.process = os.getpid()
        self.parents: list[Any] = []  # kept: letting go of them would be seen by the server

    def leave_to_parent(self) -> bool:
        """Leave all connections to the parent when this process is a fork; gives whether it is.

        Two processes that speak into one connection would hear each other's answers.
        """
        if os.getpid() == self.process:
            return False
        self.parents.append(self.engine.pool)
        self.engine.dispose(close=False)
        self.process = os.getpid()
        return True

    def close(self) -> None:
        """Close what this process opened."""
        self.leave_to_parent()
        self.engine.dispose()


def _turns(turn: int) -> Callable[[Connection], None]:
    def take(connection: Connection) -> None:
        if connection.get_execution_options().get("everfit_write", False):
            postgresql.take_turn(connection, turn, BUSY_MS)

    return take


def _sqlite(parsed: URL) -> Engine:
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


def _in_our_words(error: DBAPIError, place: str) -> StoreBusy | StoreFailed:
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
