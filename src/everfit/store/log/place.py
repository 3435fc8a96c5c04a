"""Where a log lives: its database, its folder of files, and the turn of those who change it."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, bindparam, insert, inspect, select, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from everfit.errors import ModelUnknown, Refused, SettingsError, StoreBusy
from everfit.store.artefacts import told
from everfit.store.database import Database
from everfit.store.log import tables

WAIT_S = 30.0  # for whoever drains, seals or forgets at this moment
IN = 500  # values in one IN (...): far below every database's limit


def now_us() -> int:
    """The time now, in microseconds since 1970 UTC."""
    return time.time_ns() // 1000


@dataclass(slots=True)
class Place:
    """The database of a log and the folder ``files`` of what does not stand in it."""

    database: Database
    files: Path
    clock: Callable[[], int] = now_us
    _names: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """The only one on this machine that drains, seals or forgets, until the block ends.

        Raises
        ------
        StoreBusy : another had the turn for half a minute
        StoreFailed : the folder cannot be written
        """
        with told(self.files):  # a folder that vanished is not made anew: its log was in it
            fd = os.open(self.files / "turn.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            until = time.monotonic() + WAIT_S
            while True:
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > until:
                        raise _busy(self.files) from None
                    time.sleep(0.01)
            yield
        finally:
            os.close(fd)

    def numbers(self, connection: Connection, names: Iterable[str]) -> dict[str, int]:
        """The number of each model or arm; new ones get theirs in this transaction."""
        wanted = set(names)
        if not wanted <= self._names.keys():
            table = tables.name
            rows = connection.execute(select(table.c.name, table.c.id)).all()
            known = {row.name: int(row.id) for row in rows}
            new = sorted(wanted - known.keys())
            if new:
                start = max(known.values(), default=0) + 1
                added = {name: start + i for i, name in enumerate(new)}
                connection.execute(
                    insert(table), [{"id": i, "name": name} for name, i in added.items()]
                )
                # not remembered: this transaction may yet be rolled back
                return known | added
            self._names = known
        return self._names

    def number(self, connection: Connection, name: str) -> int:
        """The number of a model or arm; 0, which nothing has, when it never had traffic."""
        if name not in self._names:
            table = tables.name
            rows = connection.execute(select(table.c.name, table.c.id)).all()
            self._names = {row.name: int(row.id) for row in rows}
        return self._names.get(name, 0)

    def named(self, connection: Connection) -> dict[int, str]:
        """The name of each number."""
        table = tables.name
        return {int(row.id): str(row.name) for row in connection.execute(select(table))}


def open_place(
    place: Path | str, *, root: Path | None, create: bool, clock: Callable[[], int]
) -> Place:
    """The log of a store at a folder or a database URL; see :meth:`Log.open`."""
    text = str(place)
    if "://" in text and not text.startswith("sqlite"):
        made = Place(_server(text), (root or Path(".everfit")).absolute() / "log", clock)
        with told(made.files):
            made.files.mkdir(parents=True, exist_ok=True)
        _bring_up(made, text if "@" not in text else text.rpartition("@")[2], create)
        return made
    folder = (root or Path(".everfit")) if "://" in text else Path(text)
    files = folder.absolute() / "log"
    if not create and not (files / "log.db").exists():
        raise _none(str(folder))
    with told(files):
        files.mkdir(parents=True, exist_ok=True)
    made = Place(Database(f"sqlite:///{files / 'log.db'}"), files, clock)
    _bring_up(made, str(folder), create)
    return made


def last_number(connection: Connection) -> int:
    """The number that was given last."""
    table = tables.state
    return int(connection.execute(select(table.c.value).where(table.c.name == "seq")).scalar_one())


def take_numbers(connection: Connection, n: int) -> int:
    """The first of ``n`` numbers in a row; no other writer gets any until this one commits."""
    table = tables.state
    connection.execute(update(table).where(table.c.name == "seq").values(value=table.c.value + n))
    return last_number(connection) - n + 1


def bulk(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows, whose values stand in the order of the table's columns."""
    if not rows:
        return
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(table.columns))
        statement = f"INSERT INTO {table.name} ({names}) VALUES ({marks})"  # noqa: S608 - our names
        connection.exec_driver_sql(statement, rows)
        return
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def within(
    connection: Connection, statement: Any, values: Iterable[Any], **others: Any
) -> Iterator[Any]:
    """The rows of a statement with ``IN (:values)``, however many values there are."""
    asked = list(values)
    for start in range(0, len(asked), IN):
        part = {"values": asked[start : start + IN], **others}
        yield from connection.execute(statement, part)


def some() -> Any:
    """The parameter that :func:`within` fills."""
    return bindparam("values", expanding=True)


def _server(url: str) -> Database:
    try:
        make_url(url).get_dialect()
        return Database(url)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise SettingsError(
            "the log's URL cannot be used",
            got=f"{url.rpartition('@')[2]}: {error}",
            expected="a folder, or an SQLAlchemy URL such as postgresql+psycopg://host/name",
            do="check the URL, and that the driver it names is installed",
        ) from error


def _bring_up(place: Place, shown: str, create: bool) -> None:
    with place.database.read() as connection:
        found = _schema(connection)
    if found == 0 and not create:
        raise _none(shown)
    if found == 0:
        with place.database.write() as connection:
            if _schema(connection) == 0:
                tables.tables.create_all(connection)
                facts = {"schema": tables.SCHEMA, "seq": 0}
                connection.execute(
                    insert(tables.state), [{"name": k, "value": v} for k, v in facts.items()]
                )
    elif found > tables.SCHEMA:
        raise Refused(
            f"the log at {shown} was written by a newer Everfit",
            got=f"schema {found}",
            expected=f"schema {tables.SCHEMA} or older",
            do="pip install --upgrade everfit",
        )


def _schema(connection: Connection) -> int:
    if not inspect(connection).has_table(tables.state.name):
        return 0
    table = tables.state
    return int(
        connection.execute(select(table.c.value).where(table.c.name == "schema")).scalar() or 0
    )


def _none(shown: str) -> ModelUnknown:
    return ModelUnknown(
        f"there is no log of traffic at {shown}",
        got="no predictions yet",
        expected="a store whose versions were served",
        do="everfit serve answers requests and makes one; --store names another place",
    )


def _busy(files: Path) -> StoreBusy:
    return StoreBusy(
        f"the log in {files} is being changed by another process",
        got=f"no turn within {WAIT_S:.0f} s",
        expected="one that drains, seals or forgets at a time",
        do="try again when the other has finished",
    )
