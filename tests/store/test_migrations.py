"""Stores of other releases: older ones are moved up whole, newer ones are refused."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_mock_engine, inspect, text

from everfit.errors import Refused
from everfit.store import open_store, schema
from everfit.store.migrations import VERSIONS, bring_up, stored
from tests.store.build import AT, release

STEP = """
from alembic import op
import sqlalchemy as sa

revision = "{number}"
down_revision = "{before}"


def upgrade():
    op.add_column("model", sa.Column("note_{number}", sa.Text))
    {then}
"""


def scripts(folder: Path, then: str = "pass") -> Path:
    """Steps 1 to 3, where only 2 and 3 do something."""
    (folder / "schema_1.py").write_text((VERSIONS / "schema_1.py").read_text())
    (folder / "schema_2.py").write_text(STEP.format(number=2, before=1, then="pass"))
    (folder / "schema_3.py").write_text(STEP.format(number=3, before=2, then=then))
    return folder


def ddl(dialect: str) -> str:
    lines: list[str] = []

    def note(sql: Any, *_: Any, **__: Any) -> None:
        lines.append(str(sql.compile(dialect=engine.dialect)))

    engine = create_mock_engine(f"{dialect}://", note)
    schema.tables.create_all(engine, checkfirst=False)
    return "\n".join(sorted(lines))  # SQLAlchemy gives the indexes of a table in any order


def test_an_older_store_is_moved_up_and_keeps_what_it_had(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store")
    made = release(store, store.begin_run("churn", {}), 1)

    bring_up(store.database, AT, to=3, scripts=scripts(tmp_path))

    with store.database.read() as connection:
        names = {column["name"] for column in inspect(connection).get_columns("model")}
        assert stored(connection) == 3
    assert {"note_2", "note_3"} <= names
    assert store.decisions("churn") == (made,)


def test_a_step_that_fails_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store")

    with pytest.raises(ValueError, match="broke"):
        bring_up(store.database, AT, to=3, scripts=scripts(tmp_path, "raise ValueError('broke')"))

    with store.database.read() as connection:
        names = {column["name"] for column in inspect(connection).get_columns("model")}
        assert stored(connection) == 1
    assert names == {"name", "created_at"}


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
    assert len(re.findall("CREATE TRIGGER", made)) == len(schema.APPEND_ONLY)
    assert "RAISE(ABORT" not in made


def test_opening_a_store_that_is_up_to_date_loads_no_alembic(tmp_path: Path) -> None:
    open_store(tmp_path)
    code = (
        "import sys; from everfit.store import open_store; "
        f"open_store({str(tmp_path)!r}); print('alembic' in sys.modules)"
    )

    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "False"
