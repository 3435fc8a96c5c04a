"""What a server loses: champions swapped and processes killed under load.

``swap``: four clients ask while the champion changes again and again. No request may fail, every
answer must be the one of the version that it names, to the last bit, and that version must have
been the champion not longer than a second before the request was sent.

``kill``: clients predict and tell outcomes while the server is killed with ``kill -9``: in turn all
of its processes, the keeper alone, and the worker alone. Afterwards every acknowledged prediction
and outcome must be in the log, each once; the server must answer again within 2 s.

    python -m bench.faults [swap] [kill] [--times 20] [--swaps 20]
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.http import PREDICT
from bench.http_models import MODEL, chosen, lightgbm_store
from bench.http_servers import Served, answering, command_of, everfit, free_port, shown
from everfit import wire
from everfit.serve import Scorer, open_plan
from everfit.settings import Settings
from everfit.store.log import Log

CLIENTS, ROUNDS = 4, (40, 60, 80)
SWAP_BAR_S, RESTART_BAR_S = 1.0, 2.0
OUTCOMES = f"/models/{MODEL}/outcomes"
KINDS = ("all processes", "keeper", "worker")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that a client got whole: when it was asked for and there, and what it said."""

    sent: float
    received: float
    row: int
    version: str
    shares: tuple[float, ...]


@dataclass
class Clients:
    """Threads that ask one after the other on connections that are kept; those that break are new.

    ``acknowledged`` are ids of predictions, ``told`` those whose outcome was acknowledged too.
    """

    port: int
    outcomes: bool
    answers: list[Answer] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    told: dict[str, str] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """The load, for as long as this is open."""
        threads = [threading.Thread(target=self._ask, args=(n,)) for n in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(40.0)

    def _ask(self, number: int) -> None:
        bodies = chosen().bodies()
        at, connection = number, self._connection()
        while not self._stop.is_set():
            row = at % len(bodies)
            at += CLIENTS
            try:
                sent = time.monotonic()
                found = self._post(connection, PREDICT, bodies[row])
                shares = tuple(found["probabilities"].values())
                said = Answer(sent, time.monotonic(), row, found["version"], shares)
                self.answers.append(said)
                self.acknowledged.append(found["id"])
                if self.outcomes:
                    value = "yes" if row % 2 else "no"
                    body = json.dumps({"id": found["id"], "outcome": value}).encode()
                    self._post(connection, OUTCOMES, body)
                    self.told[found["id"]] = value
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.failed.append(repr(error))
                connection.close()
                time.sleep(0.01)
                connection = self._connection()
        connection.close()

    def _post(self, connection: http.client.HTTPConnection, path: str, body: bytes) -> Any:
        connection.request("POST", path, body, {"content-type": "application/json"})
        answer = connection.getresponse()
        data = answer.read()
        if answer.status != 200:
            raise ValueError(f"{answer.status} {data[:200]!r}")
        return json.loads(data)

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20.0)


