"""Schema 1: what ``schema.py`` created in the first release. Nothing comes before it."""

from __future__ import annotations

revision = "1"
down_revision = None


def upgrade() -> None:
    """Nothing to do: a store without tables is created whole."""
