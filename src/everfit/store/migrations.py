"""Bringing a store to our schema: made when new, moved up when old, refused when newer.

The number in ``setting`` is the whole state. Alembic is imported only when there is a step to
take, so that opening an up-to-date store costs one query.
"""

from __future__ import annotations

import socket
from datetime import datetime
from importlib import metadata
from pathlib import Path

from sqlalchemy import Connection, insert, inspect, select, update

from everfit.errors import Refused
from everfit.store import schema
from everfit.store.database import Database

VERSIONS = Path(__file__).parent / "versions"


def bring_up(
    database: Database,
    at: datetime,
    *,
    files: Path,
    to: int = schema.SCHEMA,
    scripts: Path = VERSIONS,
) -> None:
    """Bring ``database`` to schema number ``to``, in one transaction.

    A new store notes that its folders are in ``files``.

    Raises
    ------
    Refused : the store was written by a newer Everfit, or other tables have our names
    Unreachable, StoreFailed, StoreBusy : it cannot be read or written
    """
    with database.read() as connection:
        if stored(connection) == to:
            return
    with database.write() as connection:
        # asked again under the lock: another process may have done it meanwhile
        number = stored(connection)
        if number > to:
            raise _newer(database.place, number, to, setting(connection, "everfit"))
        if number == 0:
            _create(connection, at, to, files)
        elif number < to:
            _climb(connection, number, to, scripts)


def stored(connection: Connection) -> int:
    """The schema number of the store; 0 when there is none yet."""
    table = inspect(connection)
    if not table.has_table("setting"):
        return 0
    if {column["name"] for column in table.get_columns("setting")} != {"name", "value"}:
        return 0  # it is another program's
    return int(setting(connection, "schema") or 0)


def everfit_version() -> str:
    """The version of Everfit that runs, or ``0`` from a source tree that is not installed."""
    try:
        return metadata.version("everfit")
    except metadata.PackageNotFoundError:
        return "0"


def setting(connection: Connection, name: str) -> str | None:
    """A fact about the store, by name; None when it was never written down."""
    table = schema.setting
    return connection.execute(select(table.c.value).where(table.c.name == name)).scalar()


def _create(connection: Connection, at: datetime, number: int, files: Path) -> None:
    others = set(inspect(connection).get_table_names()) & set(schema.tables.tables)
    if others:
        raise Refused(
            "the database holds tables of another program",
            got=", ".join(sorted(others)),
            expected="an empty database or schema",
            do="make a database for Everfit alone, and name it with --store",
        )
    schema.tables.create_all(connection, checkfirst=False)
    facts = {
        "schema": str(number),
        "everfit": everfit_version(),
        "created_at": at.isoformat(),
        "files": f"{socket.gethostname()}:{files}",
    }
    connection.execute(
        insert(schema.setting), [{"name": name, "value": value} for name, value in facts.items()]
    )


def _climb(connection: Connection, number: int, to: int, scripts: Path) -> None:
    from alembic.operations import Operations  # heavy, and needed once in a store's life
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    folder = ScriptDirectory(str(scripts), version_locations=[str(scripts)])
    steps = {int(step.revision): step.module for step in folder.walk_revisions()}
    with Operations.context(MigrationContext.configure(connection)):
        for step in range(number + 1, to + 1):
            steps[step].upgrade()
    table = schema.setting
    for name, value in (("schema", str(to)), ("everfit", everfit_version())):
        connection.execute(update(table).where(table.c.name == name).values(value=value))


def _newer(place: str, number: int, ours: int, writer: str | None) -> Refused:
    return Refused(
        f"the store {place} was written by a newer Everfit",
        got=f"schema {number}, written by Everfit {writer or 'unknown'}",
        expected=f"schema {ours} or older",
        do=f"pip install 'everfit>={writer}'" if writer else "pip install --upgrade everfit",
    )
