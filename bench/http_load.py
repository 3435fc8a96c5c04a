"""A load of one row after the other at one connection, every one of them timed."""

from __future__ import annotations

import gc
import socket
import time
from collections.abc import Sequence

import numpy as np

from bench.http_servers import Served, connected
from everfit.records import Array

WARM_S, CONNECTIONS = 0.3, 16
END = b"\r\n\r\n"
LENGTH = b"content-length: "


def requests(path: str, bodies: Sequence[bytes]) -> list[bytes]:
    """Whole HTTP requests with these bodies."""
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    return [head.encode() + LENGTH + b"%d" % len(body) + END + body for body in bodies]


class Connection:
    """One connection that is kept alive, with no more Python than it takes."""

    def __init__(self, port: int) -> None:
        self._socket = connected(port)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request: bytes) -> tuple[int, bytes]:
        """Status and body of the answer.

        Raises
        ------
        ConnectionError : the connection ended before the answer was whole
        """
        self.send(request)
        return self.answer()

    def send(self, request: bytes) -> None:
        """Send a request; its answer must be taken before the next."""
        self._socket.sendall(request)

    def answer(self) -> tuple[int, bytes]:
        """Status and body of the answer to what was sent."""
        data = self._more()
        while (at := data.find(END)) < 0:
            data += self._more()
        head = data[:at].lower()
        start = head.index(LENGTH) + len(LENGTH)
        size = int(head[start:].partition(b"\r\n")[0])
        while len(data) < at + len(END) + size:
            data += self._more()
        return int(head[9:12]), data[at + len(END) :]

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def _more(self) -> bytes:
        data = self._socket.recv(1 << 16)
        if not data:
            raise ConnectionError("the server has gone")
        return data


def latencies(served: Served, asks: Sequence[bytes], seconds: float) -> Array:
    """Microseconds of every request in ``seconds`` at one connection.

    Raises
    ------
    RuntimeError : an answer that is no 200
    """
    connection = Connection(served.port)
    taken = []
    gc.disable()
    try:
        at, until = 0, time.perf_counter() + seconds
        while (sent := time.perf_counter()) < until:
            status, body = connection.ask(asks[at % len(asks)])
            taken.append(time.perf_counter() - sent)
            at += 1
            if status != 200:
                raise RuntimeError(f"{served.path}: {status} {body[:500]!r}")
    finally:
        gc.enable()
        connection.close()
    return 1e6 * np.array(taken)


def at_once(served: Served, asks: Sequence[bytes], seconds: float) -> int:
    """How many requests were answered in ``seconds`` at several connections that all wait.

    The server has always something to do, as under a load that it can just bear.
    """
    connections = [Connection(served.port) for _ in range(CONNECTIONS)]
    done, until = 0, time.perf_counter() + seconds
    for at, connection in enumerate(connections):
        connection.send(asks[at])
    while time.perf_counter() < until:
        for connection in connections:
            status, body = connection.answer()
            if status != 200:
                raise RuntimeError(f"{served.path}: {status} {body[:500]!r}")
            done += 1
            connection.send(asks[done % len(asks)])
    for connection in connections:
        connection.answer()
        connection.close()
    return done + CONNECTIONS


def warmed(served: Served, asks: Sequence[bytes]) -> None:
    """Let caches and branches learn the way."""
    latencies(served, asks, WARM_S)
