"""A process beside the keeper: started again when it dies, ended when the keeper ends."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from everfit.live.beside import supervised
from everfit.live.beside.supervised import Supervised
from tests.executors.test_local import alive

WAIT_S = 60.0
WAITS = "import os, sys, time; open(sys.argv[1], 'a').write(f'{os.getpid()}\\n'); time.sleep(120)"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + WAITS


def until(happened: Callable[[], object]) -> bool:
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        if happened():
            return True
        time.sleep(0.02)
    return False


class Beside:
    """A supervised process that notes its pid in a file."""

    def __init__(self, folder: Path, code: str = WAITS, grace_s: float = 20.0) -> None:
        self.note = folder / "pids"
        self.said: list[tuple[str, Mapping[str, Any]]] = []
        self.stopping = threading.Event()
        command = [sys.executable, "-c", code, str(self.note)]
        self.kept = Supervised(
            "runner",
            command,
            lambda event, facts: self.said.append((event, facts)),
            self.stopping,
            grace_s=grace_s,
        )

    def pids(self) -> list[int]:
        return [int(p) for p in self.note.read_text().split()] if self.note.exists() else []


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Beside]]:
    monkeypatch.setattr(supervised, "FIRST_WAIT_S", 0.01)
    made: list[Beside] = []

    def begin(**more: Any) -> Beside:
        made.append(Beside(tmp_path, **more))
        return made[-1]

    yield begin
    for one in made:
        one.kept.close()


def test_a_process_that_dies_is_started_again_and_that_is_said(
    start: Callable[..., Beside],
) -> None:
    beside = start()
    assert until(lambda: len(beside.pids()) == 1)

    os.kill(beside.pids()[0], signal.SIGKILL)

    assert until(lambda: len(beside.pids()) == 2)
    event, facts = beside.said[0]
    assert (event, facts["how"]) == ("runner_lost", "SIGKILL, perhaps out of memory")
    assert alive(beside.pids()[1])


def test_it_ends_when_the_keeper_is_told_to_stop(start: Callable[..., Beside]) -> None:
    beside = start()
    assert until(lambda: len(beside.pids()) == 1)

    beside.stopping.set()

    assert until(lambda: not alive(beside.pids()[0]))
    assert beside.said == []


def test_closing_returns_when_it_has_ended(start: Callable[..., Beside]) -> None:
    beside = start()
    assert until(lambda: len(beside.pids()) == 1)

    beside.kept.close()

    assert not alive(beside.pids()[0])


def test_a_process_that_does_not_hear_is_killed(start: Callable[..., Beside]) -> None:
    beside = start(code=DEAF, grace_s=0.1)
    assert until(lambda: len(beside.pids()) == 1)

    beside.kept.close()

    assert not alive(beside.pids()[0])


def test_who_cannot_live_is_tried_less_and_less_often(
    start: Callable[..., Beside], monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = start(code="raise SystemExit(3)")

    assert until(lambda: len(beside.said) >= 3)

    waits = [facts["again_in_s"] for _, facts in beside.said]
    assert waits[:3] == [0.02, 0.04, 0.08]
    assert beside.said[0][1]["how"] == "exit status 3"
