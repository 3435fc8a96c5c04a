"""What the requests of one worker share."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TypeVar

from everfit.faces.http.guard.door import Door
from everfit.faces.http.guard.rate import Rate
from everfit.faces.http.machine.durable import Durable
from everfit.faces.http.machine.link import Link
from everfit.faces.http.machine.serving import Serving
from everfit.faces.http.telemetry.access import Access
from everfit.faces.http.telemetry.metrics import Metrics
from everfit.faces.http.telemetry.traces import Traces
from everfit.live.desk.desk import Desk

logger = logging.getLogger("everfit.serve")
T = TypeVar("T")
LARGE = 8  # requests with large bodies that are held in memory at one time
SPOOL = "record"  # the name of the trouble that answers cannot be written down


@dataclass(slots=True)
class State:
    """One worker: its desk and all that stands around it.

    ``troubles`` are what is wrong now, by name; ``fsync`` is set when a prediction, too, is
    acknowledged only after it is on the disk.
    """

    serving: Serving
    desk: Desk
    door: Door
    metrics: Metrics
    durable: Durable
    link: Link
    pool: Executor
    large: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(LARGE))
    rate: Rate | None = None
    access: Access | None = None
    traces: Traces | None = None
    fsync: bool = False
    draining: bool = False
    troubles: dict[str, str] = field(default_factory=dict)

    async def aside(self, work: Callable[[], T]) -> T:
        """The result of what would keep other requests waiting, made in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, work)

    async def written(self) -> None:
        """Return when predictions that were appended may be acknowledged.

        Raises
        ------
        StoreFailed : with ``fsync``, when the disk did not take them
        """
        if self.fsync:
            await self.durable.now()
        else:
            self.durable.soon()

    def spool_told(self, error: Exception | None) -> None:
        """Remember whether the record can be written, for ``/health`` and the counters."""
        if error is None:
            self.troubles.pop(SPOOL, None)
        else:
            self.metrics.values[self.metrics.spool_errors] += 1.0
            if SPOOL not in self.troubles:
                logger.error("what is sent cannot be recorded: %s", error)
            # anybody reads health: without the folder
            got = getattr(error, "got", "") or type(error).__name__
            self.troubles[SPOOL] = f"what is sent cannot be recorded: {got}"

    def reasons(self) -> list[str]:
        """What is wrong now, in words; empty when all is well."""
        models = [f"{model}: {why}" for model, why in sorted(self.desk.troubles().items())]
        return [*(f"{name}: {why}" for name, why in sorted(self.troubles.items())), *models]

    def unready(self) -> list[str]:
        """Models that were ordered but have no version that answers."""
        return sorted(self.desk.troubles().keys() - self.desk.models().keys())
