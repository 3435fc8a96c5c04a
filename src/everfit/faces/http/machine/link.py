"""The worker's end of the channel to the keeper: orders in, replies and questions out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from itertools import count
from typing import Any

from everfit.errors import Unreachable
from everfit.live import orders

Told = tuple[int, Any]


class Link:
    """Carries messages between the event loop and the keeper.

    Parameters
    ----------
    obey : carries out one order; orders are obeyed one after the other
    gone : called once when the keeper has gone
    more : orders that came before
    """

    def __init__(
        self, channel: orders.Channel, obey: Callable[[Mapping[str, Any]], Awaitable[None]],
        gone: Callable[[], None], more: Iterable[Mapping[str, Any]] = (),
    ) -> None:  # fmt: skip
        self._channel, self._obey, self._gone = channel, obey, gone
        self._asked: dict[int, asyncio.Future[Told]] = {}
        self._number = count(1).__next__
        self._orders: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        for order in more:
            self._orders.put_nowait(order)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(channel.fileno(), self._readable)

    async def run(self) -> None:
        """Obey orders until cancelled."""
        while True:
            await self._obey(await self._orders.get())

    def say(self, message: Mapping[str, Any]) -> None:
        """Send a reply; a keeper that has gone ends the worker."""
        try:
            self._channel.send(message)
        except EOFError:
            self._lost()

    async def ask(self, call: str, args: Mapping[str, Any], *, wait_s: float) -> Told:
        """The keeper's status and body.

        Raises
        ------
        Unreachable : it did not answer in time
        """
        number = self._number()
        waiting = self._asked[number] = self._loop.create_future()
        self.say(orders.ask(number, call, args))
        try:
            async with asyncio.timeout(wait_s):
                told: Told = await waiting
                return told
        except TimeoutError:
            raise Unreachable(
                "the store did not answer", got=f"no answer within {wait_s:g} s",
                expected="an answer of the keeper", do="try again; see GET /health",
            ) from None  # fmt: skip
        finally:
            self._asked.pop(number, None)

    def _readable(self) -> None:
        try:
            messages = self._channel.receive(wait=False)
        except EOFError:
            self._lost()
            return
        for message in messages:
            if "answer" in message:
                waiting = self._asked.get(message["answer"])
                if waiting is not None and not waiting.done():
                    waiting.set_result((message["status"], message["body"]))
            else:
                self._orders.put_nowait(message)

    def _lost(self) -> None:
        self._loop.remove_reader(self._channel.fileno())
        self._gone()
