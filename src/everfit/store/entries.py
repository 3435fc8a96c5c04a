"""Entries of the ledger: decisions and versions, written once within a transaction."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert
from sqlalchemy.exc import IntegrityError

from everfit.errors import Refused
from everfit.plain import as_plain, from_plain
from everfit.records import Decision, Version
from everfit.store import outbox, schema
from everfit.store.contract import RunHandle

BY_CHARS = 128


def write_decision(connection: Connection, decision: Decision, run: RunHandle | None) -> Decision:
    """Append ``decision``; gives it back as every later reader gets it."""
    record = as_plain(replace(decision, run=decision.run or (run.id if run else ""), id=0))
    kept = from_plain(Decision, record)
    row = {
        "model": kept.model,
        "kind": kept.kind,
        "at": record["at"],
        "run": int(kept.run) if kept.run else None,
        "version": kept.version,
        "by": outbox.plain_text(kept.by)[:BY_CHARS],  # the record holds all of it
        "epoch": run.epoch if run else None,
        "record": record,
    }
    made = connection.execute(insert(schema.decision).values(**row)).inserted_primary_key
    return replace(kept, id=first(made))


def write_version(
    connection: Connection, version: Version, decision: Decision, *, root: Path, at: str
) -> None:
    """Append ``version``, made by ``decision``; its folder is kept as seen from ``root``.

    Raises
    ------
    Refused : there is a version of that number
    """
    place = Path(version.folder)
    if place.is_absolute() and place.is_relative_to(root):
        place = place.relative_to(root)  # the store may be moved
    kept = replace(version, folder=place.as_posix())
    row = {
        "model": version.model,
        "number": version.number,
        "folder": kept.folder,
        "sha256": version.sha256,
        "record": as_plain(kept),
        "run": int(decision.run) if decision.run else None,
        "decision": decision.id,
        "state": "refused" if version.state == "refused" else "challenger",
        "created_at": at,
    }
    try:
        connection.execute(insert(schema.version).values(**row))
    except IntegrityError as error:
        raise Refused(
            f"version {version.name} of {version.model!r} is already in the store",
            got=f"another {version.name}",
            expected="a version number that is new",
            do="repeat the same command: finished trials are kept",
        ) from error


def first(key: Any) -> int:
    """The number of a row that was just made."""
    return int(key[0])
