"""What a request costs a server: one row over HTTP beside bare echoes, in one run.

Servers have the first core, the load the others. Rounds of all servers take turns, so that what
else the machine does hits all of them; a ratio is the median over rounds of what stood next to
each other. Processor time is that of all processes of a server, the keeper's writing of the log
with it, until all is worked off.

1. a single LightGBM of telco_churn at one connection, every answer logged. References: a raw ASGI
   echo on the same uvicorn options, FastAPI's and Starlette's echoes of the raw body;
2. the champion that ``everfit run`` picks, and what each of its members takes;
3. a start: from the command to the first 200, and of the worker alone; memory afterwards.

Bars: p50 1.3 and p99 2 times the raw echo, processor time 0.8 of FastAPI's echo; the champion 3
times; 0.5 s and 60 MB.

    python -m bench.http [--rounds 9] [--seconds 2] [--budget 15] [--champion STORE] [--out FILE]
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import platform
import socket
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.http_load import at_once, latencies, requests, warmed
from bench.http_models import MODEL, chosen, lightgbm_store, members, run_store
from bench.http_servers import (
    CORES,
    ECHO,
    FASTAPI,
    STARLETTE,
    Served,
    answering,
    everfit,
    free_port,
    memory_mb,
    on_cores,
    running,
    shown,
    venv,
)

CACHE = Path(".bench/serve")
PREDICT = f"/models/{MODEL}/predict"
RAW, OURS, BLEND, FAST = "raw echo", "one LightGBM", "champion of a run", "FastAPI's echo"
FASTAPI_PACKAGES = ("fastapi==0.165.0", "uvicorn[standard]==0.54.0")
Round = dict[str, float]


def one_round(served: Served, asks: Sequence[bytes], seconds: float) -> Round:
    """Quantiles of the time of a request, and processor time for each, in microseconds."""
    warmed(served, asks)
    served.settle()
    before = served.cpu_s()
    taken = latencies(served, asks, seconds)
    during = served.cpu_s()
    served.settle()
    worked = served.cpu_s()
    began = time.perf_counter()
    many = at_once(served, asks, seconds)
    took = time.perf_counter() - began
    served.settle()
    p50, p99 = np.quantile(taken, [0.5, 0.99])
    return {
        "p50": float(p50), "p99": float(p99), "n": float(len(taken)),
        "cpu": 1e6 * (worked - before) / len(taken),
        "cpu_before_rest": 1e6 * (during - before) / len(taken),
        "cpu_16": 1e6 * (served.cpu_s() - worked) / many, "per_s_16": many / took,
    }  # fmt: skip


def taking_turns(
    servers: Mapping[str, Served], asks: Mapping[str, Sequence[bytes]], rounds: int, seconds: float
) -> dict[str, list[Round]]:
    """Rounds of each server; the order differs from turn to turn."""
    rng = np.random.default_rng(0)
    found: dict[str, list[Round]] = {name: [] for name in servers}
    names = list(servers)
    for turn in range(rounds):
        for at in rng.permutation(len(names)):
            name = names[at]
            found[name].append(one_round(servers[name], asks[name], seconds))
        print(f"turn {turn + 1} of {rounds}, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    return found


def ratio(
    found: Mapping[str, list[Round]], name: str, reference: str, what: str
) -> tuple[float, float, float]:
    """The median over rounds of the ratio to a reference, and its lowest and highest quarter."""
    each = [a[what] / b[what] for a, b in zip(found[name], found[reference], strict=True)]
    low, mid, high = np.quantile(each, [0.25, 0.5, 0.75])
    return round(float(mid), 2), round(float(low), 2), round(float(high), 2)


def middle(rounds: Sequence[Round]) -> dict[str, float]:
    """The median of every number over rounds."""
    return {key: round(float(np.median([r[key] for r in rounds])), 1) for key in rounds[0]}


def judged(found: Mapping[str, list[Round]]) -> list[dict[str, Any]]:
    """The bars that these rounds can judge."""
    bars = [
        (OURS, RAW, "p50", 1.3), (OURS, RAW, "p99", 2.0), (OURS, FAST, "cpu", 0.8),
        (OURS, FAST, "cpu_16", 0.8), (BLEND, RAW, "p50", 3.0),
    ]  # fmt: skip
    rows = []
    for name, reference, what, bar in bars:
        if name in found and reference in found:
            mid, low, high = ratio(found, name, reference, what)
            rows.append({
                "what": f"{name}: {what} / {reference}", "ratio": mid, "quarters": (low, high),
                "bar": bar, "reached": mid <= bar,
            })  # fmt: skip
    return rows


def first_answers(store: Path, body: bytes, times: int, pinned: bool = False) -> dict[str, Any]:
    """Seconds from the command to the first 200, and what the processes hold then."""
    taken, memory = [], {}
    for _ in range(times):
        port = free_port()
        began = time.perf_counter()
        with running(everfit(store, port), port, PREDICT, pinned=pinned) as served:
            answering(port, PREDICT, body)
            taken.append(time.perf_counter() - began)
            time.sleep(1.5)  # the keeper opens the stores behind the first answers
            memory = {"worker": memory_mb(served.worker()), "keeper": memory_mb(served.pid)}
    return {"seconds": [round(s, 3) for s in sorted(taken)], "memory": memory}


def worker_alone(store: Path, body: bytes, times: int) -> dict[str, Any]:
    """The same for a worker that is told at once what to serve, without a keeper."""
    from everfit.live import early, orders
    from everfit.live.arms import Arms

    place = store / "models" / MODEL / "v1"
    placed = orders.Placed(
        1, str(place.resolve()), hashlib.sha256((place / "manifest.json").read_bytes()).hexdigest()
    )
    taken = []
    for _ in range(times):
        with (
            tempfile.TemporaryDirectory() as folder,
            socket.create_server(("127.0.0.1", 0)) as listening,
        ):
            began = time.perf_counter()
            with on_cores(CORES):
                worker = early.start()
            channel = orders.Channel(worker.end)
            start = orders.Start(1, os.getpid(), (listening.fileno(),), str(Path(folder) / "spool"))
            channel.send(orders.begin(start), [listening.fileno()])
            channel.send(orders.serve(MODEL, 1, Arms(1), [placed]))
            channel.send(orders.go())
            answering(listening.getsockname()[1], PREDICT, body)
            taken.append(time.perf_counter() - began)
            channel.close()
            worker.close()
    return {"seconds": [round(s, 3) for s in sorted(taken)]}


def measure(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All of it."""
    single = folder / "single"
    lightgbm_store(single)
    champion = given.champion or folder / "run"
    if given.champion is None:
        run_store(champion, given.budget)
    bodies = chosen().bodies()
    python = venv(CACHE, "fastapi", FASTAPI_PACKAGES)
    ports = {name: free_port() for name in (RAW, OURS, BLEND, FAST, "Starlette's echo")}
    commands = {
        RAW: ([sys.executable, "-c", ECHO], "/echo"),
        "Starlette's echo": ([sys.executable, "-c", STARLETTE], "/echo"),
        OURS: (everfit(single, ports[OURS]), PREDICT),
        BLEND: (everfit(champion, ports[BLEND]), PREDICT),
    }
    if python is not None:
        commands[FAST] = ([str(python), "-c", FASTAPI], "/echo")
    with contextlib.ExitStack() as stack:
        servers, asks = {}, {}
        for name, (command, path) in commands.items():
            whole = command if "-m" in command else [*command, str(ports[name])]
            servers[name] = stack.enter_context(running(whole, ports[name], path))
            asks[name] = requests(path, bodies)
            answering(ports[name], path, bodies[0])
        time.sleep(2.0)
        found = taking_turns(servers, asks, given.rounds, given.seconds)
        worked = {
            name: {
                "worker": memory_mb(servers[name].worker()),
                "keeper": memory_mb(servers[name].pid),
            }
            for name in (OURS, BLEND)
        }
    return {
        "set": chosen().name, "load average": round(os.getloadavg()[0], 1),
        "python": platform.python_version(), "bars": judged(found),
        "medians over rounds (us)": {name: middle(rounds) for name, rounds in found.items()},
        "memory after the rounds": worked,
        "a row of the champion in one process (us)": members(champion, chosen().rows()),
        "start": first_answers(single, bodies[0], given.starts),
        "start on one core": first_answers(single, bodies[0], given.starts, pinned=True),
        "start of the champion's server": first_answers(champion, bodies[0], given.starts),
        "start of the worker alone": worker_alone(single, bodies[0], given.starts),
    }  # fmt: skip


def main() -> int:
    """Measure, print, and write; 1 when a bar is not reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--starts", type=int, default=7)
    parser.add_argument("--budget", type=int, default=15)
    parser.add_argument("--champion", type=Path, help="a store with a champion, instead of a run")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(given, Path(folder))
    text = shown(found)
    print(text)
    if given.out is not None:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(text)
    start, memory = found["start"]["seconds"], found["start"]["memory"]["worker"]["rss_mb"]
    small = start[len(start) // 2] <= 0.5 and memory <= 60.0
    return 0 if small and all(row["reached"] for row in found["bars"]) else 1


if __name__ == "__main__":
    sys.exit(main())
