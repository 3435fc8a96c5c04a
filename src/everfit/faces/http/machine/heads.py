"""Bounds of what comes before a body: neither httptools nor uvicorn has any.

A head without end would take all the memory within seconds, token or none. And fields that stand
behind a chunked body (trailers) would be taken for headers: a proxy that takes a user's name out of
headers and lets trailers pass would let anybody in under any name.
"""

from __future__ import annotations

from everfit.faces.http.errors import HeadTooLarge
from everfit.faces.http.machine.fast import Connection, Fast, protocol, written
from everfit.faces.http.routes.failed import failed

HEAD_BYTES = 65_536  # in all chunks but the first and the last


def bounded(fast: Fast) -> type[Connection]:
    """The class of connections that go the fast way where they can, with bounds."""
    return type("BoundedProtocol", (Bounded, protocol(fast)), {})


class Bounded(Connection):
    """A connection whose heads have an end, and whose trailers nobody reads."""

    _head_bytes = 0

    def parse(self, data: bytes) -> None:
        """Parse what came; refuse a head that goes on and on."""
        before = self.headers
        super().parse(data)
        if self.stage != "head" or self.headers is not before:
            self._head_bytes = 0
            return
        self._head_bytes += len(data)
        if self._head_bytes > HEAD_BYTES and not self.transport.is_closing():
            reply = failed(_too_large(), close=True)
            self.transport.write(written(reply, self.server_state.default_headers))
            self.transport.close()

    def on_headers_complete(self) -> None:
        """Hand the request on with the headers that it has now."""
        super().on_headers_complete()
        if self.stage == "app":
            self.headers = []  # uvicorn's scope has the list: nothing may be added to it


def _too_large() -> HeadTooLarge:
    return HeadTooLarge(
        "the head of the request is too large", got=f"more than {HEAD_BYTES:,} bytes",
        expected=f"at most {HEAD_BYTES:,} bytes of headers", do="send data in the body",
    )  # fmt: skip
