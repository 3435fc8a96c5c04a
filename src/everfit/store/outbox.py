"""What other registries have been told of ours, and what must be tried again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from everfit.errors import UsageError
from everfit.store import schema
from everfit.store.contract import Mirrored

ERROR_CHARS = 2_000


def told(connection: Connection, target: str) -> dict[tuple[str, str], Mirrored]:
    """All that was noted for ``target``, by kind and item."""
    if plain_text(target) != target:
        return {}
    table = schema.mirrored
    rows = connection.execute(select(table).where(table.c.target == target))
    return {(row.kind, row.item): _mirrored(row) for row in rows}


def note(
    connection: Connection,
    place: tuple[str, str, str],
    *,
    remote: str,
    error: str,
    next_try_at: datetime | None,
    at: str,
) -> Mirrored:
    """Count a try for ``place`` (target, kind, item); see ``contract.Store.note_mirrored``.

    Raises
    ------
    UsageError : a name is too long to be kept
    """
    table = schema.mirrored
    target, kind, item = place
    named = {"target": target, "kind": kind, "item": item, "remote": remote}
    for name, value in named.items():
        _fits(name, value)
    here = (table.c.target == target, table.c.kind == kind, table.c.item == item)
    before = connection.execute(select(table).where(*here)).one_or_none()
    values: dict[str, Any] = {
        "remote": remote or (before.remote if before else ""),
        "tries": (before.tries if before else 0) + 1,
        "error": plain_text(error)[:ERROR_CHARS],
        "next_try_at": None if next_try_at is None else _text(next_try_at),
        "done_at": None if error or next_try_at else at,
    }
    if before is None:
        named.pop("remote")
        connection.execute(insert(table).values(**named, **values))
    else:
        connection.execute(update(table).where(*here).values(**values))
    return _mirrored(connection.execute(select(table).where(*here)).one())


def plain_text(text: str) -> str:
    """``text`` as every database can keep it: PostgreSQL takes no NUL, and none half a character.

    Examples
    --------
    >>> plain_text("a\\x00b \\ud800 ä")
    'a?b ? ä'
    """
    return text.replace("\0", "?").encode("utf-8", "replace").decode("utf-8")


def _fits(name: str, value: str) -> None:
    most = int(schema.mirrored.c[name].type.length)  # type: ignore[attr-defined]
    if len(value) > most or plain_text(value) != value:
        raise UsageError(
            f"{name} of a mirrored item cannot be kept",
            got=repr(value[:80]),
            expected=f"at most {most} characters of text",
            do="use a shorter name",
        )


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _mirrored(row: Any) -> Mirrored:
    return Mirrored(
        remote=row.remote,
        tries=row.tries,
        error=row.error,
        next_try_at=datetime.fromisoformat(row.next_try_at) if row.next_try_at else None,
        done_at=datetime.fromisoformat(row.done_at) if row.done_at else None,
    )
