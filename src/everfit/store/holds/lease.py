"""One holder at a time: who holds a model or the loop of a store, and when the hold is over.

A hold is a row with its owner (process, host, start of the process), an expiry that writes and
heartbeats push on, and an epoch that grows with each holder. A dead owner is seen at once on its
own host. A holder that wakes up late finds a newer epoch, or its own expiry past, and is refused
(fencing: Kleppmann 2016, "How to do distributed locking").

There are two kinds. A *run* keeps its model for as long as its process lives, however long a fit
takes; from another host only the expiry tells. A *strict* hold (``ttl_s`` above 0) must be renewed
in time even by a process that lives: one that was stopped and wakes up is too late.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Column, Connection, Table, insert, select, update

from everfit.errors import StoreBusy, UsageError
from everfit.store import schema
from everfit.store.holds.owner import Owner, is_gone, this_process

TTL_S = 120.0  # a run outlives its last heartbeat by this; only matters across hosts
SKEW_S = 60.0  # an expiry further away than this was written before a clock was set back
NAME_CHARS = 64


@dataclass(frozen=True, slots=True)
class Place:
    """What is held: a row of a table of holds."""

    table: Table
    key: Column[Any]
    name: str
    what: str  # for people, such as "model 'churn'"


def of_model(name: str) -> Place:
    """The right to write for a model."""
    return Place(schema.lease, schema.lease.c.model, name, f"model {name!r}")


def of_runner(name: str) -> Place:
    """The right to run the loop of a store.

    Raises
    ------
    UsageError : a name that cannot be kept
    """
    if not name.isascii() or not name.isprintable() or not 1 <= len(name) <= NAME_CHARS:
        raise UsageError(
            "the name of a runner cannot be used",
            got=repr(name[:80]),
            expected=f"1 to {NAME_CHARS} printable ASCII characters",
            do="use a name such as loop",
        )
    return Place(schema.runner, schema.runner.c.name, name, f"the runner {name!r} of this store")


def take(
    connection: Connection, place: Place, owner: Owner, now: datetime, *, ttl_s: float = 0.0
) -> int:
    """Hold ``place`` for ``owner``; strictly when ``ttl_s`` is above 0. Gives the new epoch.

    Raises
    ------
    StoreBusy : another process that may live holds it
    """
    row = _row(connection, place)
    values = {
        "pid": owner.pid,
        "host": owner.host,
        "process_started": owner.started,
        "ttl_s": ttl_s,
        "taken_at": now.astimezone(UTC).isoformat(timespec="microseconds"),
        "expires_at": _expiry(now, ttl_s),
    }
    if row is None:
        first = {place.key.name: place.name, "epoch": 1}
        connection.execute(insert(place.table).values(**first, **values))
        return 1
    if _holds(row, owner, now):
        raise _busy(place, row)
    epoch = int(row.epoch) + 1
    connection.execute(_at(place).values(epoch=epoch, **values))
    return epoch


def renew(connection: Connection, place: Place, epoch: int, now: datetime) -> None:
    """Push the expiry on, after checking that ``epoch`` still holds ``place``.

    Raises
    ------
    StoreBusy : another took over, the hold was let go, or a strict one was not renewed in time
    """
    row = _row(connection, place)
    if row is None or row.epoch != epoch or row.pid <= 0:
        raise _lost(place, epoch, f"the holder is number {row.epoch if row else 0} now")
    late_s = (now - datetime.fromisoformat(row.expires_at)).total_seconds()
    if row.ttl_s > 0 and late_s >= 0:
        raise _lost(place, epoch, f"its last sign of life is {row.ttl_s + late_s:.1f} s old")
    connection.execute(_at(place).values(expires_at=_expiry(now, row.ttl_s)))


def let_go(connection: Connection, place: Place) -> None:
    """End the hold of ``place``; the epoch stays."""
    connection.execute(_at(place).values(pid=0))


def holder(connection: Connection, place: Place, now: datetime) -> int | None:
    """The epoch of the process that holds ``place`` and may live; None when there is none."""
    row = _row(connection, place)
    if row is None or not _holds(row, this_process(), now):
        return None
    return int(row.epoch)


class _Row:
    """The columns of a hold, named for the type checker."""

    pid: int
    host: str
    process_started: str
    epoch: int
    ttl_s: float
    taken_at: str
    expires_at: str


def _holds(row: _Row, me: Owner, now: datetime) -> bool:
    """Whether the owner in ``row`` still holds, as ``me`` can know."""
    held = Owner(row.pid, row.host, row.process_started)
    if is_gone(held, host=me.host):
        return False
    left_s = (datetime.fromisoformat(row.expires_at) - now).total_seconds()
    if row.ttl_s > 0:
        # a clock that was set back must not leave a dead holder in place for as long
        return 0 < left_s <= row.ttl_s + SKEW_S
    if held.host == me.host and held.started and held.pid != me.pid:
        return True  # certainly alive: its fits may take longer than the expiry
    return left_s > 0


def _row(connection: Connection, place: Place) -> _Row | None:
    asked = select(place.table).where(place.key == place.name)
    row: _Row | None = connection.execute(asked).one_or_none()  # type: ignore[assignment]
    return row


def _at(place: Place) -> Any:
    return update(place.table).where(place.key == place.name)


def _expiry(now: datetime, ttl_s: float) -> str:
    at = now + timedelta(seconds=ttl_s or TTL_S)
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _busy(place: Place, row: _Row) -> StoreBusy:
    held = Owner(row.pid, row.host, row.process_started)
    since = datetime.fromisoformat(row.taken_at).astimezone(UTC)
    got = f"process {held.pid} on {held.machine}, since {since:%d %b %H:%M:%S} UTC"
    if place.table is schema.runner:
        return StoreBusy(
            f"another process runs the loop of this store, as {place.name!r}",
            got=got,
            expected="one runner at a time",
            do="let it run: this one may stand by and takes over when that one ends",
        )
    if row.ttl_s > 0:
        return StoreBusy(
            f"a turn of the loop holds {place.what}",
            got=got,
            expected="one writer per model at a time",
            do="try again in a moment, or when the fit that is under way has ended",
        )
    return StoreBusy(
        f"another run holds {place.what}",
        got=got,
        expected="one run per model at a time",
        do=f"wait for it, stop it (kill -INT {held.pid}), or use another --name or --store",
    )


def _lost(place: Place, epoch: int, why: str) -> StoreBusy:
    return StoreBusy(
        f"this run no longer holds {place.what}",
        got=f"holder {epoch}; {why}",
        expected="a run that holds it to its end",
        do="repeat the same command: finished trials are kept",
    )
