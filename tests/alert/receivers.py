"""A real HTTP server that answers as it is told, and keeps what it got; with TLS when asked."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Got:
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Receiver:
    """``answers`` are given in order, the last again and again: status, text, headers."""

    answers: list[tuple[int, str, dict[str, str]]] = field(default_factory=lambda: [(200, "", {})])
    got: list[Got] = field(default_factory=list)
    drip_s: float = 0.0
    port: int = 0

    def url(self, path: str = "/hook", scheme: str = "http", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    def next(self) -> tuple[int, str, dict[str, str]]:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def handler_of(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.got.append(Got(self.path, dict(self.headers.items()), body))
            status, text, headers = receiver.next()
            if receiver.drip_s:
                self._drip()
                return
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def _drip(self) -> None:
            # a byte now and then: no single read takes long
            try:
                for letter in b"HTTP/1.1 200 OK\r\n" + b"X" * 10_000:
                    self.wfile.write(bytes([letter]))
                    self.wfile.flush()
                    time.sleep(receiver.drip_s)
            except OSError:
                return

        def log_message(self, format: str, *args: Any) -> None:
            return

    return Handler


@contextmanager
def receiving(
    receiver: Receiver, wrap: Callable[[Any], ssl.SSLSocket] | None = None
) -> Iterator[Receiver]:
    """``receiver`` behind a real server on a free port of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(receiver))
    server.daemon_threads = True
    if wrap is not None:
        server.socket = wrap(server.socket)
    receiver.port = server.server_address[1]
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
