"""Which process holds something, and whether it certainly lives no more."""

from __future__ import annotations

import os
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path


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
