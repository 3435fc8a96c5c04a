"""One run per model at a time, between real processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from everfit.errors import StoreBusy
from everfit.store import Journal
from everfit.store.holds import lease, owner


@pytest.fixture
def holder(again: Callable[[], Journal]) -> Iterator[int]:
    """The pid of another process that holds churn in the store that ``again`` opens."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        again().begin_run("churn", {})
        os.write(write, b"x")
        time.sleep(60)
        os._exit(0)
    assert os.read(read, 1) == b"x"
    yield pid
    os.close(read)
    os.close(write)
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        pass


def test_of_many_processes_that_begin_at_once_one_runs(again: Callable[[], Journal]) -> None:
    again()
    start = time.monotonic() + 0.3
    children = []
    for _ in range(6):
        pid = os.fork()
        if pid == 0:
            time.sleep(max(0.0, start - time.monotonic()))
            try:
                again().begin_run("churn", {})
            except StoreBusy:
                os._exit(7)
            time.sleep(2.0)  # the winner lives until the others have asked
            os._exit(0)
        children.append(pid)

    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]

    assert sorted(codes) == [0, 7, 7, 7, 7, 7]
    assert len(again().runs("churn")) == 1


def test_many_processes_may_make_the_same_store_at_once(again: Callable[[], Journal]) -> None:
    children = []
    for number in range(4):
        pid = os.fork()
        if pid == 0:
            try:
                again().begin_run(f"model-{number}", {})
                again().artefacts.key()
                os._exit(0)
            except BaseException as error:
                os.write(2, repr(error).encode())
                os._exit(1)
        children.append(pid)

    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]

    assert codes == [0, 0, 0, 0]
    assert len(again().models()) == 4


def test_the_one_who_waits_is_told_the_pid_and_since_when(
    again: Callable[[], Journal], holder: int
) -> None:
    with pytest.raises(StoreBusy, match=rf"process {holder} on \S+, since \d\d \w\w\w \d\d:\d\d"):
        again().begin_run("churn", {})


def test_a_stopped_process_still_holds_its_model(again: Callable[[], Journal], holder: int) -> None:
    os.kill(holder, signal.SIGSTOP)

    with pytest.raises(StoreBusy, match="holds model 'churn'"):
        again().begin_run("churn", {})


def test_a_process_that_lives_here_keeps_its_model_through_a_long_fit(
    again: Callable[[], Journal], holder: int
) -> None:
    store = again()
    store.clock = lambda: datetime.now(UTC) + timedelta(hours=9)

    with pytest.raises(StoreBusy, match=f"process {holder} "):
        store.begin_run("churn", {})

    assert store.runs("churn")[0].state == "running"


def test_a_dead_owner_is_followed_at_once(again: Callable[[], Journal], holder: int) -> None:
    store = again()
    os.kill(holder, signal.SIGKILL)
    os.waitpid(holder, 0)

    assert store.runs("churn")[0].state == "interrupted"
    run = store.begin_run("churn", {})

    assert run.epoch == 2
    assert [row.state for row in store.runs("churn")] == ["running", "interrupted"]


def test_a_dead_owner_that_its_parent_has_not_asked_for_is_dead(
    again: Callable[[], Journal], holder: int
) -> None:
    os.kill(holder, signal.SIGKILL)
    os.waitid(os.P_PID, holder, os.WEXITED | os.WNOWAIT)  # dead, but its id is still taken

    assert again().begin_run("churn", {}).epoch == 2


def test_a_process_that_got_the_id_of_a_dead_one_is_not_taken_for_it() -> None:
    me = owner.this_process()

    assert not owner.is_gone(me, host=me.host)
    assert owner.is_gone(owner.Owner(me.pid, me.host, "began at another time"), host=me.host)


def test_a_process_of_another_host_is_believed_until_its_hold_expires(
    again: Callable[[], Journal],
) -> None:
    store = again()
    store.begin_run("churn", {})
    with store.database.write() as connection:
        connection.execute(text("UPDATE lease SET host = 'elsewhere/pid:[1]', pid = 999999"))

    with pytest.raises(StoreBusy, match="process 999999 on elsewhere"):
        store.begin_run("churn", {})
    store.clock = lambda: datetime.now(UTC) + timedelta(seconds=lease.TTL_S + 1)

    assert store.begin_run("churn", {}).epoch == 2


def test_a_heartbeat_pushes_the_expiry_on(again: Callable[[], Journal]) -> None:
    store = again()
    run = store.begin_run("churn", {})
    store.clock = lambda: datetime.now(UTC) + timedelta(seconds=lease.TTL_S - 1)
    store.heartbeat(run)
    store.clock = lambda: datetime.now(UTC) + timedelta(seconds=lease.TTL_S + 1)

    with pytest.raises(StoreBusy, match="holds model 'churn'"):
        store.begin_run("churn", {})
