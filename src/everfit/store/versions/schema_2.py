"""Schema 2: how traffic is shared out, and what a mirror has been told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2"
down_revision = "1"

# as it was when schema 2 came; later schemas change it in steps of their own
GUARD = """
CREATE OR REPLACE FUNCTION everfit_append_only() RETURNS trigger AS $$
BEGIN RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ' is append-only',
ERRCODE = 'integrity_constraint_violation'; END; $$ LANGUAGE plpgsql
"""


def upgrade() -> None:
    """Add the tables ``traffic`` and ``mirrored``; PostgreSQL guards against TRUNCATE too."""
    op.create_table(
        "traffic",
        sa.Column("model", sa.String(64), sa.ForeignKey("model.name"), primary_key=True),
        sa.Column("canary_share", sa.Float, nullable=False),
        sa.Column("holdout_share", sa.Float, nullable=False),
        sa.Column("rev", sa.Integer, nullable=False),
        sa.Column("decision", sa.Integer, sa.ForeignKey("decision.id"), nullable=False),
    )
    op.create_table(
        "mirrored",
        sa.Column("target", sa.String(256), primary_key=True),
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("item", sa.String(128), primary_key=True),
        sa.Column("remote", sa.String(256), nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("next_try_at", sa.String(32)),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("done_at", sa.String(32)),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(GUARD)
        for table in ("decision", "version", "alias_log"):
            op.execute(
                f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION everfit_append_only()"
            )
