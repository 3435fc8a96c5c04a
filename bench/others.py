"""The same LightGBM behind other servers: processor time of a request, ours beside theirs.

``mlflow models serve``, BentoML and LitServe run in environments of their own, on the same core,
one process that answers each. Two jobs (:mod:`bench.http_others`). In ``whole`` they do what ours
does but for the log: a raw row with words and missing values in, the same probability out, by a
scikit-learn pipeline around the same trees. In ``numbers`` their clients send the features encoded
beforehand and they call the native booster. Ours gets the raw row in both, and every answer is in
the log. Before the rounds 20 of their answers are compared with ours. Rounds take turns. The bar is
a twentieth of their processor time. A raw echo on the same uvicorn stands beside them, as what a
server in Python takes that does nothing.

    python -m bench.others [--job whole|numbers] [--rounds 5] [--seconds 3] [--only litserve]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.http import CACHE, PREDICT, middle, ratio, taking_turns
from bench.http_load import requests
from bench.http_models import chosen, lightgbm_store
from bench.http_others import (
    NUMBERS,
    PIPELINE,
    WHOLE,
    Job,
    Other,
    job_of,
    others,
    share_in,
    written,
)
from bench.http_servers import (
    ECHO,
    Served,
    answering,
    asked,
    everfit,
    free_port,
    memory_mb,
    release_of,
    running,
    shown,
    venv,
)

OURS, NOTHING, BAR = "everfit", "raw echo", 20.0
COMPARED, NEAR = 20, 1e-6  # answers that are compared with ours, and how far they may be off


@dataclass(slots=True)
class Field:
    """Servers that answer, what each is asked in turn, and what is known of the others."""

    job: Job
    stack: contextlib.ExitStack
    servers: dict[str, Served] = field(default_factory=dict)
    asks: dict[str, list[bytes]] = field(default_factory=dict)
    known: dict[str, Any] = field(default_factory=dict)
    ours: list[float] = field(default_factory=list)

    def add_ours(self, store: Path) -> None:
        """Our server, the raw echo, and our answers to the rows that are compared."""
        bodies = [json.dumps(row).encode() for row in self.job.raw]
        port = free_port()
        served = self.stack.enter_context(running(everfit(store, port), port, PREDICT))
        answering(port, PREDICT, bodies[0])
        label = next(reversed(json.loads(asked(port, PREDICT, bodies[0])[1])["probabilities"]))
        for body in bodies[:COMPARED]:
            answer = asked(port, PREDICT, body)[1]
            self.ours.append(share_in(answer, ("probabilities", label)))
        self.servers[OURS], self.asks[OURS] = served, requests(PREDICT, bodies)
        port = free_port()
        echo = running([sys.executable, "-c", ECHO, str(port)], port, "/echo")
        self.servers[NOTHING] = self.stack.enter_context(echo)
        self.asks[NOTHING] = requests("/echo", bodies)

    def add(self, name: str, other: Other, python: Path, folder: Path) -> None:
        """Another server, and how far its answers are from ours.

        Raises
        ------
        RuntimeError : it gives another probability: it would not do the same work
        """
        bodies = [json.dumps(other.wrapped(row)).encode() for row in self.job.theirs]
        served, seconds = started(self.stack, name, other, python, folder, bodies[0])
        off = 0.0
        for body, ours in zip(bodies[:COMPARED], self.ours, strict=False):
            off = max(off, abs(other.share(asked(served.port, other.path, body)[1]) - ours))
        if off > NEAR:
            raise RuntimeError(f"{name} answers otherwise than we do, by up to {off:g}")
        self.servers[name], self.asks[name] = served, requests(other.path, bodies)
        self.known[name] = {
            "release": release_of(python, name), "start_s": round(seconds, 1),
            f"furthest of {COMPARED} answers from ours": off,
        }  # fmt: skip


def started(
    stack: contextlib.ExitStack, name: str, other: Other, python: Path, folder: Path, first: bytes
) -> tuple[Served, float]:
    """Another server once it answers, and the seconds that this took."""
    (folder / "service.py").write_text(other.script)
    port = free_port()
    first_word, *rest = (word.format(port=port) for word in other.arguments)
    more = {
        "BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": str(folder), "DO_NOT_TRACK": "1",
        "MLFLOW_DISABLE_TELEMETRY": "1", "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip
    if (folder / "given.json").exists():
        (folder / "pipeline.py").write_text(PIPELINE)
        subprocess.run([str(python), "pipeline.py"], cwd=folder, check=True)
    if other.packed:
        subprocess.run([str(python), "service.py"], cwd=folder, check=True, capture_output=True)
    began = time.perf_counter()
    command = [str(python.parent / first_word), *rest]
    served = stack.enter_context(running(command, port, other.path, cwd=folder, more=more))
    answering(port, other.path, first)
    return served, time.perf_counter() - began


def measured(job: str, given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Rounds of all servers at one job."""
    learner = lightgbm_store(folder / "store")[0]
    with contextlib.ExitStack() as stack:
        all_of_them = Field(job_of(job, learner), stack)
        all_of_them.add_ours(folder / "store")
        for name, other in others(job).items():
            if given.only and name not in given.only.split(","):
                continue
            python = venv(given.cache, other.environment(name), other.packages)
            if python is not None:
                (folder / name).mkdir()
                written(folder / name, job, learner)
                all_of_them.add(name, other, python, folder / name)
        time.sleep(2.0)
        servers = all_of_them.servers
        before = os.getloadavg()[0]
        found = taking_turns(servers, all_of_them.asks, given.rounds, given.seconds)
        memory = {
            one: round(sum(memory_mb(pid)["pss_mb"] for pid in served.tree()), 1)
            for one, served in servers.items()
        }
    return {
        "load average": [round(before, 1), round(os.getloadavg()[0], 1)],
        "others": all_of_them.known, "bars": compared(found, servers),
        "memory of all processes (PSS, MB)": memory,
        "medians over rounds (us)": {one: middle(rounds) for one, rounds in found.items()},
    }  # fmt: skip


def compared(found: Mapping[str, Any], servers: Mapping[str, Served]) -> dict[str, Any]:
    """Theirs in units of ours: at one connection, and at 16 that all wait."""
    rows = {}
    for name in servers:
        if name not in (OURS, NOTHING):
            one, *quarters = ratio(found, name, OURS, "cpu")
            many, *of_many = ratio(found, name, OURS, "cpu_16")
            rows[name] = {
                "processor time at 1": one, "quarters": quarters,
                "processor time at 16": many, "quarters of that": of_many,
                "p50": ratio(found, name, OURS, "p50")[0], "reached": min(one, many) >= BAR,
                "in units of the raw echo at 1 and 16": [
                    ratio(found, name, NOTHING, what)[0] for what in ("cpu", "cpu_16")
                ],
            }  # fmt: skip
    return rows


def main() -> int:
    """Measure, print; 1 when a bar is not reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--job", choices=(WHOLE, NUMBERS), help="both when left out")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--only", default="", help="some of: " + ", ".join(others(WHOLE)))
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    report: dict[str, Any] = {"set": chosen().name}
    for job in (given.job,) if given.job else (WHOLE, NUMBERS):
        with tempfile.TemporaryDirectory() as name:
            report[job] = measured(job, given, Path(name))
        print(f"{job}:\n{shown(report[job])}", flush=True)
    if given.out is not None:
        given.out.write_text(shown(report))
    jobs = [found for found in report.values() if isinstance(found, dict)]
    return 0 if all(row["reached"] for found in jobs for row in found["bars"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
