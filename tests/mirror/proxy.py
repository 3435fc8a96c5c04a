"""A door before a real server, that can be shut, held, or slammed after the request went in."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

Way = Literal["pass", "cut", "error", "nonsense", "hold", "late", "client_error"]
HOP = {"connection", "transfer-encoding", "keep-alive", "content-length", "server", "date"}


class Proxy:
    """HTTP on a loopback port, forwarded to ``port``.

    ``way`` is asked for the number of each request, from 1: *pass*; *cut* forwards the request and
    drops the answer; *error* answers 500 in place of the server, *client_error* 400 as MLflow
    would; *nonsense* answers 200 with a page; *hold* never answers; *late* answers after
    ``let_through``.
    """

    def __init__(self, port: int) -> None:
        self.target = port
        self.way: Callable[[int], Way] = lambda number: "pass"
        self.requests: list[str] = []
        self.let_through = threading.Event()
        self._released = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        """Listen; before this, connections are refused."""
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                proxy._handle(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._released.clear()
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def shut(self) -> None:
        """Refuse connections from now on."""
        self._released.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _handle(self, request: BaseHTTPRequestHandler) -> None:
        body = _body(request)
        self.requests.append(f"{request.command} {request.path.partition('?')[0]}")
        way = self.way(len(self.requests))
        if way == "hold":
            self._released.wait()
        if way in ("hold", "cut"):
            if way == "cut":
                self._forward(request, body)
            request.close_connection = True
            request.connection.shutdown(socket.SHUT_RDWR)
            return
        if way == "late":
            self.let_through.wait()
        if way in ("pass", "late"):
            status, headers, answer = self._forward(request, body)
        else:
            page = b"<html>Bad day</html>"
            said = b'{"error_code": "INVALID_PARAMETER_VALUE", "message": "not like this"}'
            status, answer = {
                "error": (500, page),
                "nonsense": (200, page),
                "client_error": (400, said),
            }[way]
            headers = [("Content-Type", "text/html")]
        request.send_response(status)
        for name, value in headers:
            if name.lower() not in HOP:
                request.send_header(name, value)
        request.send_header("Content-Length", str(len(answer)))
        request.end_headers()
        request.wfile.write(answer)

    def _forward(
        self, request: BaseHTTPRequestHandler, body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        onward = http.client.HTTPConnection("127.0.0.1", self.target, timeout=30)
        try:
            headers = {n: v for n, v in request.headers.items() if n.lower() not in HOP}
            onward.request(request.command, request.path, body, headers)
            answer = onward.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            onward.close()


def _body(request: BaseHTTPRequestHandler) -> bytes:
    if request.headers.get("Transfer-Encoding", "").lower() == "chunked":
        parts = []
        while size := int(request.rfile.readline().strip() or b"0", 16):
            parts.append(request.rfile.read(size))
            request.rfile.readline()
        request.rfile.readline()
        return b"".join(parts)
    return request.rfile.read(int(request.headers.get("Content-Length") or 0))
