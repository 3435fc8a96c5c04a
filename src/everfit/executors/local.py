"""An executor of supervised processes on this machine: time limits are kept by killing."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from everfit.executors.contract import Job, Outcome
from everfit.plain import from_plain

GRACE_S = 1.0  # a job is asked to keep its own limit first; the kill comes this much later
LOG_BYTES = 2_000
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "POLARS_MAX_THREADS",
)


@dataclass
class _Slot:
    process: subprocess.Popen[str] | None = None
    log: IO[bytes] | None = None
    job: Job | None = None
    began: float = 0.0


class LocalExecutor:
    """One child process a slot, started at once and reused; killed when a job overstays.

    Parameters
    ----------
    slots : children at work at the same time
    threads : threads that numeric libraries may use in each child
    warm : modules that children import while nothing is asked of them

    Notes
    -----
    Children get their own process group, so that a kill takes what they started with them, and
    die with this process (see :mod:`everfit.executors.worker`).
    """

    def __init__(self, slots: int = 2, *, threads: int = 1, warm: Sequence[str] = ()) -> None:
        self.slots = slots
        self._threads = threads
        self._warm = tuple(warm)
        self._queue: deque[Job] = deque()
        self._known: set[str] = set()
        self._maps = 0
        self._ended: list[Outcome] = []
        self._selector = selectors.DefaultSelector()
        self._slots = [_Slot() for _ in range(slots)]
        for slot in self._slots:
            self._start(slot)

    def submit(self, job: Job) -> None:
        """Queue a job; a key that is already known is not run twice."""
        if job.key not in self._known:
            self._known.add(job.key)
            self._queue.append(job)
            self._feed()

    @property
    def idle(self) -> int:
        """Slots with nothing to do."""
        return sum(slot.job is None for slot in self._slots) - len(self._queue)

    def wait(self, timeout_s: float) -> list[Outcome]:
        """Outcomes that arrived; waits until one does or ``timeout_s`` passed."""
        until = time.monotonic() + timeout_s
        while not self._ended:
            busy = [slot for slot in self._slots if slot.job is not None]
            left = until - time.monotonic()
            if left <= 0 or not busy:
                break
            limits = [self._left(slot) for slot in busy]
            for event, _ in self._selector.select(max(0.0, min(left, *limits))):
                self._read(event.data)
            for slot in busy:
                if slot.job is not None and self._left(slot) <= 0:
                    self._end(slot, "timeout", f"killed after {slot.job.timeout_s:.1f} s")
        outcomes, self._ended = self._ended, []
        self._known -= {outcome.key for outcome in outcomes}
        return outcomes

    def cancel(self, key: str) -> None:
        """Stop a job, queued or running."""
        if any(job.key == key for job in self._queue):
            self._queue = deque(job for job in self._queue if job.key != key)
            self._ended.append(Outcome(key, "cancelled"))
        for slot in self._slots:
            if slot.job is not None and slot.job.key == key:
                self._end(slot, "cancelled", "")

    def map_partitions(
        self, function: str, partitions: Sequence[Mapping[str, Any]], timeout_s: float
    ) -> list[Outcome]:
        """Run ``function`` over every partition; outcomes in the order given."""
        self._maps += 1
        keys = [f"{function}#{self._maps}-{i}" for i in range(len(partitions))]
        for key, part in zip(keys, partitions, strict=True):
            self.submit(Job(key, function, part, timeout_s))
        found: dict[str, Outcome] = {}
        others: list[Outcome] = []
        while len(found) < len(keys):
            for outcome in self.wait(timeout_s + GRACE_S):
                if outcome.key in keys:
                    found[outcome.key] = outcome
                else:
                    others.append(outcome)
        self._ended.extend(others)
        return [found[key] for key in keys]

    def close(self) -> None:
        """Kill all children and what they started."""
        self._queue.clear()
        for slot in self._slots:
            slot.job = None
            self._kill(slot)
        self._selector.close()

    def __enter__(self) -> LocalExecutor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self, slot: _Slot) -> None:
        limits = dict.fromkeys(THREAD_VARIABLES, str(self._threads))
        slot.log = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the child ends
        command = [sys.executable, "-m", "everfit.executors.worker", str(os.getpid()), *self._warm]
        slot.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=slot.log,
            env=os.environ | limits,
            text=True,
            bufsize=1,
            start_new_session=True,
        )
        self._selector.register(_pipe(slot.process.stdout), selectors.EVENT_READ, slot)

    def _left(self, slot: _Slot) -> float:
        if slot.job is None:
            return float("inf")
        return slot.began + slot.job.timeout_s + GRACE_S - time.monotonic()

    def _feed(self) -> None:
        for slot in self._slots:
            if not self._queue:
                return
            if slot.job is not None:
                continue
            if slot.process is None:
                self._start(slot)
            slot.job, slot.began = self._queue.popleft(), time.monotonic()
            line = {
                "key": slot.job.key,
                "function": slot.job.function,
                "arguments": slot.job.arguments,
            }
            try:
                _pipe(slot.process.stdin if slot.process else None).write(json.dumps(line) + "\n")
            except BrokenPipeError:
                self._end(slot, "lost", "")

    def _read(self, slot: _Slot) -> None:
        if slot.process is None:
            return
        line = _pipe(slot.process.stdout).readline()
        if not line:
            self._end(slot, "lost", "")
            return
        try:
            outcome = from_plain(Outcome, json.loads(line))
        except ValueError:  # killed while it wrote
            self._end(slot, "lost", "")
            return
        slot.job = None
        self._ended.append(outcome)
        self._feed()

    def _end(self, slot: _Slot, status: str, error: str) -> None:
        job, seconds = slot.job, time.monotonic() - slot.began
        slot.job = None
        code, tail = self._kill(slot)
        if job is not None:
            said = error or f"the process ended ({_ended_by(code)})\n{tail}".strip()
            self._ended.append(Outcome(job.key, status, error=said, seconds=seconds))  # type: ignore[arg-type]
        self._feed()

    def _kill(self, slot: _Slot) -> tuple[int, str]:
        process, log = slot.process, slot.log
        slot.process = slot.log = None
        if process is None:
            return 0, ""
        self._selector.unregister(_pipe(process.stdout))
        ended = process.poll()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(BrokenPipeError):
                _pipe(pipe).close()
        return (code if ended is None else ended), _tail(log)


def _pipe(pipe: IO[str] | None) -> IO[str]:
    if pipe is None:  # cannot be: every child is started with pipes
        raise RuntimeError("a child process without pipes")
    return pipe


def _tail(log: IO[bytes] | None) -> str:
    if log is None:
        return ""
    with log:
        log.seek(max(0, log.seek(0, os.SEEK_END) - LOG_BYTES))
        return log.read().decode(errors="replace").strip()


def _ended_by(code: int) -> str:
    if code >= 0:
        return f"exit status {code}"
    name = signal.Signals(-code).name
    return f"{name}, perhaps out of memory" if name == "SIGKILL" else name
