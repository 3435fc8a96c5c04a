"""An executor that runs jobs in this process, one after the other: for tests and debugging."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from everfit.executors.call import call
from everfit.executors.contract import Job, Outcome


class InlineExecutor:
    """Runs a job when somebody waits for it; a time limit is up to the job itself.

    Examples
    --------
    >>> executor = InlineExecutor()
    >>> executor.submit(Job("a", "math:nothing", {}, 1.0))
    >>> executor.wait(1.0)[0].status
    'error'
    """

    slots = 1

    def __init__(self) -> None:
        self._queue: deque[Job] = deque()
        self._known: set[str] = set()
        self._ended: deque[Outcome] = deque()

    def submit(self, job: Job) -> None:
        """Queue a job; a key that is already known is not run twice."""
        if job.key not in self._known:
            self._known.add(job.key)
            self._queue.append(job)

    def wait(self, timeout_s: float) -> list[Outcome]:
        """Run the next queued job and give its outcome."""
        if self._queue:
            job = self._queue.popleft()
            self._ended.append(call(job.key, job.function, job.arguments))
        outcomes = list(self._ended)
        self._ended.clear()
        self._known -= {outcome.key for outcome in outcomes}
        return outcomes

    def cancel(self, key: str) -> None:
        """Take a queued job out of the queue."""
        kept = [job for job in self._queue if job.key != key]
        if len(kept) < len(self._queue):
            self._queue = deque(kept)
            self._ended.append(Outcome(key, "cancelled"))

    def map_partitions(
        self, function: str, partitions: Sequence[Mapping[str, Any]], timeout_s: float
    ) -> list[Outcome]:
        """Run ``function`` over every partition, in order."""
        return [call(f"part-{i}", function, part) for i, part in enumerate(partitions)]

    def close(self) -> None:
        """Forget what is queued."""
        self._queue.clear()
