"""The tables of a store, in SQL that SQLite and PostgreSQL share.

Times are ISO 8601 text in UTC with microseconds, so that they sort as text. Whoever changes a
table raises :data:`SCHEMA` and adds ``versions/schema_<number>.py``.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    DDL,
    JSON,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    event,
)

SCHEMA = 3

tables = MetaData()

setting = Table(
    "setting",
    tables,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

model = Table(
    "model",
    tables,
    Column("name", String(64), primary_key=True),
    Column("created_at", String(32), nullable=False),
)

run = Table(
    "run",
    tables,
    Column("id", Integer, primary_key=True),
    Column("model", String(64), ForeignKey("model.name"), nullable=False),
    Column("state", String(16), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("spec", JSON, nullable=False),
    Column("seen", JSON, nullable=False),
    Column("result", JSON),
    Column("started_at", String(32), nullable=False),
    Column("ended_at", String(32)),
    Column("budget_s", Float),
    Column("seed", Integer),
    Column("data_sha256", String(64), nullable=False),
    Index("run_of_model", "model", "id"),
)

# Finished work, found again by its content: the same command after a kill does not repeat it.
trial = Table(
    "trial",
    tables,
    Column("key", String(128), primary_key=True),
    Column("run", Integer, ForeignKey("run.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("record", JSON, nullable=False),
    Column("payload", Text),
    Column("sha256", String(64), nullable=False),
    Column("last_run", Integer, ForeignKey("run.id"), nullable=False),
    Column("created_at", String(32), nullable=False),
    Index("trial_last_used", "last_run"),
    Index("trial_of_run", "run"),
)

decision = Table(
    "decision",
    tables,
    Column("id", Integer, primary_key=True),
    Column("model", String(64), ForeignKey("model.name"), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("at", String(32), nullable=False),
    Column("run", Integer, ForeignKey("run.id")),
    Column("version", String(16), nullable=False),
    Column("by", String(128), nullable=False),
    Column("epoch", Integer),
    Column("record", JSON, nullable=False),
    Index("decision_of_model", "model", "id"),
)

version = Table(
    "version",
    tables,
    Column("model", String(64), ForeignKey("model.name"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("folder", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("record", JSON, nullable=False),
    Column("run", Integer, ForeignKey("run.id")),
    Column("decision", Integer, ForeignKey("decision.id"), nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at", String(32), nullable=False),
)

# No alias without a decision and a version: both are foreign keys.
alias = Table(
    "alias",
    tables,
    Column("model", String(64), primary_key=True),
    Column("name", String(16), primary_key=True),
    Column("number", Integer),
    Column("rev", Integer, nullable=False),
    Column("decision", Integer, ForeignKey("decision.id"), nullable=False),
    ForeignKeyConstraint(["model", "number"], ["version.model", "version.number"]),
)

alias_log = Table(
    "alias_log",
    tables,
    Column("id", Integer, primary_key=True),
    Column("model", String(64), nullable=False),
    Column("name", String(16), nullable=False),
    Column("from_number", Integer),
    Column("to_number", Integer),
    Column("rev", Integer, nullable=False),
    Column("decision", Integer, ForeignKey("decision.id"), nullable=False),
    Column("at", String(32), nullable=False),
    Index("alias_log_of_model", "model", "name", "rev", unique=True),
)

# How a model's requests are shared out; without a row all go to the champion.
traffic = Table(
    "traffic",
    tables,
    Column("model", String(64), ForeignKey("model.name"), primary_key=True),
    Column("canary_share", Float, nullable=False),
    Column("holdout_share", Float, nullable=False),
    Column("rev", Integer, nullable=False),
    Column("decision", Integer, ForeignKey("decision.id"), nullable=False),
)

# What another registry has been told, or shall be told again; the mirror reads the rest anew.
mirrored = Table(
    "mirrored",
    tables,
    Column("target", String(256), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("item", String(128), primary_key=True),
    Column("remote", String(256), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("next_try_at", String(32)),
    Column("error", Text, nullable=False),
    Column("done_at", String(32)),
)

# What turns of the loop did. One row a thing, for ever: who does it again writes nothing.
step = Table(
    "step",
    tables,
    Column("id", Integer, primary_key=True),
    Column("model", String(64), ForeignKey("model.name"), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("key", String(256), nullable=False),
    Column("at", String(32), nullable=False),
    Column("decision", Integer, ForeignKey("decision.id")),
    Column("epoch", Integer, nullable=False),
    Column("record", JSON, nullable=False),
    Index("step_of_model", "model", "kind", "key", unique=True),
    Index("step_in_order", "model", "id"),
)


def _holds(name: str, *key: Column[Any]) -> Table:
    """A table of holds. Rows are kept when let go (pid 0): the epoch must never go back."""
    return Table(
        name,
        tables,
        *key,
        Column("epoch", Integer, nullable=False),
        Column("pid", Integer, nullable=False),
        Column("host", String(256), nullable=False),
        Column("process_started", String(128), nullable=False),
        Column("taken_at", String(32), nullable=False),
        Column("expires_at", String(32), nullable=False),
        Column("ttl_s", Float, nullable=False, server_default="0"),  # 0: a run's; above: strict
    )


lease = _holds("lease", Column("model", String(64), ForeignKey("model.name"), primary_key=True))
runner = _holds("runner", Column("name", String(64), primary_key=True))

APPEND_ONLY = (decision, version, alias_log, step)

_POSTGRESQL_GUARD = """
CREATE OR REPLACE FUNCTION everfit_append_only() RETURNS trigger AS $$
BEGIN RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ' is append-only',
ERRCODE = 'integrity_constraint_violation'; END; $$ LANGUAGE plpgsql
"""


def _guard(table: Table) -> None:
    """Let the database itself refuse to change or delete rows of ``table``."""
    statement: Any = DDL  # SQLAlchemy leaves its signature untyped
    for act in ("UPDATE", "DELETE"):
        sqlite = statement(
            f"CREATE TRIGGER {table.name}_no_{act.lower()} BEFORE {act} ON {table.name} "
            f"BEGIN SELECT RAISE(ABORT, '{table.name} is append-only'); END"
        )
        event.listen(table, "after_create", sqlite.execute_if(dialect="sqlite"))
    function = statement(_POSTGRESQL_GUARD)
    trigger = statement(
        f"CREATE TRIGGER {table.name}_append_only BEFORE UPDATE OR DELETE ON {table.name} "
        "FOR EACH ROW EXECUTE FUNCTION everfit_append_only()"
    )
    emptied = statement(
        f"CREATE TRIGGER {table.name}_no_truncate BEFORE TRUNCATE ON {table.name} "
        "FOR EACH STATEMENT EXECUTE FUNCTION everfit_append_only()"
    )
    event.listen(table, "after_create", function.execute_if(dialect="postgresql"))
    event.listen(table, "after_create", trigger.execute_if(dialect="postgresql"))
    event.listen(table, "after_create", emptied.execute_if(dialect="postgresql"))


for _table in APPEND_ONLY:
    _guard(_table)
