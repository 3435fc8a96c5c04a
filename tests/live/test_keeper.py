"""A server that really runs: swaps under load, bad versions, killed processes, canary, shadow."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from everfit.house import House
from everfit.live.arms import Arms, arm_of
from everfit.records import Decision
from everfit.store import open_store
from everfit.store.log import Log
from tests.live.coins import Client, coin_store, house_at, serving, wait


class Load:
    """A client that asks without a pause and keeps what it was answered."""

    def __init__(self, port: int) -> None:
        self.answers: list[tuple[str, str, float]] = []
        self.failed: list[str] = []
        self._port, self._stop = port, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            with Client(self._port) as client:
                try:
                    while not self._stop.is_set():
                        self.answers.append(client.heads())
                except Exception as error:
                    self.failed.append(repr(error))
                    time.sleep(0.01)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(30.0)


def recorded(store: Path, arm: str | None = None) -> list[dict]:
    log = Log.open(store)
    try:
        columns = ["id", "arm", "version", "key", "of"]
        return [
            row for f in log.predictions("coin", columns=columns, arm=arm) for row in f.to_dicts()
        ]
    finally:
        log.close()


def versions_of(load: Load) -> list[str]:
    return [version for version, _, _ in load.answers]


def test_a_champion_is_swapped_under_load_without_a_failed_or_a_wrong_answer(tmp_path):
    store = coin_store(tmp_path / "store")
    with serving(store, "--workers", "2") as server, house_at(store) as house:
        load = Load(server.port)
        assert wait(lambda: len(load.answers) > 20)
        house.promote("coin", "v2")
        assert wait(lambda: set(versions_of(load)[-30:]) == {"v2"})
        house.rollback("coin")
        assert wait(lambda: set(versions_of(load)[-30:]) == {"v1"})
        load.stop()

        assert server.stop() == 0

    assert load.failed == []
    assert all(heads == int(version[1:]) / 100 for version, _, heads in load.answers)
    assert versions_of(load)[0] == versions_of(load)[-1] == "v1"
    assert "v2" in versions_of(load)
    assert len(recorded(store)) == len(load.answers)


def test_a_version_with_a_changed_file_is_refused_and_the_old_one_goes_on(tmp_path):
    store = coin_store(tmp_path / "store")
    with serving(store) as server, house_at(store) as house, Client(server.port) as client:
        point_at_a_changed_v2(store)
        incident = server.wait_for("incident")

        assert incident["headline"] == "v2 could not be served; v1 still answers"
        assert client.heads() == ("v1", "champion", 0.01)
        made = latest(house, "incident")
        assert made.because[0].rule == "files as packed"
        assert "plan.json" in made.because[0].note
        house.rollback("coin", "v1")
        assert wait(lambda: server.events("ordered") != [])
        assert client.heads() == ("v1", "champion", 0.01)


def point_at_a_changed_v2(store: Path) -> None:
    """What moves an alias without a look at the files: another release, a bug, a hand."""
    plan = store / "models" / "coin" / "v2" / "plan.json"
    plan.write_text(plan.read_text().replace("0.02", "0.99"))
    journal = open_store(store)
    journal.commit(
        Decision("coin", "promoted", "Promoted v2", version="v2"),
        aliases={"champion": 2, "previous": 1},
    )
    journal.close()


def latest(house: House, kind: str) -> Decision:
    assert wait(lambda: house.decisions("coin")[0].kind == kind)
    return house.decisions("coin")[0]


def test_a_server_that_starts_on_a_bad_champion_answers_with_the_one_before(tmp_path):
    store = coin_store(tmp_path / "store")
    point_at_a_changed_v2(store)

    with serving(store) as server, house_at(store) as house, Client(server.port) as client:
        assert client.heads() == ("v1", "champion", 0.01)
        assert latest(house, "incident").version == "v2"


def test_a_keeper_gives_its_first_orders_without_the_libraries_that_answer():
    """They would take as long as its worker takes to load, on the way to the first answer."""
    code = (
        "import sys; import everfit.faces.cli.serving.start, everfit.live.prove; "
        "print([m for m in ('numpy', 'msgspec.json', 'everfit.serve', 'everfit.store.journal', "
        "'sqlalchemy', 'everfit.live.desk.desk') if m in sys.modules])"
    )

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == "[]"


def test_a_worker_that_is_killed_is_started_again_and_the_other_one_answers(tmp_path):
    store = coin_store(tmp_path / "store")
    with serving(store, "--workers", "2") as server:
        killed = server.child("http.worker")
        os.kill(killed, signal.SIGKILL)
        lost = server.wait_for("worker_lost")

        with Client(server.port) as client:
            assert "SIGKILL" in lost["how"]
            assert client.heads()[0] == "v1"

        def again() -> bool:
            workers = server.all_of("http.worker")
            return len(workers) == 2 and killed not in workers

        assert wait(again), (killed, server.children(), server.all_of("http.worker"), server.log)
        assert server.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_keeper_that_is_told_to_stop_finishes_and_leaves_all_in_the_log(tmp_path, number):
    store = coin_store(tmp_path / "store")
    with serving(store) as server:
        with Client(server.port) as client:
            for _ in range(20):
                client.heads()

        assert server.stop(number) == 0
        assert server.wait_for("stopped")["all_in_the_log"]

    assert len(recorded(store)) == 20


def test_a_keeper_that_is_killed_takes_its_children_along_and_the_next_one_finds_all(tmp_path):
    store = coin_store(tmp_path / "store")
    with serving(store) as server:
        load = Load(server.port)
        assert wait(lambda: len(load.answers) > 20)
        children = server.children()
        assert server.stop(signal.SIGKILL) == -signal.SIGKILL
        load.stop()
        assert wait(lambda: not any(map(alive, children)), 5.0)
    acknowledged = len(load.answers)

    with serving(store) as server:
        with Client(server.port) as client:
            assert client.heads()[0] == "v1"
        assert server.stop() == 0

    # the request that was under way when the kill came may be recorded without an answer
    assert acknowledged + 1 <= len(recorded(store)) <= acknowledged + 2


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_canary_answers_exactly_its_keys_and_each_answer_is_recorded_in_its_arm(tmp_path):
    store = coin_store(tmp_path / "store")
    keys = [f"customer-{i}" for i in range(200)]
    arms = Arms(1, canary=2, share=0.3, holdout=0.1)
    expected = {key: arm_of(key, arms, "coin") for key in keys}
    with house_at(store) as house:
        house.canary("coin", "v2", 0.3, holdout=0.1)
    with serving(store, "--workers", "2") as server, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(server.port)) for _ in range(4)]
        found = {key: clients[i % 4].heads(key) for i, key in enumerate(keys)}
        assert server.stop() == 0

    assert {key: arm for key, (_, arm, _) in found.items()} == expected
    versions = {"champion": "v1", "canary": "v2", "holdout": "v1"}
    assert {arm: version for version, arm, _ in found.values()} == versions
    assert {row["key"]: row["arm"] for row in recorded(store)} == expected


def test_a_shadow_answers_what_was_asked_and_says_whose_request_it_repeats(tmp_path):
    store = coin_store(tmp_path / "store")
    with serving(store) as server, house_at(store) as house:
        with Client(server.port) as client:
            client.heads("before")
            house.shadow("coin", "v2")
            assert wait(lambda: (store / "spool" / "shadow.json").exists())
            for i in range(30):
                client.heads(f"k{i}")
            assert wait(lambda: len(recorded(store, "shadow")) == 30)
            os.kill(server.child("live.shadow"), signal.SIGKILL)
            server.wait_for("shadow_lost")
            for i in range(30, 40):
                client.heads(f"k{i}")
            assert wait(lambda: len(recorded(store, "shadow")) >= 40)
        assert server.stop() == 0

    champions = {row["id"]: row["key"] for row in recorded(store, "champion")}
    shadows = recorded(store, "shadow")
    asked = [(id, key) for id, key in champions.items() if key != "before"]
    assert [(row["of"], row["key"]) for row in shadows] == asked
    assert {row["version"] for row in shadows} == {2}


def test_a_challenger_and_the_champion_before_answer_in_the_shadow_side_by_side(tmp_path):
    store = coin_store(tmp_path / "store", (1, 2, 3))
    kept = open_store(store)
    kept.commit(Decision("coin", "retrained", "two"), aliases={"shadow": 2, "fallback": 3})
    kept.close()
    with serving(store) as server:
        with Client(server.port) as client:
            assert wait(lambda: (store / "spool" / "shadow.json").exists())
            client.heads("first")
            assert wait(lambda: len(recorded(store, "shadow")) >= 1)
            for i in range(20):
                client.heads(f"k{i}")
            assert wait(lambda: len(recorded(store, "shadow")) >= 40)
        assert server.stop() == 0

    shadows = recorded(store, "shadow")
    asked = {row["id"] for row in recorded(store, "champion") if row["key"] != "first"}
    for version in (2, 3):
        told = [row["of"] for row in shadows if row["version"] == version]
        assert asked <= set(told)
        assert len(told) == len(set(told))


def test_a_server_that_others_can_reach_does_not_start_without_a_token(tmp_path):
    store = coin_store(tmp_path / "store")

    told = serve_once(store, "--host", "0.0.0.0")

    assert told.returncode == 6
    assert "Refused: 0.0.0.0 can be reached by others, and there is no token" in told.stderr
    assert "everfit token make NAME" in told.stderr


def test_a_store_has_one_keeper_and_a_port_one_server(tmp_path):
    store = coin_store(tmp_path / "store")
    with serving(store) as server:
        same_store = serve_once(store, "--port", "0")
        same_port = serve_once(tmp_path / "other", "--port", str(server.port))

    assert same_store.returncode == 4
    assert f"process {server.pid} serves it" in same_store.stderr
    assert same_port.returncode == 6
    assert f"port {server.port} cannot be had" in same_port.stderr


def serve_once(store: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """A server that cannot start: what it says, and how it ends."""
    command = [sys.executable, "-m", "everfit", "serve", "--store", str(store)]
    return subprocess.run(
        [*command, "--operate-port", "0", *options], capture_output=True, text=True, timeout=30
    )
