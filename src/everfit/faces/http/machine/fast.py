"""The fast way of a single row: from the parser to the desk and back, with nothing in between.

uvicorn makes a scope, a task and two messages for each request, which costs more than the answer
to a row. Here its protocol is taken over for requests that are a small JSON body for a model that
is served, with no header that needs thought. All others are handed to uvicorn as they came.

What is used of uvicorn's protocol is not documented: it was read in release 0.54, and the tests of
this folder fail when a later one differs.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from time import perf_counter
from typing import Literal
from urllib.parse import quote

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from everfit.errors import StoreFailed, UsageError
from everfit.faces.http.errors import CLOSED, JSON, SECURE
from everfit.faces.http.guard.crowd import Crowd, too_crowded
from everfit.faces.http.machine.state import State
from everfit.faces.http.routes.failed import failed, too_slow
from everfit.faces.http.routes.request import Reply
from everfit.faces.http.telemetry.metrics import Watch
from everfit.live.desk.single import Answers

PREDICT = "/models/{model}/predict"
# headers that make a request more than a row
SPECIAL = frozenset(
    (b"origin", b"x-request-id", b"traceparent", b"transfer-encoding", b"content-encoding",
     b"x-forwarded-for", b"expect", b"upgrade")
)  # fmt: skip
PLAIN = frozenset((None, b"application/json", b"application/json; charset=utf-8"))
ACCEPTED = frozenset((None, b"*/*", b"application/json"))
END = b"\r\n\r\n"
MOST_HEADS, MOST_HEAD = 1_024, 2_048  # heads that are remembered, and bytes of one
Headers = list[tuple[bytes, bytes]]
Way = tuple[str, Watch, Answers]  # a model, where its requests are counted, what answers them
# what a connection does: a head comes, a body comes, it rests, or uvicorn has it
Stage = Literal["head", "body", "rest", "app"]


class Heads(dict[bytes, tuple[Way, int]]):
    """Heads of requests that went the fast way, with their ways and the lengths of their bodies.

    A client sends the same head again and again. Parsed once, it need not be parsed again: the
    same bytes at the same place, where nothing is left of a request before, mean the same. All
    are forgotten when models, settings or tokens change.
    """

    def learn(self, data: bytes, headers: Headers, way: Way) -> None:
        """Remember the head of ``data``, one whole request with these headers."""
        at = data.find(END) + len(END)
        length = dict(headers).get(b"content-length", b"")
        # a parser that saw the end of the head elsewhere would have counted another body
        whole = length.isdigit() and int(length) == len(data) - at
        if whole and data.startswith(b"POST ") and at <= MOST_HEAD:
            if len(self) >= MOST_HEADS:
                self.clear()
            self[data[:at]] = (way, len(data) - at)


class Fast:
    """Answers single rows; shared by all connections. ``ways`` are the paths that it answers."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.ways: dict[bytes, Way] = {}
        self.heads = Heads()
        self.crowd = Crowd(state.serving.connections_per_client)
        self._defaults: Headers = []
        self._head = b""
        self._soon, self._count = state.durable.soon, state.metrics.count
        self.renew()

    def renew(self) -> None:
        """Learn which models are served now, and how; call it after each order."""
        state = self._state
        watched = state.fsync or state.draining or any((state.access, state.rate, state.traces))
        self.ways = {} if watched else {
            f"/models/{quote(name)}/predict".encode():
            (name, state.metrics.watch(PREDICT, name), state.desk.answering(name))
            for name, one in state.desk.row_models.items()
            if one.reads is None  # a history is waited for, which nothing here may do
        }  # fmt: skip
        self.heads.clear()  # what they led to may have changed
        self.crowd.most = state.serving.connections_per_client

    def comes(self, address: str) -> bool | None:
        """Whether one more connection of an address is counted; None when it may not be."""
        if self._state.door.is_proxy(address):
            return False
        return True if self.crowd.come(address) else None

    def plain(self, sent: Headers) -> bool:
        """Whether a request is a small JSON body from somebody who may send it."""
        headers = dict(sent)
        if len(headers) != len(sent):
            return False  # some header stands there twice
        door, length = self._state.door, headers.get(b"content-length", b"00000")
        return (
            len(length) < 5
            and headers.get(b"content-type") in PLAIN
            and headers.get(b"accept") in ACCEPTED
            and door.known(headers.get(b"host"))
            and SPECIAL.isdisjoint(headers)
            and door.plain(headers.get(b"authorization"))
        )

    def answer(self, way: Way, body: bytes, began: float, defaults: Headers) -> tuple[bytes, bool]:
        """Head and body of the answer to a row, and whether the connection must end.

        Parameters
        ----------
        began : when the head of the request was there, in seconds of ``perf_counter``
        defaults : headers that uvicorn gives to every answer, such as the date
        """
        state = self._state
        model, watch, answers = way
        try:
            answer = answers(body)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must be answered
            if isinstance(error, StoreFailed):
                state.spool_told(error)
            reply = failed(error)
            state.metrics.answered(PREDICT, model, reply.status, perf_counter() - began)
            return written(reply, defaults), (b"connection", b"close") in reply.headers
        self._soon()
        if state.troubles:
            state.spool_told(None)
        if defaults is not self._defaults:
            # once a second, when the date changes
            self._defaults = defaults
            self._head = _head(200, [*defaults, (b"content-type", JSON), *SECURE])
        self._count(watch, perf_counter() - began)
        n_bytes = len(answer)
        length = LENGTHS[n_bytes] if n_bytes < len(LENGTHS) else _length(n_bytes)
        return b"".join((self._head, length, answer)), False

    def late(self, way: Way, began: float, defaults: Headers) -> bytes:
        """The answer to a row whose body does not come."""
        reply = failed(too_slow(self._state.serving.read_s))
        self._state.metrics.answered(PREDICT, way[0], reply.status, perf_counter() - began)
        return written(reply, defaults)


