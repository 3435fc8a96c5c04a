"""Stores of other releases: older ones are moved up whole, newer ones are refused."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, create_mock_engine, inspect, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.pool import NullPool

from everfit.errors import Refused
from everfit.records import Step
from everfit.store import Traffic, open_store, schema
from everfit.store.migrations import VERSIONS, bring_up, stored
from tests.postgres import fresh_database, fresh_schema
from tests.store.build import AT, decision, side_by_side

STEP = """
from alembic import op
import sqlalchemy as sa

revision = "{number}"
down_revision = "{before}"


def upgrade():
    op.add_column("model", sa.Column("note_{number}", sa.Text))
    {then}
"""


NEXT, LAST = schema.SCHEMA + 1, schema.SCHEMA + 2


def scripts(folder: Path, then: str = "pass") -> Path:
    """The real steps, and two more that add a column each."""
    for step in VERSIONS.glob("schema_*.py"):
        (folder / step.name).write_text(step.read_text())
    for number, act in ((NEXT, "pass"), (LAST, then)):
        text = STEP.format(number=number, before=number - 1, then=act)
        (folder / f"schema_{number}.py").write_text(text)
    return folder


def ddl(dialect: str) -> str:
    lines: list[str] = []

    def note(sql: Any, *_: Any, **__: Any) -> None:
        lines.append(str(sql.compile(dialect=engine.dialect)))

    engine = create_mock_engine(f"{dialect}://", note)
    schema.tables.create_all(engine, checkfirst=False)
    return "\n".join(sorted(lines))  # SQLAlchemy gives the indexes of a table in any order


OLD = range(1, schema.SCHEMA)


@pytest.fixture(params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=OLD)
def filled(request: pytest.FixtureRequest, server: str, tmp_path: Path) -> str:
    """The URL of a store as an older schema left it: two models, three versions, real rows."""
    return old_store(request.param, server, tmp_path)


def old_store(number: int, server: str, folder: Path) -> str:
    script = (Path(__file__).parent / f"filled_{number}.{server}.sql").read_text()
    (folder / "models").mkdir()
    if server == "sqlite":
        with closing(sqlite3.connect(folder / "old.db")) as connection:
            connection.executescript(script)
        return f"sqlite:///{folder}/old.db"
    url = fresh_database()  # the dump names the schema public
    run_script(url, script)
    return url


def run_script(url: str, script: str) -> None:
    with closing(psycopg.connect(url.replace("+psycopg", ""))) as connection:
        connection.execute(script)
        connection.commit()


def schema_number(url: str) -> int:
    return int(rows(url, "SELECT value FROM setting WHERE name = 'schema'")[0][0])


def rows(url: str, asked: str) -> list[tuple[Any, ...]]:
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(asked))]


def everything(url: str, columns: dict[str, list[str]]) -> dict[str, list[tuple[Any, ...]]]:
    return {
        table: rows(url, f"SELECT {', '.join(names)} FROM {table} ORDER BY 1, 2")
        for table, names in columns.items()
    }


def columns_of(url: str) -> dict[str, list[str]]:
    engine = create_engine(url, poolclass=NullPool)
    look = inspect(engine)
    return {
        table: [f'"{column["name"]}"' for column in look.get_columns(table)]
        for table in look.get_table_names()
        if table != "setting"
    }


def test_an_older_store_keeps_all_it_had(filled: str, tmp_path: Path) -> None:
    had = columns_of(filled)
    before = everything(filled, had)
    assert schema_number(filled) < schema.SCHEMA

    open_store(filled, files=tmp_path).close()

    assert schema_number(filled) == schema.SCHEMA
    assert everything(filled, had) == before
    assert sum(len(found) for found in before.values()) > 15


def test_a_store_of_the_first_release_is_read_as_it_was(server: str, tmp_path: Path) -> None:
    store = open_store(old_store(1, server, tmp_path), files=tmp_path)

    kinds = [d.kind for d in store.decisions("churn")]
    states = {v.name: v.state for v in store.versions("churn")}

    assert kinds == ["refused", "rolled_back", "studied", "released", "released"]
    assert states == {"v3": "refused", "v2": "retired", "v1": "champion"}
    assert store.runs("churn")[0].spec["note"] == "ä ☃ 'quoted'"
    store.close()


def test_a_store_of_schema_2_is_read_as_it_was(server: str, tmp_path: Path) -> None:
    store = open_store(old_store(2, server, tmp_path), files=tmp_path)

    kinds = [d.kind for d in store.decisions("churn")]
    pointed = {name: alias.number for name, alias in store.aliases("churn").items()}

    assert kinds == ["shadow", "kept", "studied", "released", "released"]
    assert pointed == {"champion": 2, "previous": 1, "canary": 3, "shadow": 3}
    assert store.traffic("churn") == Traffic(0.1, 0.05, 1)
    assert store.mirrored("http://a")["version", "churn/1"].error == "refused"
    assert [row.state for row in store.runs("churn")] == ["interrupted", "done"]
    store.close()


def test_an_older_store_takes_all_that_is_new(filled: str, tmp_path: Path) -> None:
    store = open_store(filled, files=tmp_path)
    n = store.traffic("churn").rev

    made = store.commit(
        decision(kind="kept"),
        aliases={"canary": 2, "fallback": 1},
        traffic=Traffic(0.1, rev=n),
    )
    run = store.begin_run("churn", {})
    store.note_mirrored("http://b", "run", run.id, remote="4f2")
    store.finish_run(run, "done")
    hold = store.hold("churn", ttl_s=60.0, runner=store.take_runner("loop", ttl_s=60.0))
    store.note(hold, [Step("churn", "asked", "2026-01-01", {"n": 3}, AT)])

    assert made.id == 6
    assert (store.traffic("churn").share, store.version("churn", "canary").name) == (0.1, "v2")
    assert store.version("churn", "fallback").name == "v1"
    assert len(store.mirrored("http://b")) == 1
    assert hold.epoch == run.epoch + 1 > 2
    assert [step.record for step in store.steps("churn")] == [{"n": 3}]
    for table in ("decision", "step"):
        with (
            pytest.raises(IntegrityError, match="append-only"),
            store.database.write() as connection,
        ):
            connection.execute(text(f"DELETE FROM {table}"))
    store.close()


def test_an_old_store_that_was_moved_up_is_like_a_new_one(
    filled: str, server: str, tmp_path: Path
) -> None:
    new = fresh_schema() if server == "postgresql" else f"sqlite:///{tmp_path}/new.db"
    old_store, new_store = open_store(filled, files=tmp_path), open_store(new, files=tmp_path)

    with old_store.database.read() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), schema.tables)

    assert differences == []
    guards = (
        "SELECT tgname, tgtype FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid "
        "WHERE NOT tgisinternal AND relnamespace = current_schema()::regnamespace ORDER BY 1"
        if server == "postgresql"
        else "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY 1"
    )
    assert rows(filled, guards) == rows(new, guards)
    assert len(rows(new, guards)) == 2 * len(schema.APPEND_ONLY)
    old_store.close()
    new_store.close()


def test_an_older_store_is_moved_up_by_all_steps_in_turn(filled: str, tmp_path: Path) -> None:
    store = open_store(filled, files=tmp_path)
    ledger = store.decisions("churn")

    bring_up(store.database, AT, files=tmp_path, to=LAST, scripts=scripts(tmp_path))

    with store.database.read() as connection:
        names = {column["name"] for column in inspect(connection).get_columns("model")}
        assert stored(connection) == LAST
    assert {f"note_{NEXT}", f"note_{LAST}"} <= names
    assert store.decisions("churn") == ledger
    store.close()


def test_a_step_that_fails_leaves_the_store_as_it_was(filled: str, tmp_path: Path) -> None:
    store = open_store(filled, files=tmp_path)
    broken = scripts(tmp_path, "raise ValueError('broke')")

    with pytest.raises(ValueError, match="broke"):
        bring_up(store.database, AT, files=tmp_path, to=LAST, scripts=broken)

    with store.database.read() as connection:
        names = {column["name"] for column in inspect(connection).get_columns("model")}
        assert stored(connection) == schema.SCHEMA
    assert names == {"name", "created_at"}
    store.close()


def test_many_processes_may_move_the_same_store_up_at_once(filled: str, tmp_path: Path) -> None:
    def open_it() -> None:
        open_store(filled, files=tmp_path).close()

    assert side_by_side([open_it] * 3) == [0, 0, 0]
    assert schema_number(filled) == schema.SCHEMA


def test_a_store_of_a_newer_everfit_is_refused_and_not_touched(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    with store.database.write() as connection:
        connection.execute(text("UPDATE setting SET value = '99' WHERE name = 'schema'"))
        connection.execute(text("UPDATE setting SET value = '7.1' WHERE name = 'everfit'"))
    before = (tmp_path / "journal.db").read_bytes()

    with pytest.raises(Refused, match="(?s)newer Everfit.*schema 99.*7.1.*everfit>=7.1"):
        open_store(tmp_path)

    assert (tmp_path / "journal.db").read_bytes() == before


def test_every_schema_number_has_its_step() -> None:
    numbers = {int(path.stem.removeprefix("schema_")) for path in VERSIONS.glob("schema_*.py")}

    assert numbers == set(range(1, schema.SCHEMA + 1))


def test_a_new_store_has_the_tables_that_the_code_speaks_of(tmp_path: Path) -> None:
    store = open_store(tmp_path)

    with store.database.read() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), schema.tables)

    assert differences == []


def test_a_changed_table_needs_a_new_schema_number() -> None:
    golden = Path(__file__).parent / f"schema_{schema.SCHEMA}.sql"

    assert ddl("sqlite") == golden.read_text(), "raise SCHEMA, add a step and a golden file"


def test_postgresql_gets_tables_and_guards_of_its_own() -> None:
    made = ddl("postgresql")

    assert len(re.findall("CREATE TABLE", made)) == len(schema.tables.tables)
    assert len(re.findall("CREATE TRIGGER", made)) == 2 * len(schema.APPEND_ONLY)
    assert "RAISE(ABORT" not in made


def test_opening_a_store_that_is_up_to_date_loads_no_alembic(tmp_path: Path) -> None:
    open_store(tmp_path)
    code = (
        "import sys; from everfit.store import open_store; "
        f"open_store({str(tmp_path)!r}); print('alembic' in sys.modules)"
    )

    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "False"
