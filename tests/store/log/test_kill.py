"""Killed anywhere, the log has every row once and lets the work be finished."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.postgres import server_url
from tests.store.log.build import DATABASES, Scene
from tests.store.test_kill import quick_disk

__all__ = ["quick_disk"]

# some five kills each; every single point is met in `make test-slow`
STEPS = {"drain": 17, "seal": 41, "forget": 13}


def run(kind: str, plan: str, folder: Path, step: int) -> int:
    command = [sys.executable, "-m", "tests.store.log.doomed", kind, plan, str(folder), str(step)]
    environment = dict(os.environ)
    if kind == "postgresql":
        environment["EVERFIT_TEST_POSTGRES"] = server_url()
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return int(done.stdout)


@pytest.mark.parametrize("plan", ["drain", "seal", "forget"])
@pytest.mark.parametrize("kind", sorted(DATABASES))
def test_a_kill_between_any_two_statements_leaves_one_truth(
    kind: str, plan: str, quick_disk: Path
) -> None:
    assert run(kind, plan, quick_disk, STEPS[plan]) > 3


@pytest.mark.slow
@pytest.mark.parametrize("plan", ["drain", "seal", "forget"])
@pytest.mark.parametrize("kind", sorted(DATABASES))
def test_a_kill_at_every_single_point_leaves_one_truth(
    kind: str, plan: str, quick_disk: Path
) -> None:
    assert run(kind, plan, quick_disk, 1) > 20


def test_what_was_acknowledged_survives_kills_at_random_moments(file_scene: Scene) -> None:
    rng = random.Random(0)
    acknowledged: set[str] = set()
    for turn in range(5):
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            spool = file_scene.spool(f"w{turn % 2}", limit_bytes=3_000)
            while True:
                file_scene.n += 1
                name = file_scene.predict(spool, id=f"{turn:04d}-{file_scene.n:06d}")
                os.write(write, name.encode())
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            told = pipe.read(11 * rng.randint(5, 50))
            time.sleep(rng.uniform(0, 0.01))
            if turn % 2:
                file_scene.drain()
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            told += pipe.read()
        names = {told[i : i + 11].decode() for i in range(0, len(told) - 10, 11)}
        before = set(file_scene.ids())
        acknowledged |= names

        file_scene.drain()

        found = file_scene.ids()
        assert len(found) == len(set(found))
        assert before | acknowledged <= set(found)
        # at most one was appended and not yet acknowledged, of each writer that was killed
        assert len(found) <= len(acknowledged) + turn + 1
