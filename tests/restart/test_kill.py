"""A run that is killed anywhere: nothing is lost, nothing is done twice, nobody is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from everfit import wire
from everfit.store import open_store
from tests.real import ROOT, cancer

WAIT_S = 60.0
LATEST_S = 2.0  # after the second fit, of a budget of 15 s


def command(folder: Path, path: Path, target: str) -> list[str]:
    return [
        sys.executable, "-m", "everfit", "--json", "--store", str(folder / "store"),
        "run", str(path), "--target", target, "--name", "m", "--budget", "15s",
    ]  # fmt: skip


def start(folder: Path, path: Path, target: str) -> subprocess.Popen[str]:
    env = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    return subprocess.Popen(
        command(folder, path, target),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
        cwd=folder,
    )


def workers_of(pid: int) -> list[int]:
    """Processes of the executor that name ``pid`` as their parent."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"everfit.executors.worker" in words and str(pid).encode() in words:
                found.append(int(entry.name))
    return found


def until(happened: object, seconds: float = WAIT_S) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if happened():  # type: ignore[operator]
            return True
        time.sleep(0.05)
    return False


def work(folder: Path) -> int:
    """How many finished fits the store holds."""
    place = folder / "store" / "work"
    return len(list(place.iterdir())) if place.exists() else 0


def wait_for_fits(folder: Path, n: int) -> None:
    """Wait for ``n`` finished fits, or less: a slow machine has not so many in the budget.

    There what happens next comes well before the end of the trials.
    """
    assert until(lambda: work(folder) >= 2)
    begun = time.monotonic()
    assert until(lambda: work(folder) >= n or time.monotonic() - begun > LATEST_S)


def written(folder: Path) -> dict[str, int]:
    """When each finished fit was written, by its key: a fit that was repeated would be younger.

    A fit is finished when the journal says so: its files come first, and a kill in between leaves
    files that count for nothing.
    """
    store = open_store(folder / "store", create=False)
    place = folder / "store" / "work"
    fits = {path.parent.name: path.stat().st_mtime_ns for path in place.glob("*/fit.json")}
    found = {key: written for key, written in fits.items() if store.trial(key) is not None}
    store.close()
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("finished", [2, 12])
def test_the_same_command_after_a_kill_repeats_no_finished_fit(
    finished: int, tmp_path: Path
) -> None:
    path, target = cancer(tmp_path)
    first = start(tmp_path, path, target)
    wait_for_fits(tmp_path, finished)
    assert first.poll() is None
    first.send_signal(signal.SIGKILL)
    first.communicate()

    assert until(lambda: workers_of(first.pid) == [], 10.0)
    kept = written(tmp_path)
    again = start(tmp_path, path, target)
    out, err = again.communicate(timeout=WAIT_S)

    assert again.returncode == 0, err
    report = json.loads(out)
    assert report["champion"] is not None
    with wire.house(tmp_path / "store") as house:
        states = [run.state for run in house.runs("m")]
        assert states == ["done", "interrupted"]
        assert [d.kind for d in house.decisions("m")].count("released") == 1
    after = written(tmp_path)
    assert len(kept) >= 1
    assert {key: after.get(key) for key in kept} == kept


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_ctrl_c_keeps_the_best_so_far_and_leaves_nobody_behind(tmp_path: Path) -> None:
    path, target = cancer(tmp_path)
    run = start(tmp_path, path, target)
    wait_for_fits(tmp_path, 12)

    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=WAIT_S)

    assert run.returncode in (0, 130), err
    assert until(lambda: workers_of(run.pid) == [], 10.0)
    with wire.house(tmp_path / "store") as house:
        assert house.version("m").name == "v1"
        assert "stopped by a person" in json.dumps(house.result("m")["study"]["stopped"])
