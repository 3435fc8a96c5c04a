"""The ASGI application of a worker: every request but the single rows that go the fast way.

The fast way (:mod:`everfit.faces.http.machine.fast`) is for what nearly every request is. What
differs from that in anything comes here, and gets the same answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import AsyncExitStack
from time import perf_counter
from typing import Any

from everfit.errors import StoreFailed
from everfit.faces.http.errors import CLOSED, SECURE, TypeUnknown
from everfit.faces.http.guard.door import Caller
from everfit.faces.http.guard.rate import too_many
from everfit.faces.http.machine.state import LARGE, State
from everfit.faces.http.routes.failed import failed, too_busy, too_large, too_slow, two_hosts
from everfit.faces.http.routes.request import Reply, Request
from everfit.faces.http.routes.table import UNKNOWN, Route, find

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
LARGE_BYTES = 1_000_000  # a body that grows beyond it takes a place among the few large ones


class App:
    """Answers requests; ``reading`` are those whose bodies are not here yet, and since when."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.reading: dict[asyncio.Task[Any], float] = {}
        self._late: set[asyncio.Task[Any]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, as ASGI 3 has it."""
        if scope["type"] != "http":
            return
        values, place = self._state.metrics.values, self._state.metrics.in_flight
        values[place] += 1.0
        try:
            await self._request(scope, dict(scope["headers"]), receive, send)
        finally:
            values[place] -= 1.0

    def give_up(self, before: float) -> None:
        """Refuse the requests that began to read before a time and have no whole body yet."""
        for task, since in list(self.reading.items()):
            if since < before and task not in self._late:
                self._late.add(task)
                task.cancel()

    async def _request(
        self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        state, route, names = self._state, UNKNOWN, dict[str, str]()
        began = perf_counter()
        caller = Caller("", (scope.get("client") or ("",))[0])
        try:
            if sum(name == b"host" for name, _ in scope["headers"]) > 1:
                raise two_hosts()
            state.door.host(headers)
            route, found = find(scope["method"], scope["path"])
            names = dict(found)
            caller = state.door.enter(headers, caller.address, route.scopes)
            self._within_rate(caller)
            query = scope["query_string"].decode("latin-1")
            async with AsyncExitStack() as held:
                read = self._reader(headers, receive, held)
                request = Request(
                    scope["method"], scope["path"], query, headers, names, caller, read
                )  # fmt: skip
                reply = await self._handled(route, request)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task not in self._late:
                raise  # the server ends
            self._late.discard(task)
            task.uncancel()
            reply = failed(too_slow(state.serving.read_s), protocol=route.protocol)
        except ConnectionError:
            reply = failed(too_slow(state.serving.read_s))  # nobody reads it; it is counted
        except Exception as error:  # noqa: BLE001 - whatever it is, it must be answered
            if isinstance(error, StoreFailed):
                state.spool_told(error)
            reply = failed(error, protocol=route.protocol)
        await _send(send, reply, _echoed(headers))
        seconds = perf_counter() - began
        known = names.get("model", "") if names.get("model") in state.desk.models() else ""
        state.metrics.answered(route.path, known, reply.status, seconds)
        if state.access is not None:
            state.access.line(scope, headers, caller, reply.status, len(reply.body), seconds)

    async def _handled(self, route: Route, request: Request) -> Reply:
        state = self._state
        if state.traces is None:
            return await route.handler(state, request)
        names, headers = request.names, request.headers
        with state.traces.span(route.method, route.path, names, headers) as span:
            reply = await route.handler(state, request)
            span(reply.status)
            return reply

    def _within_rate(self, caller: Caller) -> None:
        rate = self._state.rate
        if rate is not None and (wait_s := rate.wait_s((caller.address, caller.name))):
            raise too_many(wait_s, self._state.serving.rate_per_s)

    def _reader(
        self, headers: Mapping[bytes, bytes], receive: Receive, held: AsyncExitStack
    ) -> Callable[[], Awaitable[bytes]]:
        """What reads the body, no more of it than the limit.

        A large one has its place until ``held`` ends: many at once must not take all the memory.
        The place is taken when the bytes are there, so that slow clients keep it from nobody.
        """
        limit = self._state.serving.limits.body_bytes

        async def read() -> bytes:
            length = headers.get(b"content-length", b"0")
            if not length.isdigit() or len(length) > 18 or int(length) > limit:
                raise too_large(length.decode("latin-1")[:18], limit)
            coding = headers.get(b"content-encoding", b"identity")
            if coding != b"identity":
                raise _encoded(coding)
            parts, size, placed = list[bytes](), 0, False
            task = asyncio.current_task()
            self.reading[task] = perf_counter()  # type: ignore[index]
            try:
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ConnectionError("the client has gone")
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    if size > limit:
                        raise too_large(f"more than {limit}", limit)
                    if size > LARGE_BYTES and not placed:
                        del self.reading[task]  # type: ignore[arg-type]
                        await self._place(held)
                        self.reading[task], placed = perf_counter(), True  # type: ignore[index]
                    if not message.get("more_body"):
                        return b"".join(parts)
            finally:
                self.reading.pop(task, None)  # type: ignore[arg-type]

        return read

    async def _place(self, held: AsyncExitStack) -> None:
        """Wait for a place among the large bodies."""
        try:
            async with asyncio.timeout(self._state.serving.read_s):
                await held.enter_async_context(self._state.large)
        except TimeoutError:
            raise too_busy(LARGE) from None


async def _send(send: Send, reply: Reply, more: tuple[tuple[bytes, bytes], ...]) -> None:
    length = (b"content-length", b"%d" % len(reply.body))
    headers = [(b"content-type", reply.type), length, *SECURE, *CLOSED, *reply.headers, *more]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


def _echoed(headers: Mapping[bytes, bytes]) -> tuple[tuple[bytes, bytes], ...]:
    """Names that the client gave its request, so that it finds the answer in its own records."""
    return tuple(
        (name, headers[name][:200]) for name in (b"x-request-id", b"traceparent") if name in headers
    )


def _encoded(coding: bytes) -> TypeUnknown:
    return TypeUnknown(
        "the body has an encoding that cannot be read", got=coding.decode("latin-1")[:40],
        expected="no Content-Encoding", do="send the body as it is",
    )  # fmt: skip
