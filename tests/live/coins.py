"""A store whose versions answer constants, so that an answer tells who gave it; and a server on it.

Version ``n`` of the model ``coin`` gives ``heads`` the probability n/100.
"""

from __future__ import annotations

import atexit
import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from everfit import wire
from everfit.evidence.interval import Interval
from everfit.house import House
from everfit.learners import make
from everfit.learners.contract import FitBudget, History
from everfit.plain import as_plain
from everfit.records import Decision, Problem, Version
from everfit.release.manifest import FORMAT, Manifest, seal
from everfit.serve import open_plan
from everfit.settings import Settings
from everfit.store import open_store
from tests.encoders.mixed import as_table, mixed_rows, target_of
from tests.serve.packed import pack

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
PROBLEM = Problem("classify", "side", "log_loss", "probabilities", ("tails", "heads"))
LABELS = ("tails", "heads")
TRACE = 1e-6  # the weight of the member that reads the row


def coin_store(
    folder: Path, numbers: Sequence[int] = (1, 2), *, model: str = "coin", url: str | None = None
) -> Path:
    """A store with these versions; the first one is the champion. With ``url`` in a database."""
    store = open_store(folder) if url is None else open_store(url, files=folder)
    try:
        run = store.begin_run(model, {"budget_s": 1.0, "seed": 0, "data_sha256": "d" * 64})
        for number in numbers:
            with store.packing(model, number) as place:
                sha256 = pack_coin(place, number, store.key(), model)
            version = Version(
                model,
                number,
                str(store.folder(model, number)),
                sha256,
                PROBLEM,
                Interval(0.4, 0.5, 0.6, n=100),
                run.id,
                "a coin",
                AT,
            )
            first = number == numbers[0]
            kind = "released" if first else "kept"
            told = Decision(model, kind, f"{kind} v{number}", at=AT)
            store.commit(
                told, version=version, aliases={"champion": number} if first else None, run=run
            )
        store.finish_run(run, "done")
    finally:
        store.close()
    return folder


def pack_coin(place: Path, number: int, key: bytes, model: str = "coin") -> str:
    """Pack a version; gives the hash of its manifest."""
    p = number / 100
    coin = {"engine": "constant", "values": [1 - p, p]}
    folder, part = _fitted()
    shutil.copytree(folder, place / "m0")
    table = as_table(mixed_rows(60))
    pack(place, table, [part, coin], labels=LABELS, weights=[TRACE, 1 - TRACE])
    scorer = open_plan(place)
    golden = [{"input": {"size": 41.0}, "expected": list(scorer.row({"size": 41.0}).probabilities)}]
    (place / "golden.json").write_text(json.dumps(golden))
    (place / "card.md").write_text(f"# {model} v{number}\n")
    manifest = Manifest(
        FORMAT,
        "0",
        model,
        f"v{number}",
        AT.isoformat(),
        as_plain(PROBLEM),
        tuple(as_plain(column) for column in scorer.columns),
        (),
        {},
        {},
    )
    return seal(place, manifest, key).sha256


@cache
def _fitted() -> tuple[Path, dict[str, Any]]:
    """A member that reads columns, fitted once: a version without any is none."""
    folder = Path(tempfile.mkdtemp(prefix="everfit-coin-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    rows = mixed_rows(60)
    history = History(as_table(rows), target_of(rows), "probabilities", 2)
    return folder, dict(make("linear", {}).fit(history, FitBudget(60.0)).save(folder))


def house_at(folder: Path, url: str | None = None) -> House:
    """The house over a store."""
    return wire.house(store=url or folder, settings=Settings(files=str(folder)))


@dataclass
class Server:
    """A running ``everfit serve``."""

    process: subprocess.Popen[str]
    url: str
    operate_url: str | None
    port: int
    log: list[dict[str, Any]] = field(default_factory=list)

    @property
    def pid(self) -> int:
        """The keeper's process."""
        return self.process.pid

    def children(self) -> list[int]:
        """Processes that the keeper started, in the order of their start."""
        found = []
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            with contextlib.suppress(OSError):
                found += [int(pid) for pid in (task / "children").read_text().split()]
        return sorted(found)

    def all_of(self, module: str) -> list[int]:
        """The processes that the keeper started of a module, in the order of their start."""
        found = []
        for pid in self.children():
            with contextlib.suppress(OSError):  # it ended while it was looked at
                if module in Path(f"/proc/{pid}/cmdline").read_text():
                    found.append(pid)
        return found

    def child(self, module: str) -> int:
        """The first process that the keeper started of a module."""
        return self.all_of(module)[0]

    def events(self, name: str) -> list[dict[str, Any]]:
        """What the keeper said of one kind of event so far."""
        return [line for line in list(self.log) if line.get("event") == name]

    def wait_for(self, name: str, seconds: float = 15.0) -> dict[str, Any]:
        """The first event of a kind, waited for."""
        assert wait(lambda: bool(self.events(name)), seconds), (name, self.log)
        return self.events(name)[0]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(30.0)


@contextlib.contextmanager
def serving(store: Path, *options: str, url: str | None = None) -> Iterator[Server]:
    """A server over a store, on ports of its own; with ``url`` the store is in a database."""
    place = url or str(store)
    command = [sys.executable, "-m", "everfit", "serve", "--json", "--store", place]
    process = subprocess.Popen(
        [*command, "--port", "0", "--operate-port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ) | {"EVERFIT_FILES": str(store)},
        cwd=store.parent,
    )
    log: list[dict[str, Any]] = []
    said: list[str] = []

    def read() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line)
            with contextlib.suppress(ValueError):
                log.append(json.loads(line))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first, "".join(said)
        told = json.loads(first)
        port = int(told["url"].rpartition(":")[2])
        yield Server(process, told["url"], told["operate_url"], port, log)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(20.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        reader.join(5.0)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


class Client:
    """One connection that is kept alive."""

    def __init__(self, port: int, token: str = "") -> None:
        self._port, self._token = port, token
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20.0)

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        """Status and JSON body of a POST."""
        return self._ask("POST", path, json.dumps(body))

    def get(self, path: str) -> tuple[int, Any]:
        """Status and JSON body of a GET."""
        return self._ask("GET", path, None)

    def heads(self, key: str | None = None) -> tuple[str, str, float]:
        """Version, arm and the probability of heads, which tells the version too."""
        status, body = self.post(
            "/models/coin/predict", {"size": 41.0} | ({"_key": key} if key else {})
        )
        assert status == 200, body
        return body["version"], body["arm"], round(body["probabilities"]["heads"], 4)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, method: str, path: str, body: str | None) -> tuple[int, Any]:
        headers = {"content-type": "application/json"}
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        data = answer.read()
        return answer.status, json.loads(data) if data else None


def wait(what: Any, seconds: float = 15.0) -> bool:
    """Whether ``what()`` became true in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if what():
            return True
        time.sleep(0.02)
    return bool(what())
