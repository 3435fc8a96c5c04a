"""The same LightGBM behind other servers: processor time of a request, ours beside theirs.

``mlflow models serve``, BentoML and LitServe run in environments of their own, on the same core,
one process that answers each. Their clients send the features as numbers, encoded beforehand, and
nothing is logged; ours sends the raw row, and every answer is in the log. Rounds take turns. The
bar is a twentieth of their processor time. A raw echo on the same uvicorn stands beside them, as
what a server in Python takes that does nothing.

    python -m bench.others [--rounds 5] [--seconds 3] [--only litserve] [--cache .bench/serve]
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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.http import CACHE, PREDICT, middle, ratio, taking_turns
from bench.http_load import requests
from bench.http_models import chosen, lightgbm_store
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
BENTOML = """
import bentoml, lightgbm, numpy as np
@bentoml.service(workers=1)
class Churn:
    def __init__(self):
        self.booster = lightgbm.Booster(model_file="model.txt")
    @bentoml.api
    def predict(self, row: list[float]) -> float:
        return float(self.booster.predict(np.array([row]), num_threads=1)[0])
"""
LITSERVE = """
import sys, lightgbm, litserve, numpy as np
class Churn(litserve.LitAPI):
    def setup(self, device):
        self.booster = lightgbm.Booster(model_file="model.txt")
    def decode_request(self, request):
        return np.array([request["row"]])
    def predict(self, row):
        return self.booster.predict(row, num_threads=1)
    def encode_response(self, found):
        return {"probability": float(found[0])}
if __name__ == "__main__":
    server = litserve.LitServer(Churn(), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), num_api_servers=1, log_level="error",
               generate_client_file=False)
"""
MLFLOW = """
import lightgbm, mlflow.lightgbm
mlflow.lightgbm.save_model(lightgbm.Booster(model_file="model.txt"), "mlflow-model")
"""


@dataclass(frozen=True, slots=True)
class Other:
    """Another server: its packages, the arguments behind its environment's ``bin``, its requests.

    ``script`` is written beside the model as ``service.py``; ``name`` is the key of the row.
    """

    packages: tuple[str, ...]
    arguments: tuple[str, ...]
    path: str
    script: str
    name: str = "row"
    deep: bool = False


OTHERS = {
    "litserve": Other(
        ("litserve", "lightgbm==4.7.0", "numpy"),
        ("python", "service.py", "{port}"), "/predict", LITSERVE,
    ),
    "bentoml": Other(
        ("bentoml", "lightgbm==4.7.0", "numpy"),
        ("bentoml", "serve", "service:Churn", "--host", "127.0.0.1", "--port", "{port}"),
        "/predict", BENTOML,
    ),
    "mlflow": Other(
        ("mlflow", "lightgbm==4.7.0", "numpy"),
        ("mlflow", "models", "serve", "-m", "mlflow-model", "-h", "127.0.0.1", "-p", "{port}",
         "--env-manager", "local", "--workers", "1"),
        "/invocations", MLFLOW, "inputs", True,
    ),
}  # fmt: skip


def prepared(learner: Any) -> list[list[float]]:
    """Rows as the features that the booster wants, those without missing values."""
    matrix = learner.plan_.transform(chosen().table.take(np.arange(2_000)))
    whole: list[list[float]] = matrix[~np.isnan(matrix).any(axis=1)][:500].tolist()
    return whole


def bodies(other: Other, rows: Sequence[Sequence[float]]) -> list[bytes]:
    """Requests as the other server wants them."""
    return [json.dumps({other.name: [row] if other.deep else row}).encode() for row in rows]


def started(
    stack: contextlib.ExitStack, name: str, cache: Path, folder: Path, first: bytes
) -> tuple[Served, str, float] | None:
    """Another server once it answers, its release, and the seconds that this took; None without."""
    other = OTHERS[name]
    python = venv(cache, name, other.packages)
    if python is None:
        return None
    (folder / "service.py").write_text(other.script)
    port = free_port()
    first_word, *rest = (word.format(port=port) for word in other.arguments)
    more = {
        "BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": str(folder), "DO_NOT_TRACK": "1",
        "MLFLOW_DISABLE_TELEMETRY": "1", "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip
    if name == "mlflow":
        subprocess.run([str(python), "service.py"], cwd=folder, check=True, capture_output=True)
    began = time.perf_counter()
    command = [str(python.parent / first_word), *rest]
    served = stack.enter_context(running(command, port, other.path, cwd=folder, more=more))
    answering(port, other.path, first)
    return served, release_of(python, name), time.perf_counter() - began


def all_started(
    stack: contextlib.ExitStack, given: argparse.Namespace, folder: Path
) -> tuple[dict[str, Served], dict[str, list[bytes]], dict[str, Any]]:
    """Servers that answer, ours first; their requests; and what is known of each."""
    learner = lightgbm_store(folder / "store")[0]
    rows = prepared(learner)
    port = free_port()
    ours = stack.enter_context(running(everfit(folder / "store", port), port, PREDICT))
    answering(port, PREDICT, chosen().bodies()[0])
    servers, asks = {OURS: ours}, {OURS: requests(PREDICT, chosen().bodies())}
    port = free_port()
    echo = running([sys.executable, "-c", ECHO, str(port)], port, "/echo")
    servers[NOTHING], asks[NOTHING] = (
        stack.enter_context(echo),
        requests("/echo", chosen().bodies()),
    )
    known: dict[str, Any] = {}
    for name in given.only.split(",") if given.only else OTHERS:
        place = folder / name
        place.mkdir()
        learner.booster_.save_model(str(place / "model.txt"))
        asked_for = bodies(OTHERS[name], rows)
        found = started(stack, name, given.cache, place, asked_for[0])
        if found is not None:
            servers[name], release, seconds = found
            asks[name] = requests(OTHERS[name].path, asked_for)
            said = asked(servers[name].port, OTHERS[name].path, asked_for[0])[1].decode()[:80]
            expected = float(learner.booster_.predict(np.array(rows[:1]))[0])
            known[name] = {"release": release, "start_s": round(seconds, 1), "answer": said,
                           "expected": expected}  # fmt: skip
    return servers, asks, known


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
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--only", default="", help="some of: " + ", ".join(OTHERS))
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        servers, asks, known = all_started(stack, given, Path(name))
        time.sleep(2.0)
        found = taking_turns(servers, asks, given.rounds, given.seconds)
        memory = {
            one: round(sum(memory_mb(pid)["pss_mb"] for pid in served.tree()), 1)
            for one, served in servers.items()
        }
    report: dict[str, Any] = {
        "set": chosen().name, "load average": round(os.getloadavg()[0], 1), "others": known,
        "bars": compared(found, servers), "memory of all processes (PSS, MB)": memory,
        "medians over rounds (us)": {one: middle(rounds) for one, rounds in found.items()},
    }  # fmt: skip
    text = shown(report)
    print(text)
    if given.out is not None:
        given.out.write_text(text)
    return 0 if all(row["reached"] for row in report["bars"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