def protocol(fast: Fast) -> type[HttpToolsProtocol]:
    """The class of connections that go the fast way where they can."""
    return type("FastProtocol", (Connection,), {"fast": fast})


class Connection(HttpToolsProtocol):
    """One connection. ``since`` is when its stage was first seen to last, None before."""

    fast: Fast
    stage: Stage = "head"
    begun = 0  # requests that began in the bytes that are parsed now
    since: float | None = None
    _way: Way | None = None
    _last_way: Way | None = None
    _row = b""
    _began = 0.0
    _last = False
    _counted = ""  # the address among whose connections this one counts

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, unless its address has too many."""
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        counted = self.fast.comes(address)
        if counted:
            self._counted = address
        elif counted is None:
            reply = failed(too_crowded(self.fast.crowd.most), close=True)
            transport.write(written(reply, self.server_state.default_headers))
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count the connection no more."""
        super().connection_lost(exc)
        if self._counted:
            self.fast.crowd.go(self._counted)

    def data_received(self, data: bytes) -> None:
        """Answer at once what begins with a head that was seen before, let others be parsed."""
        if self.stage != "rest":
            self.parse(data)
            return
        at = data.find(END) + len(END)
        known = self.fast.heads.get(data[:at])
        if known is not None and len(data) - at == known[1] and not self.flow.write_paused:
            defaults = self.server_state.default_headers
            answer, close = self.fast.answer(known[0], data[at:], perf_counter(), defaults)
            self.transport.write(answer)
            self.since = None
            if close:
                self.transport.close()
            return
        self.begun = 0
        self.parse(data)
        if self.begun == 1 and self.stage == "rest" and self._last_way is not None:
            # all of it was one request, which went the fast way
            self.fast.heads.learn(data, self.headers, self._last_way)

    def parse(self, data: bytes) -> None:
        """Let the parser have what came."""
        super().data_received(data)

    def on_message_begin(self) -> None:
        # the scope is made only when uvicorn gets the request
        self.url = b""
        self.expect_100_continue = False
        self.headers = []
        self.begun += 1
        self.stage, self.since = "head", None

    def on_headers_complete(self) -> None:
        way = self.fast.ways.get(self.url)
        parser, cycle = self.parser, self.cycle
        if (
            way is not None
            and parser.get_method() == b"POST"
            and (cycle is None or cycle.response_complete)
            and not self.flow.write_paused
            and parser.should_keep_alive()
            and parser.get_http_version() == "1.1"
            and self.fast.plain(self.headers)
        ):
            self._way = self._last_way = way
            self._row, self._began = b"", perf_counter()
            self.stage = "body"
            return
        self.stage = "app"
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._way is None:
            super().on_body(body)
        else:
            self._row += body

    def on_message_complete(self) -> None:
        way = self._way
        if way is None:
            super().on_message_complete()
            return
        self._way = None
        defaults = self.server_state.default_headers
        answer, close = self.fast.answer(way, self._row, self._began, defaults)
        self.transport.write(answer)
        self.stage, self.since = "rest", None
        if close or self._last:
            self.transport.close()

    def shutdown(self) -> None:
        if self._way is None:
            super().shutdown()
        else:
            self._last = True  # its body is on the way and will be answered

    def send_400_response(self, msg: str) -> None:
        reply = failed(_no_http(), close=True)
        self.transport.write(written(reply, self.server_state.default_headers))
        self.transport.close()

    def let_go(self, now: float, read_s: float, rest_s: float) -> None:
        """End the connection when it has kept us waiting for too long; called now and then."""
        if self.stage == "app":
            return
        if self.since is None:
            self.since = now
        elif now - self.since > (rest_s if self.stage == "rest" else read_s):
            if self._way is not None:
                defaults = self.server_state.default_headers
                self.transport.write(self.fast.late(self._way, self._began, defaults))
                self._way = None
            self.transport.close()


def written(reply: Reply, defaults: Headers) -> bytes:
    """Head and body of any answer."""
    kind, length = (b"content-type", reply.type), (b"content-length", b"%d" % len(reply.body))
    headers = [*defaults, kind, length, *SECURE, *CLOSED, *reply.headers]
    return _head(reply.status, headers) + b"\r\n" + reply.body


def _length(n_bytes: int) -> bytes:
    return b"content-length: %d\r\n\r\n" % n_bytes


LENGTHS = tuple(map(_length, range(1_024)))  # most answers are no longer


def _head(status: int, headers: Headers) -> bytes:
    phrase = HTTPStatus(status).phrase.encode()
    lines = b"".join(b"%b: %b\r\n" % header for header in headers)
    return b"HTTP/1.1 %d %b\r\n%b" % (status, phrase, lines)


def _no_http() -> UsageError:
    return UsageError(
        "what came is no HTTP request", got="bytes that HTTP/1.1 does not have",
        expected="a request of HTTP/1.1 without TLS", do="check the address: http, not https",
    )  # fmt: skip
