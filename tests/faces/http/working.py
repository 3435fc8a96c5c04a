"""A worker that really runs, and a keeper of a few lines that tells it what to do."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from everfit.live import orders
from everfit.live.arms import Arms
from everfit.store.log.frames import Outcomes, Predictions, split
from everfit.store.log.spool import read_segment
from tests.live.coins import pack_coin

KEY = b"k" * 32
JSON = {"content-type": "application/json"}


def packed(folder: Path, number: int, model: str = "coin") -> orders.Placed:
    """Version ``n``, which gives heads the probability n/100; packed once a folder."""
    place = folder / model / f"v{number}"
    if not place.exists():
        place.mkdir(parents=True)
        pack_coin(place, number, KEY, model)
    import hashlib

    sha256 = hashlib.sha256((place / "manifest.json").read_bytes()).hexdigest()
    return orders.Placed(number, str(place), sha256)


class Keeper:
    """Starts one worker and talks to it; ``answers`` are what it says when the worker asks."""

    def __init__(
        self, folder: Path, *, durability: str = "os", options: tuple[str, ...] = (),
        **serving: Any,
    ) -> None:  # fmt: skip
        self.folder, self.spool = folder, folder / "spool"
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.channel, theirs = orders.Channel.pair()
        self.process = subprocess.Popen(
            [sys.executable, *options, "-m", "everfit.faces.http.worker", str(theirs.fileno())],
            pass_fds=(theirs.fileno(), self.listening.fileno()), stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        theirs.close()
        self.said: list[Mapping[str, Any]] = []
        self.asked: list[Mapping[str, Any]] = []
        self.errors: list[str] = []
        self.answers: dict[str, Callable[[Mapping[str, Any]], tuple[int, Any]]] = {}
        self._heard = threading.Condition()
        start = orders.Start(
            1, os.getpid(), (self.listening.fileno(),), str(self.spool), durability, 5.0, serving
        )
        self.channel.send(orders.begin(start))
        self._threads = [
            threading.Thread(target=self._hear, daemon=True),
            threading.Thread(target=self._read, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def _hear(self) -> None:
        with contextlib.suppress(EOFError):
            while True:
                for message in self.channel.receive():
                    self._take(message)

    def _take(self, message: Mapping[str, Any]) -> None:
        with self._heard:
            if "ask" in message:
                self.asked.append(message)
                answer = self.answers.get(message["call"])
                if answer is not None:
                    self.channel.send(orders.answer(message["ask"], *answer(message["args"])))
            else:
                self.said.append(message)
            self._heard.notify_all()

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.errors.extend(self.process.stderr)

    def wait_for(self, **fields: Any) -> Mapping[str, Any]:
        """What the worker said with these fields, waited for."""

        def found() -> list[Mapping[str, Any]]:
            return [m for m in self.said if all(m.get(k) == v for k, v in fields.items())]

        with self._heard:
            assert self._heard.wait_for(found, 20.0), (fields, self.said, self.errors)
            return found()[-1]

    def serve(self, model: str, rev: int, arms: Arms, *placed: orders.Placed) -> Mapping[str, Any]:
        """Order a model to be served; the worker's reply."""
        self.channel.send(orders.serve(model, rev, arms, placed))
        return self.wait_for(model=model, rev=rev)

    def go(self) -> None:
        """Let the worker answer requests."""
        self.channel.send({"do": "go"})
        self.wait_for(did="ready")

    def client(self, **options: Any) -> httpx.Client:
        """A client of the worker."""
        return httpx.Client(base_url=self.url, timeout=20.0, **options)

    def frames(self) -> list[Predictions | Outcomes]:
        """What stands in the spool, in order."""
        segments = sorted(self.spool.glob("*.spool"))
        return [split(frame) for path in segments for _, frame in read_segment(path, 0)]

    def close(self) -> int:
        """End the worker as the system would; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(15.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.channel.close()
        for thread in self._threads:
            thread.join(5.0)
        self.listening.close()
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code


@contextlib.contextmanager
def working(
    folder: Path, *numbers: int, arms: Arms | None = None, durability: str = "os", **serving: Any
) -> Iterator[Keeper]:
    """A worker that serves versions of ``coin``; the first is the champion."""
    keeper = Keeper(folder, durability=durability, **serving)
    try:
        numbers = numbers or (1,)
        placed = [packed(folder, number) for number in numbers]
        reply = keeper.serve("coin", 1, arms or Arms(numbers[0]), *placed)
        assert reply["did"] == "serving", reply
        keeper.go()
        yield keeper
    finally:
        keeper.close()


def raw(port: int, data: bytes, *, pause_s: float = 0.0, rest: bytes = b"") -> bytes:
    """What a server answers to bytes that no client would send, until it closes or is silent."""
    with socket.create_connection(("127.0.0.1", port), timeout=10.0) as end:
        end.sendall(data)
        if rest:
            time.sleep(pause_s)
            end.sendall(rest)
        got = b""
        while b"\r\n\r\n" not in got or len(got.partition(b"\r\n\r\n")[2]) < _length(got):
            more = end.recv(65_536)
            if not more:
                break
            got += more
        return got


def _length(got: bytes) -> int:
    for line in got.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return int(line.split(b":")[1])
    return 1 << 30


def wait(what: Callable[[], Any], seconds: float = 10.0) -> bool:
    """Whether ``what()`` became true in time."""
    until = time.monotonic() + seconds
    while not what():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True