def begun(store: Path, port: int, *options: str) -> subprocess.Popen[bytes]:
    """A server in a process group of its own."""
    return subprocess.Popen(
        [*everfit(store, port), *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip


def swaps(folder: Path, times: int) -> dict[str, Any]:
    """Change the champion ``times`` times under load, with two workers."""
    store, port, rng = folder / "store", free_port(), np.random.default_rng(0)
    lightgbm_store(store, ROUNDS)
    server = begun(store, port, "--workers", "2")
    reigns: list[tuple[str, float, float]] = []  # a version, begun at the earliest and the latest
    clients = Clients(port, outcomes=False)
    try:
        answering(port, PREDICT, chosen().bodies()[0])
        with wire.house(store, settings=Settings()) as house, clients.at_work():
            version = house.version(MODEL).name
            reigns.append((version, 0.0, 0.0))
            time.sleep(1.0)
            for _ in range(times):
                others = [f"v{n}" for n in range(1, len(ROUNDS) + 1) if f"v{n}" != version]
                version = str(rng.choice(others))
                before = time.monotonic()
                house.promote(MODEL, version)
                reigns.append((version, before, time.monotonic()))
                time.sleep(float(rng.uniform(0.3, 1.5)))
            time.sleep(1.0)
    finally:
        server.terminate()
        server.wait(30.0)
    scorers = {f"v{n}": open_plan(store / "models" / MODEL / f"v{n}") for n in (1, 2, 3)}
    return {"swaps": times, "clean end": server.returncode == 0} | judged(clients, reigns, scorers)


def judged(
    clients: Clients, reigns: list[tuple[str, float, float]], scorers: dict[str, Scorer]
) -> dict[str, Any]:
    """How many answers are wrong, and how long after a swap the version before still answered."""
    rows = chosen().rows()
    expected = {
        name: [tuple(scorer.row(row).probabilities or ()) for row in rows]
        for name, scorer in scorers.items()
    }
    late = [lateness(answer, reigns) for answer in clients.answers]
    wrong = [a for a in clients.answers if a.shares != expected[a.version][a.row]]
    after = [s for s in late if s > 0.0]
    return {
        "requests": len(clients.answers), "failed": len(clients.failed),
        "failures": clients.failed[:3], "answers of another version than named": len(wrong),
        "versions seen": sorted({a.version for a in clients.answers}),
        "sent when the version named was no champion any more": len(after),
        "a swap took until the version before answered no more (s)": {
            "median": round(float(np.median(took(clients.answers, reigns))), 3),
            "longest": round(max(took(clients.answers, reigns)), 3),
        },
        "of a version that was no champion within the second before": sum(
            s > SWAP_BAR_S for s in late
        ),
    }  # fmt: skip


def took(answers: list[Answer], reigns: list[tuple[str, float, float]]) -> list[float]:
    """Seconds from each swap to the last request that the version before it answered."""
    found = []
    for (old, *_), (_, _, swapped), after in zip(
        reigns, reigns[1:], ends_of(reigns)[1:], strict=False
    ):
        late = [a.sent - swapped for a in answers if a.version == old and swapped < a.sent < after]
        found.append(max(late, default=0.0))
    return found


def ends_of(reigns: list[tuple[str, float, float]]) -> list[float]:
    """When each reign ended at the latest."""
    return [latest for _, _, latest in reigns[1:]] + [float("inf")]


def lateness(answer: Answer, reigns: list[tuple[str, float, float]]) -> float:
    """Seconds from the end of the last reign of the version named to the request; 0 within it."""
    found = [
        max(0.0, answer.sent - end)
        for (version, earliest, _), end in zip(reigns, ends_of(reigns), strict=True)
        if version == answer.version and earliest <= answer.received
    ]
    return min(found, default=float("inf"))


def kills(folder: Path, times: int) -> dict[str, Any]:
    """Kill the server ``times`` times under load and look for what was acknowledged."""
    store, port, rng = folder / "store", free_port(), np.random.default_rng(1)
    lightgbm_store(store, ROUNDS[:1])
    first = chosen().bodies()[0]
    server = begun(store, port)
    back: dict[str, list[float]] = {kind: [] for kind in KINDS}
    extra = [asked_first(port, first)]
    clients = Clients(port, outcomes=True)
    try:
        with clients.at_work():
            for number in range(times):
                time.sleep(float(rng.uniform(0.3, 1.5)))
                kind = KINDS[number % len(KINDS)]
                began = time.monotonic()
                server = killed(server, kind, lambda: begun(store, port))
                extra.append(asked_first(port, first))
                back[kind].append(round(time.monotonic() - began, 3))
            time.sleep(0.5)
    finally:
        server.terminate()
        server.wait(60.0)
    return {"kills": times, "clean end": server.returncode == 0} | found_again(
        store, clients, extra
    ) | {
        "seconds from the kill to the first 200": back,
        "longest": max(max(seconds, default=0.0) for seconds in back.values()),
    }  # fmt: skip


def asked_first(port: int, body: bytes) -> float:
    """Wait for the first 200; those answers are in the log too."""
    return answering(port, PREDICT, body)


def killed(
    server: subprocess.Popen[bytes], kind: str, again: Callable[[], subprocess.Popen[bytes]]
) -> subprocess.Popen[bytes]:
    """Kill what ``kind`` says, and start the server again unless its keeper does so."""
    if kind == "worker":
        tree = Served(server.pid, 0, "").tree()
        os.kill(next(pid for pid in tree if "http.worker" in command_of(pid)), signal.SIGKILL)
        return server
    if kind == "keeper":
        server.kill()
    else:
        for pid in reversed(Served(server.pid, 0, "").tree()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    server.wait()
    return again()


def found_again(store: Path, clients: Clients, extra: list[float]) -> dict[str, Any]:
    """What of all that was acknowledged is in the log."""
    with contextlib.closing(Log.open(store, create=False)) as log:
        rows = [
            row
            for frame in log.joined(MODEL, columns=["id", "outcome"])
            for row in frame.select("id", "outcome").iter_rows()
        ]
    joined = dict(rows)
    lost = [name for name in clients.acknowledged if name not in joined]
    untold = [name for name, value in clients.told.items() if joined.get(name) != value]
    return {
        "predictions acknowledged": len(clients.acknowledged), "of them not in the log": len(lost),
        "outcomes acknowledged": len(clients.told), "of them not joined": len(untold),
        "in the log twice": len(rows) - len(joined),
        "in the log, never acknowledged": len(joined) - len(clients.acknowledged) - len(extra),
        "requests that failed": len(clients.failed), "such as": sorted(set(clients.failed))[:4],
    }  # fmt: skip


def main() -> int:
    """Do what is asked, print; 1 when anything was lost, wrong or late."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", help="swap, kill; both when left out")
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--swaps", type=int, default=20)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    found: dict[str, Any] = {}
    good = True
    with tempfile.TemporaryDirectory() as name:
        for what in given.what or ("swap", "kill"):
            place = Path(name) / what
            place.mkdir()
            if what == "swap":
                swap = found[what] = swaps(place, given.swaps)
                good &= not swap["failed"] and not swap["answers of another version than named"]
                good &= not swap["of a version that was no champion within the second before"]
            else:
                kill = found[what] = kills(place, given.times)
                good &= not kill["of them not in the log"] and not kill["of them not joined"]
                good &= not kill["in the log twice"] and kill["longest"] <= RESTART_BAR_S
    found["load average"] = round(os.getloadavg()[0], 1)
    print(shown(found))
    if given.out is not None:
        given.out.write_text(shown(found))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
