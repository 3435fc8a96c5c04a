"""Requests that were answered, in the order in which they were drained: for who answers them again.

Read from the tables alone: a request of a day that was sealed meanwhile is not repeated any more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from everfit.store.log import tables
from everfit.store.log.place import Place, last_number

ARMS = ("champion", "canary", "holdout")  # what a shadow repeats: not shadows, not direct calls
SHADOW = "shadow"


@dataclass(frozen=True, slots=True)
class Repeatable:
    """One request as it was sent: ``number`` in the log, ``id`` of its prediction, and its row.

    ``at_us`` is when it was answered, in microseconds since 1970 UTC.
    """

    number: int
    id: str
    key: str | None
    row: Mapping[str, Any]
    at_us: int


def requests(place: Place, model: str, *, after: int, most: int) -> Sequence[Repeatable]:
    """Up to ``most`` requests of ``model`` behind the number ``after``, oldest first."""
    table = tables.prediction
    with place.database.read() as connection:
        arms = [place.number(connection, arm) for arm in ARMS]
        asked = (
            select(table.c.seq, table.c.id, table.c.key, table.c.request, table.c.at_us)
            .where(table.c.seq > after, table.c.model == place.number(connection, model))
            .where(table.c.arm.in_(arms))
            .order_by(table.c.seq)
            .limit(most)
        )
        rows = connection.execute(asked).all()
    return [
        Repeatable(row.seq, row.id, row.key, json.loads(bytes(row.request)), row.at_us)
        for row in rows
    ]


def newest(place: Place) -> int:
    """The number of the newest row of the log."""
    with place.database.read() as connection:
        return last_number(connection)


def shadowed(place: Place, model: str, version: int) -> int:
    """The number of the newest request that ``version`` repeated in the shadow; 0 without any."""
    table = tables.prediction
    with place.database.read() as connection:
        asked = select(func.max(table.c.root)).where(
            table.c.model == place.number(connection, model),
            table.c.arm == place.number(connection, SHADOW),
            table.c.version == version,
        )
        return int(connection.execute(asked).scalar() or 0)
