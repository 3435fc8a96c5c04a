"""A process beside the keeper: started, started again when it ends, and ended with the keeper."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from everfit.live.crew import ended_by

FIRST_WAIT_S, MOST_WAIT_S = 0.5, 30.0  # before it is started again
STEADY_S = 60.0  # who lived this long did not die of how it started
LOOK_S = 0.1


class Supervised:
    """Keeps one process of ``command`` alive until ``stopping`` is set or it is closed.

    It hears SIGTERM then, and has ``grace_s`` seconds to end by itself. What it says goes where
    this process says it: one log.

    Parameters
    ----------
    name : in the events that tell of it, such as ``runner``
    command : it must see to it by itself that it dies with this process
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        say: Callable[[str, Mapping[str, Any]], None],
        stopping: threading.Event,
        *,
        grace_s: float = 10.0,
    ) -> None:
        self._name, self._command, self._say = name, tuple(command), say
        self._stopping, self._grace_s = stopping, grace_s
        self._closed = threading.Event()
        # the kernel's death signal comes when the THREAD that started a process ends
        self._thread = threading.Thread(target=self._keep, name=name, daemon=True)
        self.process: subprocess.Popen[bytes] | None = None
        self._thread.start()

    def close(self) -> None:
        """End it; returns when it has ended."""
        self._closed.set()
        self._thread.join()

    def _ends(self) -> bool:
        return self._stopping.is_set() or self._closed.is_set()

    def _keep(self) -> None:
        wait_s = FIRST_WAIT_S
        while not self._ends():
            began = time.monotonic()
            code = self._once()
            if self._ends():
                return
            steady = time.monotonic() - began > STEADY_S
            wait_s = FIRST_WAIT_S if steady else min(2.0 * wait_s, MOST_WAIT_S)
            told = {"how": ended_by(code), "again_in_s": wait_s}
            self._say(f"{self._name}_lost", told)
            until = time.monotonic() + wait_s
            while not self._ends() and time.monotonic() < until:
                time.sleep(LOOK_S)

    def _once(self) -> int:
        """The life of one process; gives how it ended."""
        process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is the keeper's to hear
        )
        self.process = process
        while not self._ends():
            try:
                return process.wait(LOOK_S)
            except subprocess.TimeoutExpired:
                continue
        process.terminate()
        try:
            return process.wait(self._grace_s)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()
