"""When what was written is on the disk: many requests share one sync, which runs in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor

SOON_S = 0.01  # what a power cut may cost of predictions that were acknowledged


class Durable:
    """Shares syncs of a spool among the requests of one event loop.

    Parameters
    ----------
    sync : blocks until all that was appended before is on the disk; StoreFailed when it is not
    told : gets the error of a sync that nobody waited for, and None when one went well
    """

    def __init__(
        self, sync: Callable[[], None], pool: Executor,
        told: Callable[[Exception | None], None],
    ) -> None:  # fmt: skip
        self._sync, self._pool, self._told = sync, pool, told
        self._waiting: list[asyncio.Future[None]] = []
        self._running = False
        self._soon: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    def soon(self) -> None:
        """Sync within ten milliseconds; costs next to nothing when one is due already."""
        if self._soon is None:
            self._soon = self._loop.call_later(SOON_S, self._start)

    async def now(self) -> None:
        """Return when all that was appended before the call is on the disk.

        Raises
        ------
        StoreFailed : it is not
        """
        waiting = self._loop.create_future()
        self._waiting.append(waiting)
        if not self._running:
            self._start()
        await waiting

    def _start(self) -> None:
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        if self._running:
            # who asks while the disk works may have appended too late for it
            self.soon()
            return
        self._running = True
        group, self._waiting = self._waiting, []
        done = self._loop.run_in_executor(self._pool, self._sync)
        done.add_done_callback(lambda future: self._finished(future, group))

    def _finished(self, done: asyncio.Future[None], group: list[asyncio.Future[None]]) -> None:
        self._running = False
        error = done.exception()
        self._told(error if isinstance(error, Exception) else None)
        for waiting in group:
            if waiting.done():
                continue  # its request was given up
            if error is None:
                waiting.set_result(None)
            else:
                waiting.set_exception(error)
        if self._waiting:
            self._start()
