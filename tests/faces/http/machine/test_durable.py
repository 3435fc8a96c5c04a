"""Syncs that many requests share."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from everfit.errors import StoreFailed
from everfit.faces.http.machine.durable import Durable


class Disk:
    """A disk whose syncs last until the test lets them end."""

    def __init__(self) -> None:
        self.appended, self.synced, self.syncs = 0, 0, 0
        self.error: Exception | None = None
        self.may_end = threading.Event()
        self.may_end.set()

    def sync(self) -> None:
        """What was appended before the call is safe after it."""
        n = self.appended
        self.syncs += 1
        self.may_end.wait(5.0)
        if self.error:
            raise self.error
        self.synced = n


def run(disk: Disk, use: object, told: list[Exception | None] | None = None) -> None:
    heard: list[Exception | None] = [] if told is None else told

    async def main() -> None:
        with ThreadPoolExecutor(1) as pool:
            await use(Durable(disk.sync, pool, heard.append))  # type: ignore[operator]

    asyncio.run(main())


def test_many_who_wait_share_few_syncs_and_each_is_safe_when_let_go() -> None:
    disk = Disk()

    async def one(durable: Durable) -> None:
        disk.appended += 1
        mine = disk.appended
        await durable.now()
        assert disk.synced >= mine

    async def use(durable: Durable) -> None:
        disk.may_end.clear()
        waiting = [asyncio.ensure_future(one(durable)) for _ in range(100)]
        await asyncio.sleep(0.01)
        disk.may_end.set()
        await asyncio.gather(*waiting)

    run(disk, use)

    assert disk.syncs == 2  # the first one's, and one for all who came while it ran


def test_who_does_not_wait_is_synced_soon_and_once() -> None:
    disk = Disk()

    async def use(durable: Durable) -> None:
        for _ in range(100):
            disk.appended += 1
            durable.soon()
        until = time.monotonic() + 5.0
        while disk.synced < 100 and time.monotonic() < until:
            await asyncio.sleep(0.001)

    run(disk, use)

    assert (disk.synced, disk.syncs) == (100, 1)


def test_a_sync_that_fails_fails_all_who_waited_and_no_later_one() -> None:
    disk, told = Disk(), list[Exception | None]()

    async def use(durable: Durable) -> None:
        disk.error = StoreFailed("the spool cannot be synced")
        found = await asyncio.gather(durable.now(), durable.now(), return_exceptions=True)
        assert [type(error) for error in found] == [StoreFailed, StoreFailed]
        disk.error = None
        await durable.now()

    run(disk, use, told)

    assert isinstance(told[0], StoreFailed)
    assert told[-1] is None


def test_a_request_that_was_given_up_takes_nobody_with_it() -> None:
    disk = Disk()

    async def use(durable: Durable) -> None:
        disk.may_end.clear()
        gone = asyncio.ensure_future(durable.now())
        stays = asyncio.ensure_future(durable.now())
        await asyncio.sleep(0.01)
        gone.cancel()
        disk.may_end.set()
        await stays
        with pytest.raises(asyncio.CancelledError):
            await gone

    run(disk, use)
