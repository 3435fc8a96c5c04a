"""The mirror beside the work: started by it, waited for by nobody."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from everfit import wire
from everfit.errors import SourceMissing
from everfit.house import House
from everfit.loop import Request
from everfit.mirror import background
from everfit.mirror.background import Keeping, start
from everfit.mirror.state import state_of
from tests.mirror.proxy import Proxy, Way
from tests.mirror.real import promote_copy
from tests.mirror.seen import Seen, expected_items

LONG_S = 60.0


def await_true(wanted: Callable[[], bool]) -> None:
    until = time.monotonic() + LONG_S
    while not wanted():
        assert time.monotonic() < until
        time.sleep(0.02)


def waiting(house: House, door: Proxy) -> str:
    return state_of(house, door.uri)[1]


def test_a_rollback_does_not_wait_for_its_mirror(
    house: House, door: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote_copy(tmp_path / "store")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", door.uri)

    def way(number: int) -> Way:
        return "late" if number == 1 else "pass"

    door.way = way
    decision = house.rollback("tumours")
    await_true(lambda: len(door.requests) > 0)
    before = waiting(house, door)
    door.let_through.set()
    await_true(lambda: "all is there" in waiting(house, door))

    seen = Seen(door.uri, house)
    assert decision.kind == "rolled_back"
    assert "items waiting" in before
    assert seen.aliases() == {"champion": "v1"}
    assert seen.items() == expected_items(house)


def test_a_long_lived_process_mirrors_what_comes(
    house: House, door: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", door.uri)

    keeping = Keeping(house, every_s=0.05)
    await_true(lambda: "all is there" in waiting(house, door))
    keeping.close()

    assert Seen(door.uri, house).items() == expected_items(house)


def test_a_long_lived_process_ends_although_the_server_hangs(
    house: House, door: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", door.uri)
    door.way = lambda number: "hold"

    keeping = Keeping(house, every_s=0.05)
    await_true(lambda: len(door.requests) > 0)
    keeping.close()

    assert "mirroring" not in {thread.name for thread in threading.enumerate()}
    assert "items waiting" in waiting(house, door)


def test_a_run_lets_the_mirror_begin_also_when_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVERFIT_EXECUTOR", "inline")
    begun: list[str] = []

    with wire.house(tmp_path / "store") as house:
        house.after = lambda: begun.append("once")
        with pytest.raises(SourceMissing):
            house.run(Request(tmp_path / "nowhere.csv", "y"), lambda progress: None)

    assert begun == ["once"]


def test_without_a_server_nothing_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    assert start(str(tmp_path)) is None


def test_without_mlflow_nothing_is_started(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setattr(background, "find_spec", lambda name: None)
    monkeypatch.setattr("everfit.mirror.state.find_spec", lambda name: None)

    state, told, do = state_of(house, "http://127.0.0.1:9")

    assert start(str(tmp_path)) is None
    assert (state, do) == ("warn", "pip install 'everfit[mlflow]'")
    assert "not installed" in told


def test_a_process_that_cannot_be_started_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setattr(background, "find_spec", lambda name: object())

    assert start(str(tmp_path), [str(tmp_path / "no such program")]) is None


def test_the_place_is_not_on_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setattr(background, "find_spec", lambda name: object())
    code = "import os, sys; sys.exit(not os.environ['EVERFIT_STORE'].endswith('pw@db/x'))"
    code = code.replace("pw", "p' 'w")

    process = start("postgresql://me:pw@db/x", [sys.executable, "-c", code])

    assert isinstance(process, subprocess.Popen)
    assert "pw" not in " ".join(map(str, process.args))  # type: ignore[arg-type]
    assert process.wait(LONG_S) == 0
