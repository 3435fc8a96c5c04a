"""The worker processes of a keeper: started, told, watched, and started again when they die.

Each worker has a thread here that starts its process and listens to it. That thread lives as long
as the process, because the kernel's death signal to a child is sent when the THREAD that made it
ends.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from everfit.live import early, orders
from everfit.live.early import Early
from everfit.live.orders import Channel, Start

FIRST_WAIT_S, MOST_WAIT_S = 0.05, 10.0  # before a worker that died is started again
STEADY_S = 10.0  # who lived this long did not die of how it started
HOPELESS = 5  # a worker that ends so often before it is ready ends the keeper, if none answers


@dataclass(frozen=True, slots=True)
class Lost:
    """A worker that ended without being asked: how, and the order that it was carrying out."""

    worker: int
    how: str
    carrying: Mapping[str, Any] | None
    was_ready: bool


@dataclass(slots=True)
class _Member:
    number: int
    channel: Channel | None = None
    process: subprocess.Popen[bytes] | None = None
    ready: bool = False
    # orders that were sent and not answered, oldest first, by model
    pending: dict[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Heard:
    """Who is called, in a thread of the crew: ``said`` with a worker's messages but ``ready``.

    ``lost`` hears of a worker that died, before another one takes its place.
    """

    said: Callable[[int, Mapping[str, Any]], None]
    lost: Callable[[Lost], None]


class Crew:
    """``n`` workers that all know the same orders.

    Parameters
    ----------
    command : program and arguments of a worker; the number of its channel is put behind them
    start : what all of them are told first; ``worker`` and ``spool`` are made their own
    first : a worker that runs already
    """

    def __init__(
        self,
        command: tuple[str, ...],
        start: Start,
        n: int,
        heard: Heard,
        first: Early | None = None,
    ) -> None:
        self._command, self._start, self._heard, self._first = command, start, heard, first
        self._members = [_Member(number) for number in range(1, n + 1)]
        self._orders: dict[str, Mapping[str, Any]] = {}
        self._standing: dict[str, Mapping[str, Any]] = {}
        self._changing = threading.RLock()
        self._going = self._stopping = False
        self._woken = threading.Event()
        self._ready = threading.Event()
        self._threads: list[threading.Thread] = []
        self.hopeless = threading.Event()

    def open(self) -> None:
        """Start all workers; they wait for their orders."""
        for member in self._members:
            thread = threading.Thread(
                target=self._keep, args=(member,), name=f"worker {member.number}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def order(self, order: Mapping[str, Any]) -> None:
        """Tell all workers who answers for a model, or that nobody does; also those to come."""
        with self._changing:
            if order["do"] == "drop":
                self._orders.pop(order["model"], None)
            else:
                self._orders[order["model"]] = order
            for member in self._members:
                self._tell(member, order)

    def go(self) -> None:
        """Let workers answer requests: their first orders are given."""
        with self._changing:
            self._going = True
            for member in self._members:
                self._tell(member, orders.go())

    def tell(self, worker: int, message: Mapping[str, Any]) -> None:
        """Send a message to one worker; who is gone misses it."""
        with self._changing:
            self._tell(self._members[worker - 1], message)

    def stand(self, name: str, message: Mapping[str, Any]) -> None:
        """Send a message to all workers, and to those to come until another takes its name."""
        with self._changing:
            self._standing[name] = message
            self.tell_all(message)

    def tell_all(self, message: Mapping[str, Any]) -> None:
        """Send a message to all workers that are there."""
        with self._changing:
            for member in self._members:
                self._tell(member, message)

    def change(self, serving: Mapping[str, Any]) -> None:
        """Workers that start from now on are told these settings."""
        with self._changing:
            self._start = replace(self._start, serving=serving)

    def wait_ready(self, timeout_s: float) -> bool:
        """Whether a worker answers requests, waited for."""
        return self._ready.wait(timeout_s)

    def settled(self, model: str) -> bool:
        """Whether every worker that is there has answered the last order about ``model``."""
        with self._changing:
            return not any(model in member.pending for member in self._members)

    def states(self) -> list[dict[str, Any]]:
        """Each worker: its number, its process, and whether it answers requests."""
        with self._changing:
            return [
                {
                    "worker": member.number,
                    "pid": None if member.process is None else member.process.pid,
                    "ready": member.ready,
                }
                for member in self._members
            ]

    def close(self, grace_s: float) -> bool:
        """Drain and end all workers; gives whether none had to be killed."""
        with self._changing:
            self._stopping = True
            self._woken.set()
            if self._first is not None:
                self._first.close()
            for member in self._members:
                self._tell(member, orders.drain())
        until = time.monotonic() + grace_s
        clean = True
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        with self._changing:
            for member in self._members:
                if member.process is not None and member.process.poll() is None:
                    clean = False
                    member.process.kill()
        for thread in self._threads:
            thread.join(grace_s)
        return clean

    def _tell(self, member: _Member, message: Mapping[str, Any]) -> None:
        if member.channel is None:
            return
        if message.get("do") == "serve":
            member.pending.pop(message["model"], None)
            member.pending[message["model"]] = message
        with contextlib.suppress(EOFError):  # its thread hears of it, and what was pending
            member.channel.send(message)

    def _keep(self, member: _Member) -> None:
        """The life of a worker's thread: start it, listen, start it again."""
        wait_s, stillborn = FIRST_WAIT_S, 0
        while not self._stopping:
            began = time.monotonic()
            lost = self._serve_once(member)
            if self._stopping or lost is None:
                return
            self._heard.lost(lost)
            if lost.was_ready or lost.carrying is not None:
                stillborn = 0
            else:
                stillborn += 1
            if stillborn >= HOPELESS and not any(one.ready for one in self._members):
                self.hopeless.set()
                return
            steady = time.monotonic() - began > STEADY_S
            wait_s = FIRST_WAIT_S if steady else min(2 * wait_s, MOST_WAIT_S)
            self._woken.wait(wait_s)

    def _serve_once(self, member: _Member) -> Lost | None:
        try:
            process = self._enter(member)
        except OSError as error:  # no memory or no process left: there may be some later
            return Lost(member.number, f"it could not be started: {error}", None, False)
        channel = member.channel
        if process is None or channel is None:
            return None
        try:
            while True:
                for message in channel.receive():
                    self._hear(member, message)
        except EOFError:
            pass
        # whoever closed its channel can be told nothing any more: it has a moment to end
        try:
            code = process.wait(self._start.grace_s if self._stopping else 1.0)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        with self._changing:
            carrying = next(iter(member.pending.values()), None)
            was_ready = member.ready
            member.channel = member.process = None
            member.ready = False
            member.pending.clear()
            channel.close()
        return Lost(member.number, ended_by(code), carrying, was_ready)

    def _enter(self, member: _Member) -> subprocess.Popen[bytes] | None:
        """Start the process of ``member`` and tell it all that is known, in one go."""
        with self._changing:
            if self._stopping:
                return None
            begun, self._first = self._first or early.start(self._command), None
            member.process, member.channel = begun.process, Channel(begun.end)
            spool = f"{self._start.spool}/w{member.number}"
            start = replace(self._start, worker=member.number, spool=spool)
            with contextlib.suppress(EOFError):
                member.channel.send(orders.begin(start), start.listening)
            for message in (*self._orders.values(), *self._standing.values()):
                self._tell(member, message)
            if self._going:
                self._tell(member, orders.go())
            return begun.process

    def _hear(self, member: _Member, message: Mapping[str, Any]) -> None:
        did = message.get("did")
        if did == "ready":
            member.ready = True
            self._ready.set()
            return
        if did in ("serving", "failed"):
            with self._changing:
                pending = member.pending.get(message["model"])
                if pending is not None and pending["rev"] == message["rev"]:
                    del member.pending[message["model"]]
        self._heard.said(member.number, message)


def ended_by(code: int) -> str:
    """How a process ended, in words.

    Examples
    --------
    >>> ended_by(3), ended_by(-11)
    ('exit status 3', 'SIGSEGV')
    """
    if code >= 0:
        return f"exit status {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"{name}, perhaps out of memory" if name == "SIGKILL" else name


def cores() -> int:
    """Cores that this process may use."""
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:  # not on macOS
        return max(1, os.cpu_count() or 1)
