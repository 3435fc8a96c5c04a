"""The fast way of a single row: from the parser to the desk and back, with nothing in between.

uvicorn makes a scope, a task and two messages for each request, which costs more than the answer
to a row. Here its protocol is taken over for requests that are a small JSON body for a model that
is served, with no header that needs thought. All others are handed to uvicorn as they came.

What is used of uvicorn's protocol is not documented: it was read in release 0.54, and the tests of
this folder fail when a later one differs.
"""

from __future__ import annotations

from http import HTTPStatus
from time import perf_counter
from typing import Literal
from urllib.parse import quote

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from everfit.errors import StoreFailed, UsageError
from everfit.faces.http.errors import CLOSED, JSON, SECURE
from everfit.faces.http.machine.state import State
from everfit.faces.http.routes.failed import failed, too_slow
from everfit.faces.http.routes.request import Reply
from everfit.faces.http.telemetry.metrics import Watch

PREDICT = "/models/{model}/predict"
# headers that make a request more than a row
SPECIAL = frozenset(
    (b"origin", b"x-request-id", b"traceparent", b"transfer-encoding", b"content-encoding",
     b"x-forwarded-for", b"expect", b"upgrade")
)  # fmt: skip
PLAIN = frozenset((None, b"application/json", b"application/json; charset=utf-8"))
ACCEPTED = frozenset((None, b"*/*", b"application/json"))
Headers = list[tuple[bytes, bytes]]
Way = tuple[str, Watch]  # a model, and where its requests are counted
# what a connection does: a head comes, a body comes, it rests, or uvicorn has it
Stage = Literal["head", "body", "rest", "app"]


class Fast:
    """Answers single rows; shared by all connections. ``ways`` are the paths that it answers."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.ways: dict[bytes, Way] = {}
        self._defaults: Headers = []
        self._head = b""
        self.renew()

    def renew(self) -> None:
        """Learn which models are served now, and how; call it after each order."""
        state = self._state
        watched = state.fsync or state.draining or any((state.access, state.rate, state.traces))
        self.ways = {} if watched else {
            f"/models/{quote(name)}/predict".encode(): (name, state.metrics.watch(PREDICT, name))
            for name, one in state.desk.models().items()
            if one.reads is None  # a history is waited for, which nothing here may do
        }  # fmt: skip

    def plain(self, sent: Headers) -> bool:
        """Whether a request is a small JSON body from somebody who may send it."""
        headers = dict(sent)
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
        model, watch = way
        try:
            answer = state.desk.predict(model, body)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must be answered
            if isinstance(error, StoreFailed):
                state.spool_told(error)
            reply = failed(error)
            state.metrics.answered(PREDICT, model, reply.status, perf_counter() - began)
            return written(reply, defaults), (b"connection", b"close") in reply.headers
        state.durable.soon()
        if state.troubles:
            state.spool_told(None)
        if defaults is not self._defaults:
            # once a second, when the date changes
            self._defaults = defaults
            self._head = _head(200, [*defaults, (b"content-type", JSON), *SECURE])
        state.metrics.count(watch, perf_counter() - began)
        return b"%bcontent-length: %d\r\n\r\n%b" % (self._head, len(answer), answer), False

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
    since: float | None = None
    _way: Way | None = None
    _row = b""
    _began = 0.0
    _last = False

    def on_message_begin(self) -> None:
        # the scope is made only when uvicorn gets the request
        self.url = b""
        self.expect_100_continue = False
        self.headers = []
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
            self._way, self._row, self._began = way, b"", perf_counter()
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


def _head(status: int, headers: Headers) -> bytes:
    phrase = HTTPStatus(status).phrase.encode()
    lines = b"".join(b"%b: %b\r\n" % header for header in headers)
    return b"HTTP/1.1 %d %b\r\n%b" % (status, phrase, lines)


def _no_http() -> UsageError:
    return UsageError(
        "what came is no HTTP request", got="bytes that HTTP/1.1 does not have",
        expected="a request of HTTP/1.1 without TLS", do="check the address: http, not https",
    )  # fmt: skip
