"""The commands of the loop on a real store: one turn, pause and resume, a server with its loop."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from everfit.errors import UsageError
from everfit.faces.cli.everywhere import Face
from everfit.faces.cli.main import main
from everfit.faces.cli.turning.upping import command, rereading, seconds
from everfit.faces.words.answers import state_words
from everfit.loop.tick import Ticked
from everfit.loop.turn.hands import Hands
from everfit.plain import as_plain
from everfit.records import Health, State, Step
from everfit.store import RunHandle, open_store
from tests.executors.test_local import alive
from tests.live.coins import coin_store
from tests.real import ROOT

WAIT_S = 90.0


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for word in ("EVERFIT_STORE", "EVERFIT_CONFIG"):
        monkeypatch.delenv(word, raising=False)
    return coin_store(tmp_path / ".everfit")


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(list(words))
    out, err = capsys.readouterr()
    return code, out, err


def test_a_turn_with_nothing_due_says_so_and_writes_nothing(store, capsys):
    with open_store(store).database.read() as connection:
        before = connection.exec_driver_sql("SELECT count(*) FROM decision").scalar()

    code, out, _ = told(capsys, "tick")

    assert (code, out) == (0, "coin: nothing was due\n")
    with open_store(store).database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM decision").scalar() == before
    open_store(store).hold("coin", ttl_s=1.0)  # it let go


def test_a_turn_as_json(store, capsys):
    code, out, _ = told(capsys, "--json", "tick", "coin")

    (turn,) = json.loads(out)["turns"]
    assert code == 0
    assert turn == {
        "model": "coin", "steps": [], "decisions": [], "stopped": False, "error": None
    }  # fmt: skip


def test_a_turn_of_no_model_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    assert told(capsys, "tick") == (0, "", "No models yet: there is nothing to look after.\n")
    assert list(tmp_path.iterdir()) == []


def test_a_turn_of_a_model_that_is_not_there_offers_near_names(store, capsys):
    code, _, err = told(capsys, "tick", "coinn")

    assert code == 6
    assert "did you mean 'coin'" in err


def test_a_turn_looks_features_up_at_the_sources_that_the_settings_name(
    store, tmp_path, capsys, monkeypatch
):
    (tmp_path / "crm.csv").write_text("who,since,size\nann,2026-01-01,41\nbob,2026-01-01,42\n")
    (tmp_path / "everfit.toml").write_text(
        '[models.coin.sources.crm]\nsource = "crm.csv"\nkey = "who"\ntime = "since"\n'
    )
    given: list[Hands] = []

    def kept(model: str, hands: Hands, hold: RunHandle) -> Ticked:
        given.append(hands)
        return Ticked(model)

    monkeypatch.setattr("everfit.loop.tick.tick", kept)
    assert told(capsys, "tick")[0] == 0
    lookup = given[0].lookup_of(given[0].store.version("coin", "v1"))
    assert lookup is not None
    at = pl.Series("at", [datetime(2026, 2, 1, tzinfo=UTC)], dtype=pl.Datetime("us", "UTC"))

    found = lookup(pl.DataFrame({"key": ["bob"]}).with_columns(at))

    assert found.select("key", "size").rows() == [("bob", 42)]


def test_a_turn_where_another_is_under_way_is_exit_code_4(store, capsys):
    open_store(store).hold("coin", ttl_s=60.0)

    code, out, err = told(capsys, "tick")
    as_json = told(capsys, "--json", "tick")

    assert (code, out) == (4, "")
    assert "a turn of the loop holds model 'coin'" in err
    assert as_json[0] == 4
    assert json.loads(as_json[1])["turns"][0]["error"]["code"] == "StoreBusy"


def test_a_model_is_paused_and_resumed(store, capsys):
    paused = told(capsys, "pause", "coin", "--reason", "moving")
    status = told(capsys, "status")
    again = told(capsys, "pause", "coin")
    resumed = told(capsys, "--json", "resume", "coin")

    assert paused[0] == 0
    assert "Paused by hand: moving" in paused[1]
    assert "Paused" in status[1]
    assert (again[0], "paused already" in again[2]) == (6, True)
    assert json.loads(resumed[1])["decision"]["kind"] == "resumed"


def looked(store: Path, state: State) -> None:
    """Write a look at the model, as a turn does."""
    kept = open_store(store)
    hold = kept.hold("coin", ttl_s=60.0)
    health = Health("coin", "v1", state, "The loss is above what was certified.")
    kept.note(hold, [Step("coin", "health", state, as_plain(health), datetime.now(UTC))])
    kept.let_go(hold)
    kept.close()


def test_a_model_that_nobody_looked_at_passes_the_check_and_is_not_called_healthy(store, capsys):
    code, out, _ = told(capsys, "check")

    assert code == 0
    assert "Not enough data · coin: nobody looked at it yet" in out


@pytest.mark.parametrize(
    ("state", "code"), [("healthy", 0), ("watch", 0), ("not_enough_data", 0), ("needs_you", 1)]
)
def test_the_check_fails_when_a_model_needs_a_person_and_only_then(store, capsys, state, code):
    looked(store, state)

    in_words = told(capsys, "check", "coin")
    as_json = told(capsys, "--json", "check")

    assert (in_words[0], as_json[0]) == (code, code)
    assert state_words(state) in told(capsys, "status")[1]
    assert "coin v1: The loss is above what was certified." in in_words[1]
    shape = json.loads(as_json[1])
    assert (shape["ok"], shape["models"][0]["state"]) == (code == 0, state)


def test_the_check_of_a_model_that_is_not_there_offers_near_names(store, capsys):
    code, _, err = told(capsys, "check", "coinn")

    assert code == 6
    assert "did you mean 'coin'" in err


def test_a_check_of_no_model_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    code, out, _ = told(capsys, "check")

    assert code == 0
    assert "No models yet" in out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("words", "what"), [("0.1s", "too short"), ("soon", "soon")])
def test_a_time_between_turns_that_is_none_is_refused(words, what):
    with pytest.raises(UsageError, match=what):
        seconds(words)


def test_the_process_of_the_loop_is_given_what_this_one_was_given():
    face = Face(as_json=True, quiet=True, store="kept", config="my.toml")

    found = command(face, "5m")

    assert found[1:] == [
        "-m", "everfit", "--json", "--quiet", "--store", "kept", "--config", "my.toml",
        "up", "--no-serve", "--beside", str(os.getpid()), "--every", "5m",
    ]  # fmt: skip


def test_settings_that_break_while_the_loop_runs_leave_those_before_in_force(tmp_path):
    file = tmp_path / "everfit.toml"
    file.write_text("[policy]\nalpha = 0.01\n")
    said: list[str] = []
    read = rereading(str(file), lambda event, facts: said.append(event))

    good = read()
    file.write_text("[policy]\nalhpa = 0.01\n")
    broken = [read(), read()]
    file.write_text("[policy]\nalpha = 0.02\n")

    assert good == broken[0] == broken[1]
    assert said == ["settings_not_read"]
    assert read().policy["alpha"] == 0.02


class Up:
    """``everfit up`` as a process, and what it said."""

    def __init__(self, folder: Path, *words: str) -> None:
        named = [sys.executable, "-m", "everfit", "--json", "up"]
        self.process = subprocess.Popen(
            [*named, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        )
        self.said: list[dict[str, Any]] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if line.startswith("{"):
                self.said.append(json.loads(line))

    def events(self, name: str) -> list[dict[str, Any]]:
        return [one for one in self.said if one.get("event") == name]

    def loop(self) -> int | None:
        """The pid of the process that runs the loop."""
        mark = f"--beside\0{self.process.pid}\0".encode()
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if mark in (entry / "cmdline").read_bytes():
                        return int(entry.name)
                except OSError:
                    continue
        return None


def until(happened: Callable[[], object]) -> bool:
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        if happened():
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def start(store: Path) -> Iterator[Callable[..., Up]]:
    started: list[Up] = []

    def begin(*words: str) -> Up:
        started.append(Up(store.parent, *words))
        return started[-1]

    yield begin
    for up in started:
        if up.process.poll() is None:
            up.process.kill()
        up.process.wait()
        for pipe in (up.process.stdout, up.process.stderr):
            if pipe is not None:
                pipe.close()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_server_keeps_its_loop_alive_and_takes_it_along(start: Callable[..., Up]) -> None:
    up = start("--port", "0", "--operate-port", "0")
    assert until(lambda: up.events("runs")), up.said
    first = up.loop()
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert until(lambda: len(up.events("runs")) == 2), up.said
    second = up.loop()

    up.process.send_signal(signal.SIGTERM)
    code = up.process.wait(WAIT_S)

    assert code == 0
    assert up.events("runner_lost")[0]["how"].startswith("SIGKILL")
    assert second not in (None, first)
    assert until(lambda: not alive(second or 0))


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_the_loop_dies_with_a_server_that_is_killed(start: Callable[..., Up]) -> None:
    up = start("--port", "0", "--operate-port", "0")
    assert until(lambda: up.loop() is not None)
    loop = up.loop() or 0

    up.process.kill()

    assert until(lambda: not alive(loop))


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_the_loop_alone_ends_when_it_is_told_to(start: Callable[..., Up]) -> None:
    up = start("--no-serve", "--every", "1s")
    assert until(lambda: up.events("runs")), up.said

    up.process.send_signal(signal.SIGTERM)

    assert up.process.wait(WAIT_S) == 0
