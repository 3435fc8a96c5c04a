"""One run per model at a time: who holds a model, and when the hold is over.

A hold is a row with its owner (process, host, start of the process), an expiry that writes and
heartbeats push on, and an epoch that grows with each holder. On the same host a dead owner is seen
at once, and one that lives keeps its model however long a fit takes; from another host only the
expiry tells. A holder that wakes up late finds a newer epoch and is refused (fencing: Kleppmann
2016, "How to do distributed locking").
"""

from __future__ import annotations

import os
import socket
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, insert, select, update

from everfit.errors import StoreBusy
from everfit.store import schema

TTL_S = 120.0  # a hold outlives its last heartbeat by this; only matters across hosts


@dataclass(frozen=True, slots=True)
class Owner:
    """A process: its id, the host that knows the id, and a mark of when it began.

    ``host`` names the pid namespace too: the same number in another container is another process.
    ``started`` tells a process from a later one that got the same id; empty when unknown.
    """

    pid: int
    host: str
    started: str

    @property
    def machine(self) -> str:
        """The host's name alone, for people."""
        return self.host.partition("/")[0]


def this_process() -> Owner:
    """The owner that this process is."""
    pid = os.getpid()
    return Owner(pid, _host(), _started(pid))


def is_gone(owner: Owner, *, host: str) -> bool:
    """Whether ``owner`` is certainly dead as seen from ``host``; False when it cannot be known."""
    if owner.pid <= 0:
        return True
    if owner.host != host:
        return False
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # it lives, and belongs to another user
    started = _started(owner.pid)
    return bool(owner.started and started and started != owner.started)


def take(connection: Connection, model: str, owner: Owner, now: datetime) -> int:
    """Hold ``model`` for ``owner``; gives the new epoch.

    Raises
    ------
    StoreBusy : another process that may live holds it
    """
    row = _row(connection, model)
    values = {
        "pid": owner.pid,
        "host": owner.host,
        "process_started": owner.started,
        "taken_at": now.astimezone(UTC).isoformat(timespec="microseconds"),
        "expires_at": _expiry(now),
    }
    if row is None:
        connection.execute(insert(schema.lease).values(model=model, epoch=1, **values))
        return 1
    held = Owner(row.pid, row.host, row.process_started)
    if _holds(held, row.expires_at, owner, now):
        raise _busy(model, held, row.taken_at)
    epoch = int(row.epoch) + 1
    lease = schema.lease
    connection.execute(update(lease).where(lease.c.model == model).values(epoch=epoch, **values))
    return epoch


def renew(connection: Connection, model: str, epoch: int, now: datetime) -> None:
    """Push the expiry on, after checking that ``epoch`` still holds ``model``.

    Raises
    ------
    StoreBusy : another took over, or the hold was let go
    """
    row = _row(connection, model)
    if row is None or row.epoch != epoch or row.pid <= 0:
        raise _lost(model, epoch, row.epoch if row else 0)
    lease = schema.lease
    connection.execute(update(lease).where(lease.c.model == model).values(expires_at=_expiry(now)))


def let_go(connection: Connection, model: str) -> None:
    """End the hold of ``model``; the epoch stays."""
    lease = schema.lease
    connection.execute(update(lease).where(lease.c.model == model).values(pid=0))


def is_held(connection: Connection, model: str, now: datetime) -> bool:
    """Whether a process that may live holds ``model``."""
    row = _row(connection, model)
    if row is None:
        return False
    held = Owner(row.pid, row.host, row.process_started)
    return _holds(held, row.expires_at, this_process(), now)


def _holds(held: Owner, expires_at: str, me: Owner, now: datetime) -> bool:
    """Whether ``held`` still holds, as ``me`` can know."""
    if is_gone(held, host=me.host):
        return False
    if held.host == me.host and held.started and held.pid != me.pid:
        return True  # certainly alive: its fits may take longer than the expiry
    return now < datetime.fromisoformat(expires_at)


class _Row:
    """The columns of a lease row, named for the type checker."""

    pid: int
    host: str
    process_started: str
    epoch: int
    taken_at: str
    expires_at: str


def _row(connection: Connection, model: str) -> _Row | None:
    lease = schema.lease
    asked = select(lease).where(lease.c.model == model)
    row: _Row | None = connection.execute(asked).one_or_none()  # type: ignore[assignment]
    return row


def _expiry(now: datetime) -> str:
    return (now + timedelta(seconds=TTL_S)).astimezone(UTC).isoformat(timespec="microseconds")


def _busy(model: str, held: Owner, taken_at: str) -> StoreBusy:
    since = datetime.fromisoformat(taken_at).astimezone(UTC)
    return StoreBusy(
        f"another run holds model {model!r}",
        got=f"process {held.pid} on {held.machine}, since {since:%d %b %H:%M:%S} UTC",
        expected="one run per model at a time",
        do=f"wait for it, stop it (kill -INT {held.pid}), or use another --name or --store",
    )


def _lost(model: str, epoch: int, now_epoch: int) -> StoreBusy:
    return StoreBusy(
        f"this run no longer holds model {model!r}",
        got=f"holder {epoch}; the model is at holder {now_epoch}",
        expected="a run that holds its model to its end",
        do="repeat the same command: finished trials are kept",
    )


def _host() -> str:
    # two containers may share a name and a disk, but never a pid namespace
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        namespace = ""
    return f"{socket.gethostname()}/{namespace}"[:256]


def _started(pid: int) -> str:
    """A mark that no other process with the same id has; empty when it cannot be read."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return _started_by_ps(pid)
    # the name in brackets may hold blanks; after it come the state and, as 20th, the start time
    fields = stat.rpartition(")")[2].split()
    # a killed process keeps its id until its parent asks for it: it is dead all the same
    return "dead" if fields[0] in "ZX" else f"{boot}:{fields[19]}"


def _started_by_ps(pid: int) -> str:
    try:
        told = subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(pid)],  # noqa: S607 - where ps lies differs
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return told.stdout.strip()[:128]
