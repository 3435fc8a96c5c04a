"""A real MLflow server on a loopback port, and a store with a real run in it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from everfit import wire
from everfit.house import House
from everfit.loop import Request
from everfit.records import Decision, Progress
from everfit.store import open_store
from tests.real import cancer

START_S = 60.0


@contextmanager
def mlflow_server(folder: Path) -> Iterator[int]:
    """The port of ``mlflow server`` over SQLite with its artifacts in ``folder``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)),
        *("--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}", "--workers", "1"),
        *("--artifacts-destination", str(folder / "artifacts")),
    ]
    environment = os.environ | {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    environment.pop("MLFLOW_TRACKING_URI", None)
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _await(port, process, folder / "log")
        yield port
    finally:
        # the server has children, all in the session that we made for it
        os.killpg(process.pid, 9)
        process.wait()


def _await(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"the MLflow server did not start:\n{log.read_text()[-2000:]}")


def ran(place: Path) -> None:
    """A store at ``place`` with one run of the loop over real data, and its champion v1."""
    place.mkdir(parents=True)
    path, target = cancer(place)
    request = Request(path, target, name="tumours", budget_s=3.0, started=time.monotonic())
    with wire.house(place / "store") as house:
        house.run(request, _quiet)


def copied(made: Path, place: Path) -> House:
    """A house over a copy of a store that :func:`ran` made."""
    shutil.copytree(made / "store", place)
    return wire.house(place)


def promote_copy(place: Path) -> None:
    """A second version, the same files as the first, promoted over it."""
    store = open_store(place)
    try:
        first = store.version("tumours", "v1")
        with store.packing("tumours", 2) as folder:
            shutil.copytree(store.root / first.folder, folder, dirs_exist_ok=True)
        second = replace(
            first, number=2, folder=str(store.folder("tumours", 2)), state="challenger"
        )
        decision = Decision("tumours", "promoted", "Promoted v2; v1 is now previous", run=first.run)
        aliases = {"champion": 2, "previous": 1}
        store.commit(decision, version=second, aliases=aliases)
    finally:
        store.close()


def _quiet(progress: Progress) -> None:
    """Nobody listens."""
