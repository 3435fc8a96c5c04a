"""What turns of the loop did, by what it was done about: written once, read again each turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from everfit.errors import Refused, UsageError
from everfit.plain import as_plain
from everfit.records import Step
from everfit.store import schema
from everfit.store.outbox import plain_text


def found(
    connection: Connection,
    model: str,
    kind: str | None = None,
    *,
    last: int | None = None,
    after: str | None = None,
) -> tuple[Step, ...]:
    """Steps of ``model``, oldest first; see ``contract.Reading.steps``."""
    table = schema.step
    asked = select(table).where(table.c.model == model).order_by(table.c.id.desc())
    if kind is not None:
        asked = asked.where(table.c.kind == kind)
    if after is not None:
        # byte by byte everywhere: a server may sort by the rules of a language
        server = connection.dialect.name == "postgresql"
        key = table.c.key.collate("C") if server else table.c.key
        asked = asked.where(key > after)
    rows = connection.execute(asked if last is None else asked.limit(max(0, last))).all()
    return tuple(map(_step, reversed(rows)))


def since(connection: Connection, model: str, mark: int) -> tuple[tuple[Step, ...], int]:
    """Steps of ``model`` that were written after ``mark``, oldest first, and the new mark.

    Marks of one model rise with time: who writes its steps holds the model.
    """
    table = schema.step
    asked = select(table).where(table.c.model == model, table.c.id > mark)
    rows = connection.execute(asked.order_by(table.c.id)).all()
    return tuple(map(_step, rows)), rows[-1].id if rows else mark


def _step(row: Row[*tuple[Any, ...]]) -> Step:
    at = datetime.fromisoformat(row.at)
    return Step(row.model, row.kind, row.key, row.record, at, row.decision or 0)


def add(
    connection: Connection,
    model: str,
    steps: Sequence[Step],
    epoch: int,
    *,
    decision: int | None = None,
) -> tuple[Step, ...]:
    """Write the steps that were not done before, within a transaction; gives those.

    Raises
    ------
    UsageError : a step is of another model, or its kind or key cannot be kept
    Refused : one was done before, and a ``decision`` goes with them
    """
    new = []
    for step in steps:
        _fits(model, step)
        if _known(connection, step):
            if decision is not None:
                raise _done(step)
            continue
        kept = replace(step, decision=decision or step.decision)
        row = {
            "model": model,
            "kind": kept.kind,
            "key": kept.key,
            "at": kept.at.astimezone(UTC).isoformat(timespec="microseconds"),
            "decision": kept.decision or None,
            "epoch": epoch,
            "record": as_plain(kept.record),
        }
        connection.execute(insert(schema.step).values(**row))
        new.append(kept)
    return tuple(new)


def _known(connection: Connection, step: Step) -> bool:
    table = schema.step
    here = (table.c.model == step.model, table.c.kind == step.kind, table.c.key == step.key)
    return connection.execute(select(table.c.id).where(*here)).one_or_none() is not None


def _fits(model: str, step: Step) -> None:
    if step.model != model:
        raise UsageError(
            "a step belongs to another model",
            got=step.model,
            expected=model,
            do="write it under a hold of its own model",
        )
    for name in ("kind", "key"):
        value: str = getattr(step, name)
        column: Any = schema.step.c[name].type
        most = int(column.length)
        if not 1 <= len(value) <= most or plain_text(value) != value:
            raise UsageError(
                f"the {name} of a step cannot be kept",
                got=repr(value[:80]),
                expected=f"1 to {most} characters of text",
                do="use a hash where the text is long",
            )


def _done(step: Step) -> Refused:
    return Refused(
        f"the step {step.kind!r} of {step.model!r} was done before",
        got=step.key,
        expected="a step that is new",
        do="read the steps again: what this one would decide is decided",
    )
