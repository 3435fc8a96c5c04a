"""Heavy steps in a process of their own: results, failures, limits, and no orphans."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from everfit.loop.child import Limits, in_child
from tests.executors.test_local import gone

JOBS = "tests.executors.jobs"
HERE = "tests.loop.test_child"
LIMITS = Limits(60.0)


def pid() -> dict[str, int]:
    return {"pid": os.getpid()}


def much(mib: int) -> dict[str, int]:
    return {"n": len(bytearray(mib << 20))}


def write_pid_and_sleep(path: str) -> dict[str, int]:
    Path(path).write_text(str(os.getpid()))
    time.sleep(120.0)
    return {}


def call_it(path: str) -> None:
    in_child(f"{HERE}:write_pid_and_sleep", {"path": path}, LIMITS)


def until_written(path: Path) -> int:
    end = time.monotonic() + 60.0
    while time.monotonic() < end:
        if path.exists() and path.read_text():
            return int(path.read_text())
        time.sleep(0.05)
    raise AssertionError("the child did not begin")


def test_each_call_has_a_process_of_its_own() -> None:
    one, two = (in_child(f"{HERE}:pid", {}, LIMITS).value["pid"] for _ in range(2))

    assert len({one, two, os.getpid()}) == 3


def test_what_is_raised_comes_back_as_words() -> None:
    outcome = in_child(f"{JOBS}:fail", {}, LIMITS)

    assert outcome.status == "error"
    assert "ValueError: no such luck" in outcome.error


def test_a_child_that_overstays_is_killed() -> None:
    outcome = in_child(f"{JOBS}:sleep", {"seconds": 120}, Limits(0.2))

    assert outcome.status == "timeout"


def test_a_child_that_dies_is_lost() -> None:
    outcome = in_child(f"{JOBS}:die", {}, LIMITS)

    assert outcome.status == "lost"
    assert "exit status 9" in outcome.error


def test_a_child_is_stopped_when_the_turn_shall_end(tmp_path: Path) -> None:
    note = tmp_path / "pid"

    outcome = in_child(f"{HERE}:write_pid_and_sleep", {"path": str(note)}, LIMITS, stop=note.exists)

    assert outcome.status == "cancelled"
    assert gone(until_written(note))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps this limit")
def test_a_child_has_no_more_memory_than_it_may() -> None:
    few = Limits(60.0, memory_bytes=512 << 20)

    enough = in_child(f"{HERE}:much", {"mib": 64}, few)
    outcome = in_child(f"{HERE}:much", {"mib": 1024}, few)

    assert enough.value == {"n": 64 << 20}
    assert (outcome.status, "MemoryError" in outcome.error) == ("error", True)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's death signal is Linux's")
def test_a_child_dies_with_its_parent(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = f"from {HERE} import call_it; call_it({str(note)!r})"
    parent = subprocess.Popen([sys.executable, "-c", code])
    child = until_written(note)

    parent.send_signal(signal.SIGKILL)
    parent.wait()

    assert gone(child)
