"""``everfit up`` for real: a server and its loop over windows of seconds, asked by HTTP.

Nothing is made up: a model from a run, requests and outcomes over a socket, clocks as they are. It
takes two minutes, because the loop gives the record a minute before it closes a window.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from sklearn.datasets import load_breast_cancer

from tests.executors.test_local import alive
from tests.real import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
]
WAIT_S = 300.0
COLUMNS = ("mean_radius", "mean_texture", "mean_concavity", "worst_perimeter")
SETTINGS = """
[policy]
window = "10s"
label_delay = "2s"
rollback_window = "4m"
trial = "4m"
least_rows = 100
retrain_budget = "10s"
acts = ["retrain", "roll_back"]
"""


def rows() -> list[dict[str, Any]]:
    """Tumours of 569 patients, as they come."""
    found = load_breast_cancer(as_frame=True)
    names = {name.replace("_", " "): name for name in COLUMNS}
    frame = pl.from_pandas(found.frame).select([*names, "target"]).rename(names)
    told = pl.when(pl.col("target") == 1).then(pl.lit("benign")).otherwise(pl.lit("malignant"))
    return frame.with_columns(told.alias("kind")).drop("target").to_dicts()


class Client:
    """Asks 50 rows a second and tells their outcomes, right or turned round, until it is closed."""

    def __init__(self, url: str, asked: list[dict[str, Any]]) -> None:
        self.url, self.rows, self.wrong = url, asked, False
        self.asked, self.failed, self.answered = 0, [], set[str]()
        self._stop = threading.Event()
        self._random = random.Random(0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.2):
            drawn = self._random.choices(self.rows, k=10)
            keys = [f"patient-{self.asked + n}" for n in range(10)]
            asks = [
                {name: row[name] * self._random.uniform(0.99, 1.01) for name in COLUMNS}
                | {"_key": key}
                for row, key in zip(drawn, keys, strict=True)
            ]
            kinds = [row["kind"] for row in drawn]
            other = {"benign": "malignant", "malignant": "benign"}
            true = [other[kind] if self.wrong else kind for kind in kinds]
            try:
                answers = self._post("predict", asks)["predictions"]
                self.answered |= {one["version"] for one in answers}
                self.asked += len(answers)
                told = [{"key": k, "outcome": t} for k, t in zip(keys, true, strict=True)]
                self._post("outcomes", told)
            except OSError as error:
                self.failed.append(str(error))

    def _post(self, what: str, body: Any) -> Any:
        request = urllib.request.Request(
            f"{self.url}/models/tumour/{what}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30.0) as answer:
            return json.load(answer)


class Up:
    """``everfit up`` in a folder, and what it said."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.said = folder, list[dict[str, Any]]()
        self.process = subprocess.Popen(
            [*everfit("--json", "up", "--every", "1s", "--port", "0", "--operate-port", "0")],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder, env=environ(),
        )  # fmt: skip
        assert self.process.stdout is not None
        self.url = json.loads(self.process.stdout.readline())["url"]
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with contextlib.suppress(ValueError):
                self.said.append(json.loads(line))

    def events(self, name: str) -> list[dict[str, Any]]:
        return [one for one in list(self.said) if one.get("event") == name]

    def steps(self, kind: str) -> list[str]:
        """Keys of the steps of a kind that turns did so far."""
        every = [step for turn in self.events("turn") for step in turn["steps"]]
        return [step.partition(" ")[2] for step in every if step.startswith(f"{kind} ")]

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=30.0) as answer:
            return str(answer.read(), "utf-8")

    def family(self) -> list[int]:
        """All processes below this one."""
        found, parents = [], [self.process.pid]
        while parents:
            parent = parents.pop()
            for task in Path(f"/proc/{parent}/task").glob("*/children"):
                with contextlib.suppress(OSError):
                    parents += [int(pid) for pid in task.read_text().split()]
            found.append(parent)
        return found[1:]


def everfit(*words: str) -> list[str]:
    return [sys.executable, "-m", "everfit", *words]


def environ() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT / "src")}


def said(folder: Path, *words: str) -> tuple[int, dict[str, Any]]:
    """The exit code of a command, and its JSON."""
    done = subprocess.run(
        everfit("--json", *words), cwd=folder, env=environ(), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout or done.stderr)


def until(happened: Callable[[], object]) -> bool:
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        if happened():
            return True
        time.sleep(0.5)
    return False


@pytest.fixture
def lived(tmp_path: Path) -> Iterator[tuple[Up, Client]]:
    """A model of half the patients, served and looked after; the other half asks."""
    known = rows()
    random.Random(1).shuffle(known)
    pl.DataFrame(known[:300]).write_csv(tmp_path / "tumour.csv")
    (tmp_path / "everfit.toml").write_text(SETTINGS)
    code, _ = said(tmp_path, "run", "tumour.csv", "--target", "kind", "--budget", "10s")
    assert code == 0
    up = Up(tmp_path)
    client = Client(up.url, known[300:])
    try:
        yield up, client
    finally:
        client.close()
        if up.process.poll() is None:
            up.process.kill()
        up.process.wait()
        for pipe in (up.process.stdout, up.process.stderr):
            if pipe is not None:
                pipe.close()


def test_windows_close_a_loss_is_seen_and_a_new_version_is_tried(lived: tuple[Up, Client]) -> None:
    up, client = lived

    # sound outcomes: windows close, the model is looked at, and nothing is done
    assert until(lambda: up.steps("matured") and up.steps("action")), up.said
    code, told = said(up.folder, "check", "tumour")
    assert (code, told["ok"]) == (0, True), told
    assert told["models"][0]["version"] == "v1"
    assert 0 < told["models"][0]["asked"] <= client.asked
    assert "did_nothing" in decided(up.folder)
    assert until(lambda: 'everfit_health{model="tumour",state="needs_you"} 0.0' in metrics(up))

    # outcomes that turn round: an alarm, a fit in a process of its own, a challenger in the shadow
    client.wrong = True
    assert until(lambda: {"degraded", "retrained"} <= decided(up.folder)), up.said
    assert said(up.folder, "check", "tumour")[0] == 1
    assert until(lambda: 'everfit_health{model="tumour",state="needs_you"} 1.0' in metrics(up))
    assert until(lambda: any(event["tumour"]["shadow"] for event in up.events("ordered")))

    # nobody who asked noticed
    client.close()
    assert client.failed == []
    family = up.family()
    up.process.terminate()
    assert up.process.wait(60.0) == 0
    assert until(lambda: not any(alive(pid) for pid in family))


def decided(folder: Path) -> set[str]:
    """Kinds of decisions in the ledger."""
    return {row["kind"] for row in said(folder, "why", "tumour")[1]["decisions"]}


def metrics(up: Up) -> str:
    return up.get("/metrics")
