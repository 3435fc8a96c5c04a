"""From a turn of the loop to a receiver: what a turn finds is written, and sent beside it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest

from everfit import wire
from everfit.errors import Unreachable
from everfit.faces.cli.main import main
from everfit.loop.runner import failed, once
from everfit.plain import as_plain
from everfit.records import Step
from everfit.settings import read_settings
from everfit.store import open_store
from tests.alert.looks import FLOOR, health
from tests.alert.receivers import Receiver, receiving
from tests.faces.http.stores import MODEL, released_store


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with one version whose last look says that a floor is broken."""
    shutil.copytree(released_store(), tmp_path / "store")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVERFIT_STORE", str(tmp_path / "store"))
    seen = replace(health(FLOOR), model=MODEL)
    store = open_store(tmp_path / "store")
    hold = store.hold(MODEL, ttl_s=60.0)
    now = datetime.now(UTC)
    store.note(hold, [
        Step(MODEL, "health", "k", as_plain(seen), now),
        Step(MODEL, "action", "k", {"act": "nothing", "values": {}, "details": {}}, now),
    ])  # fmt: skip
    store.let_go(hold)
    store.close()
    return tmp_path


@pytest.fixture
def receiver(place: Path) -> Iterator[Receiver]:
    with receiving(Receiver()) as open_one:
        text = f'[alerts.webhooks.ops]\nurl = "{open_one.url()}"\nprivate = true\n'
        (place / "everfit.toml").write_text(text)
        yield open_one


def causes(receiver: Receiver) -> list[str]:
    return [json.loads(got.body)["cause"] for got in receiver.got]


def test_a_turn_by_hand_writes_and_sends(
    place: Path, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tick"]) == 0
    assert main(["tick"]) == 0

    assert causes(receiver) == ["floor"]
    assert "alerts:" not in capsys.readouterr().err


def test_a_target_that_is_away_costs_a_turn_nothing(
    place: Path, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.answers = [(503, "", {})]

    assert main(["tick"]) == 0

    assert "alerts: ops: it answered 503; 1 waiting" in capsys.readouterr().err


def test_the_loop_of_a_server_sends_beside_its_turns(place: Path, receiver: Receiver) -> None:
    turns = wire.turning(None, lambda: read_settings())
    heard = Event()
    courier = wire.courier(turns, lambda event, facts: heard.set())
    turns.after = courier.wake
    try:
        once(turns.store(), MODEL, turns.turn, Event())
        assert heard.wait(30)
    finally:
        courier.close()
        turns.close()

    assert causes(receiver) == ["floor"]


def test_a_turn_that_failed_is_told_by_the_next_one(place: Path, receiver: Receiver) -> None:
    store = open_store(place / "store")
    store.commit(failed(MODEL, Unreachable("the source is away")))
    store.close()

    main(["tick"])

    assert sorted(causes(receiver)) == ["floor", "turn"]


def test_rules_that_contradict_each_other_stop_the_turn_and_not_the_alerts(
    place: Path, receiver: Receiver
) -> None:
    with (place / "everfit.toml").open("a") as file:
        file.write("[policy]\nfits_a_year = 0\n")
    store = open_store(place / "store")
    store.commit(failed(MODEL, Unreachable("the source is away")))
    store.close()

    assert main(["tick"]) == 2

    assert sorted(causes(receiver)) == ["floor", "turn"]
