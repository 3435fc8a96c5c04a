"""The runner is killed or stopped anywhere: the same ledger, nothing twice, nobody left behind."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event

from everfit.store import Journal, open_store
from tests.postgres import fresh_schema
from tests.real import ROOT
from tests.restart.test_kill import until, workers_of
from tests.restart.turns import Script, make, run_until_done, story
from tests.store.test_kill import Countdown, in_child, watched_files

DAYS = 9
MODEL = "churn"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture
def quick_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: a kill is the same there, and fsync costs nothing."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


SERVER = pytest.param("postgresql", marks=pytest.mark.slow)


@pytest.fixture(params=["sqlite", "postgresql"])
def new_store(request: pytest.FixtureRequest) -> Callable[[Path], str]:
    """The place of a new store with its files in a folder."""

    def made(folder: Path) -> str:
        folder.mkdir(exist_ok=True)
        place = str(folder) if request.param == "sqlite" else fresh_schema()
        make(lambda: open_store(place, files=folder), MODEL)
        return place

    return made


def opener(place: str, files: Path) -> Callable[[], Journal]:
    """Opens the store once, when it is first asked for."""
    opened: list[Journal] = []

    def open_it() -> Journal:
        if not opened:
            opened.append(open_store(place, files=files))
        return opened[0]

    return open_it


def undisturbed(place: str, files: Path) -> dict[str, Any]:
    opened = opener(place, files)
    run_until_done(opened, Script(opened, DAYS))
    return told(place, files)


def told(place: str, files: Path) -> dict[str, Any]:
    store = open_store(place, files=files)
    found = story(store, MODEL)
    store.close()
    return found


def test_the_script_tells_a_whole_story(new_store: Callable[[Path], str], quick_disk: Path) -> None:
    found = undisturbed(new_store(quick_disk), quick_disk)

    assert [kind for kind, _ in found["ledger"]] == [
        "retrained", "kept", "retrained", "promoted", "retrained", "rolled_back", "promoted"
    ]  # fmt: skip
    assert len(found["steps"]) == DAYS + 7
    assert found["aliases"] == {
        "champion": 3, "fallback": 1, "previous": 1, "shadow": None
    }  # fmt: skip


@pytest.mark.parametrize(
    "points",
    ["writes", pytest.param("statements and files", marks=pytest.mark.slow)],
)
def test_a_kill_at_any_boundary_tells_the_same_story(
    points: str, new_store: Callable[[Path], str], quick_disk: Path
) -> None:
    whole = undisturbed(new_store(quick_disk / "whole"), quick_disk / "whole")
    at = 0
    while True:
        at += 1
        folder = quick_disk / f"store-{at}"
        place = new_store(folder)

        def doomed(place: str = place, folder: Path = folder, at: int = at) -> None:
            count = Countdown(at)
            opened = opener(place, folder)
            if points == "writes":
                event.listen(opened().database.engine, "commit", of_writes(count))
                run_until_done(opened, Script(opened, DAYS))
                return
            for name in ("commit", "before_cursor_execute"):
                event.listen(opened().database.engine, name, count)
            with watched_files(count):
                run_until_done(opened, Script(opened, DAYS))

        ended = in_child(doomed)
        if ended == 0:
            break  # it counted past the last point
        assert ended == -signal.SIGKILL
        assert undisturbed(place, folder) == whole
    assert at > (25 if points == "writes" else 250)  # the countdown walked through the whole


def of_writes(count: Callable[..., None]) -> Callable[[Connection], None]:
    """Count before a commit that writes: after one of them is before the next."""

    def counted(connection: Connection) -> None:
        if connection.get_execution_options().get("everfit_write"):
            count()

    return counted


class Party:
    """A runner in a process of its own, with the events that it tells of."""

    def __init__(self, place: str, files: Path, *, ttl_s: float, linger_s: float = 0.0) -> None:
        command = [sys.executable, "-m", "tests.restart.turns"]
        command += [place, str(files), str(DAYS), str(ttl_s), str(linger_s)]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        )
        self.events: list[dict[str, Any]] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def said(self, event: str) -> bool:
        return any(one["event"] == event for one in self.events)

    def end(self) -> int:
        """Wait until it has nothing to do."""
        code = self.process.wait(60)
        self._thread.join(10)
        assert self.process.stderr is not None
        assert code <= 0, self.process.stderr.read()
        return code

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.kill()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


@pytest.fixture
def parties() -> Iterator[Callable[..., Party]]:
    """Starts runners, and ends them all."""
    started: list[Party] = []

    def start(*args: Any, **more: Any) -> Party:
        started.append(Party(*args, **more))
        return started[-1]

    yield start
    for party in started:
        party.close()


def steps(place: str, files: Path) -> int:
    store = open_store(place, files=files)
    found = len(store.steps(MODEL))
    store.close()
    return found


def killed_at(
    moments: Sequence[float], place: str, files: Path, parties: Callable[..., Party]
) -> None:
    """Kill a runner at each of these times after it began to work, then let one end."""
    for seconds in moments:
        party = parties(place, files, ttl_s=60.0, linger_s=0.02)
        assert until(lambda p=party: p.said("runs") or p.process.poll() is not None)  # type: ignore[misc]
        time.sleep(seconds)
        party.kill()
        assert until(lambda p=party: workers_of(p.process.pid) == [], 10.0)  # type: ignore[misc]
    assert parties(place, files, ttl_s=60.0).end() == 0


@pytest.mark.parametrize("new_store", ["sqlite", SERVER], indirect=True)
def test_kills_while_a_child_fits_tell_the_same_story(
    new_store: Callable[[Path], str], quick_disk: Path, parties: Callable[..., Party]
) -> None:
    whole = undisturbed(new_store(quick_disk / "whole"), quick_disk / "whole")
    place = new_store(quick_disk / "killed")

    killed_at([0.1, 0.8], place, quick_disk / "killed", parties)

    assert told(place, quick_disk / "killed") == whole


@pytest.mark.slow
def test_kills_at_fifty_random_moments_tell_the_same_story(
    new_store: Callable[[Path], str], quick_disk: Path, parties: Callable[..., Party]
) -> None:
    rng = random.Random(4)
    whole = undisturbed(new_store(quick_disk / "whole"), quick_disk / "whole")
    for number in range(10):
        folder = quick_disk / f"killed-{number}"
        place = new_store(folder)

        killed_at([rng.uniform(0.0, 2.5) for _ in range(5)], place, folder, parties)

        assert told(place, folder) == whole


def stop_between_writes(party: Party, place: str) -> None:
    """Stop it; on SQLite not inside a write, which nobody could follow before it is woken."""
    while True:
        party.process.send_signal(signal.SIGSTOP)
        if "://" in place or not locked(Path(place) / "journal.db"):
            return
        party.process.send_signal(signal.SIGCONT)
        time.sleep(0.02)


def locked(file: Path) -> bool:
    with closing(sqlite3.connect(file, timeout=1.0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        connection.execute("ROLLBACK")
        return False


def fenced_once(place: str, files: Path, parties: Callable[..., Party], stopped_s: float) -> float:
    """Stop the runner that works, let another take over, wake the first; seconds without one."""
    first = parties(place, files, ttl_s=3.0, linger_s=2.0)  # slow: it must not end before
    assert until(lambda: first.said("runs"))
    second = parties(place, files, ttl_s=3.0)
    assert until(lambda: second.said("stands_by"))

    stop_between_writes(first, place)
    began = time.monotonic()
    assert until(lambda: second.said("runs"))
    taken_s = time.monotonic() - began
    assert second.end() == 0
    time.sleep(max(0.0, stopped_s - (time.monotonic() - began)))
    first.process.send_signal(signal.SIGCONT)

    assert until(lambda: first.said("lost_its_right"))
    assert first.end() == 0
    return taken_s


def test_a_runner_that_was_stopped_and_woken_is_fenced_and_stands_by(
    new_store: Callable[[Path], str], quick_disk: Path, parties: Callable[..., Party]
) -> None:
    whole = undisturbed(new_store(quick_disk / "whole"), quick_disk / "whole")
    place = new_store(quick_disk / "stopped")

    fenced_once(place, quick_disk / "stopped", parties, 0.0)

    assert told(place, quick_disk / "stopped") == whole


@pytest.mark.slow
def test_a_runner_that_was_stopped_for_ten_seconds_is_fenced_every_time(
    new_store: Callable[[Path], str], quick_disk: Path, parties: Callable[..., Party]
) -> None:
    whole = undisturbed(new_store(quick_disk / "whole"), quick_disk / "whole")
    for number in range(20):
        folder = quick_disk / f"stopped-{number}"
        place = new_store(folder)

        fenced_once(place, folder, parties, 10.0 if number == 0 else 4.0)

        assert told(place, folder) == whole


@pytest.mark.parametrize("new_store", ["sqlite", SERVER], indirect=True)
def test_a_second_runner_takes_over_at_once_from_one_that_died(
    new_store: Callable[[Path], str], quick_disk: Path, parties: Callable[..., Party]
) -> None:
    place = new_store(quick_disk / "two")
    first = parties(place, quick_disk / "two", ttl_s=60.0, linger_s=0.1)
    assert until(lambda: first.said("runs"))
    second = parties(place, quick_disk / "two", ttl_s=60.0)
    assert until(lambda: second.said("stands_by"))

    first.kill()

    assert until(lambda: second.said("runs"), 10.0)  # long before its time is over
    assert second.end() == 0
