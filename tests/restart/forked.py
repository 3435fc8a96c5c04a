"""Turns in processes that can be killed: ``everfit tick`` again and again, each in a new process.

A process is forked from this one, which has imported all that a turn needs and has used none of it,
so that its life is a turn and not the import of libraries. Orders come as JSON lines, and each is
answered when the process has ended, with who was left behind by then.

``python -m tests.restart.forked``
"""

from __future__ import annotations

import importlib
import json
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

MARK = "EVERFIT_TEST_TURN"  # in the environment of what a turn starts
NEEDED = (
    "everfit.alert.telling", "everfit.faces.cli.main", "everfit.loop.feed", "everfit.loop.tick",
    "everfit.loop.fit.entry", "everfit.loop.supervised", "everfit.store.log.log", "everfit.wire",
    "everfit.faces.cli.turning.ticking", "everfit.study.fold", "lightgbm", "typer._adapters",
)  # fmt: skip
ENDS_S = 5.0  # for what was started by a process that was killed


def main() -> None:
    """Obey until stdin ends."""
    for name in NEEDED:
        importlib.import_module(name)
    for line in sys.stdin:
        order = json.loads(line)
        token = secrets.token_hex(8)
        pid = os.fork()
        if pid == 0:
            os.chdir(order["folder"])
            os.environ |= {MARK: token, "EVERFIT_FILES": order["files"]}
            os._exit(turn(order))
        began = time.monotonic()
        code = ended(pid, order.get("after_s"))
        seconds = time.monotonic() - began
        told = {"code": code, "seconds": seconds, "left": left_behind(token)}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


def turn(order: Mapping[str, Any]) -> int:
    """``everfit tick`` at the time of the order; dies at the ``point``-th point of a write."""
    from everfit import wire
    from everfit.faces.cli.main import main as everfit

    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    now, made = datetime.fromisoformat(order["now"]), wire.turning
    wire.turning = lambda *given: replace(made(*given), clock=lambda: now)
    if order.get("point"):
        doomed(Countdown(int(order["point"])), order["calls"])
    return everfit(["--store", order["place"], "tick"])


class Countdown:
    """Kills this process with SIGKILL when it has counted to ``left``."""

    def __init__(self, left: int) -> None:
        self.left = left

    def __call__(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def doomed(count: Countdown, calls: list[str]) -> None:
    """Count before and after each of these calls of a store, those of a fit among them."""
    from everfit.executors import Outcome
    from everfit.loop import supervised
    from everfit.loop.fit.entry import work
    from everfit.store import Journal

    def around(call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            count()
            made = call(*args, **kwargs)
            count()
            return made

        return counted

    def here(function: str, arguments: Mapping[str, Any], *_: Any, **__: Any) -> Outcome:
        return Outcome("child", "ok", work(**arguments))

    for name in calls:
        setattr(Journal, name, around(getattr(Journal, name)))
    # what kills a fit at its own write must kill the turn with it
    vars(supervised)["in_child"] = here


def ended(pid: int, after_s: float | None) -> int:
    """Its exit status, or minus the signal; it is killed when ``after_s`` are over."""
    until = None if after_s is None else time.monotonic() + after_s
    while until is not None and time.monotonic() < until:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    if until is not None:
        os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def left_behind(token: str) -> list[str]:
    """The commands of processes that a turn started and that are still there a little later."""
    until = time.monotonic() + ENDS_S
    while True:
        found = marked(f"{MARK}={token}".encode())
        if not found or time.monotonic() > until:
            return found
        time.sleep(0.02)


def marked(mark: bytes) -> list[str]:
    """The commands of processes with this in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    found.append(words)
            except OSError:
                continue
    return found


if __name__ == "__main__":
    main()
