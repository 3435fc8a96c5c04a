"""The supervised processes of this machine: time limits, deaths and orphans."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from everfit.executors import Job, LocalExecutor

JOBS = "tests.executors.jobs"
WAIT_S = 15.0


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def gone(pid: int) -> bool:
    until = time.monotonic() + WAIT_S
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.05)
    return not alive(pid)


def test_a_job_that_overstays_is_killed_and_the_next_one_runs() -> None:
    with LocalExecutor(1) as executor:
        executor.submit(Job("slow", f"{JOBS}:sleep", {"seconds": 60}, 0.2))
        executor.submit(Job("next", f"{JOBS}:double", {"x": 1}, 10.0))

        (late,) = executor.wait(WAIT_S)
        (after,) = executor.wait(WAIT_S)

    assert (late.key, late.status) == ("slow", "timeout")
    assert (after.key, after.status) == ("next", "ok")


def test_a_child_that_dies_is_lost_with_its_exit_status_and_replaced() -> None:
    with LocalExecutor(1) as executor:
        executor.submit(Job("a", f"{JOBS}:die", {}, 10.0))
        (lost,) = executor.wait(WAIT_S)
        executor.submit(Job("b", f"{JOBS}:double", {"x": 1}, 10.0))
        (after,) = executor.wait(WAIT_S)

    assert lost.status == "lost"
    assert "exit status 9" in lost.error
    assert after.status == "ok"


def test_what_a_library_prints_does_not_reach_the_outcomes() -> None:
    with LocalExecutor(1) as executor:
        executor.submit(Job("a", f"{JOBS}:shout", {}, 10.0))

        (outcome,) = executor.wait(WAIT_S)

    assert outcome.status == "ok"


def test_a_kill_takes_what_the_job_started_with_it(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    with LocalExecutor(1) as executor:
        executor.submit(Job("a", f"{JOBS}:spawn", {"path": str(pids)}, 1.5))

        (outcome,) = executor.wait(WAIT_S)
        worker, grandchild = map(int, pids.read_text().split())

        assert outcome.status == "timeout"
        assert gone(worker)
        assert gone(grandchild)


def test_workers_die_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time\n"
        "from everfit.executors import Job, LocalExecutor\n"
        "e = LocalExecutor(2)\n"
        f"for i in range(2): e.submit(Job(str(i), '{JOBS}:sleep', {{'seconds': 60}}, 90.0))\n"
        "print(*[s.process.pid for s in e._slots], flush=True)\n"
        "time.sleep(60)\n"
    )
    root = Path(__file__).resolve().parents[2]
    parent = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(root), str(root / "src")])},
    )
    with parent:
        assert parent.stdout is not None
        workers = [int(pid) for pid in parent.stdout.readline().split()]

        parent.send_signal(signal.SIGKILL)

        assert len(workers) == 2
        assert all(gone(pid) for pid in workers)


def test_close_leaves_no_process_behind() -> None:
    executor = LocalExecutor(2)
    pids = [slot.process.pid for slot in executor._slots if slot.process]

    executor.close()

    assert len(pids) == 2
    assert all(gone(pid) for pid in pids)
