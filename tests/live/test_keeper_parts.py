"""The keeper's wiring, with workers of a few lines: versions that kill, questions, settings."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from everfit.errors import SettingsError, StoreBusy, Unreachable
from everfit.live.held import held
from everfit.live.keeper import TROUBLES, Keeper, Setup
from everfit.live.orders import Start
from everfit.store.log import Log
from tests.live.coins import coin_store, house_at, wait

STUB = (sys.executable, "-m", "tests.live.worker_of_test")
Said = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def said() -> Said:
    return []


def setup(store: Path, said: Said, **changes: Any) -> Setup:
    given: dict[str, Any] = {
        "root": store,
        "glanced": True,
        "spools": store / "spool",
        "start": Start(0, os.getpid(), (), str(store / "spool"), grace_s=2.0),
        "workers": 1,
        "keep_days": None,
        "open_house": lambda: house_at(store),
        "open_log": lambda house: Log.open(store),
        "tell": lambda house, log, call, args: (200, {"call": call, **args}),
        "say": lambda event, facts: said.append((event, dict(facts))),
        "reread": lambda: {"hosts": ["new.example"]},
        "worker": STUB,
    }
    return Setup(**given | changes)


@pytest.fixture
def made(said) -> Iterator[list[Keeper]]:
    keepers: list[Keeper] = []
    yield keepers
    for keeper in keepers:
        keeper.crew.close(1.0)
        keeper.pointers.close()
        if keeper._house is not None:
            keeper._house.close()


def begun(keepers: list[Keeper], setup: Setup) -> Keeper:
    keeper = Keeper(setup)
    keepers.append(keeper)
    keeper.crew.open()
    return keeper


def events(said: Said, name: str) -> list[dict[str, Any]]:
    return [facts for event, facts in list(said) if event == name]


def test_a_version_that_kills_workers_is_taken_back_and_recorded(tmp_path, said, made):
    store = coin_store(tmp_path / "store", model="dies")
    keeper = begun(made, setup(store, said))
    keeper.following.step()
    keeper.crew.go()
    assert wait(lambda: events(said, "worker_lost") != [])

    assert wait(lambda: keeper.following.step() or keeper.following.models() == {})
    assert wait(lambda: keeper.crew.wait_ready(0.1))
    keeper._record_incidents()
    keeper._record_incidents()

    assert events(said, "incident")[0]["headline"] == "v1 could not be served; nobody answers"
    with house_at(store) as house:
        made_known = house.decisions("dies")[0]
    assert made_known.kind == "incident"
    assert made_known.because[0].rule == "loads in a worker"
    assert "SIGSEGV" in made_known.because[0].note


def test_an_incident_waits_for_a_ledger_that_is_away_and_is_not_repeated_by_a_restart(
    tmp_path, said, made
):
    store = coin_store(tmp_path / "store")
    (store / "models" / "coin" / "v1" / "plan.json").write_text("{}")
    away = [True]

    def open_house() -> Any:
        if away[0]:
            raise Unreachable("the database is away")
        return house_at(store)

    keeper = begun(made, setup(store, said, open_house=open_house))
    keeper.following.step()
    with pytest.raises(Unreachable, match="away"):
        keeper._record_incidents()
    away[0] = False
    keeper._record_incidents()
    again = begun(made, setup(store, said))
    again.following.step()
    again._record_incidents()

    assert len(events(said, "incident")) == 2
    with house_at(store) as house:
        kinds = [one.kind for one in house.decisions("coin")]
    assert kinds.count("incident") == 1


def test_a_version_that_workers_refuse_is_taken_back_and_recorded(tmp_path, said, made):
    store = coin_store(tmp_path / "store", model="fails")
    keeper = begun(made, setup(store, said))
    keeper.following.step()

    assert wait(lambda: keeper.following.step() or keeper.following.models() == {})
    assert events(said, "incident") != []


def test_a_question_is_answered_from_the_stores_and_an_error_keeps_its_status(tmp_path, said, made):
    store = coin_store(tmp_path / "store")
    keeper = begun(made, setup(store, said))
    keeper.following.step()

    assert keeper._told("models", {}) == (200, {"call": "models"})
    state = keeper.state()
    assert state["models"]["coin"]["champion"] == 1
    assert state["log"] == "waiting"

    def away() -> Any:
        raise Unreachable("the database at 10.0.0.7 is away", got="user everfit", do="wait")

    other = begun(made, setup(store, said, open_house=away))
    status, body = other._told("models", {})
    assert (status, body["error"]["code"]) == (503, "Unreachable")
    assert "10.0.0.7" not in str(body) and "user everfit" not in str(body)
    assert events(said, "not_told")[0]["message"] == "the database at 10.0.0.7 is away"


def test_a_question_that_fails_in_a_way_that_nobody_foresaw_is_answered_too(tmp_path, said, made):
    def broken(*_: Any) -> Any:
        raise RuntimeError("at /srv/secret")

    keeper = begun(made, replace(setup(coin_store(tmp_path / "store"), said), tell=broken))

    status, body = keeper._told("models", {})

    assert (status, body["error"]["code"]) == (500, "StoreFailed")
    assert "/srv/secret" not in str(body)
    assert events(said, "not_told")[0]["message"] == "at /srv/secret"


def test_a_server_that_may_not_start_leaves_the_counters_of_the_one_that_runs(tmp_path, said, made):
    plain = setup(coin_store(tmp_path / "store"), said)
    start = replace(plain.start, serving={"metrics": str(tmp_path / "metrics")})
    keeper = begun(made, replace(plain, start=start))
    (tmp_path / "metrics").mkdir()
    counters = tmp_path / "metrics" / "w1.slots"
    counters.write_bytes(b"\0")

    with held(plain.spools), pytest.raises(StoreBusy):
        keeper.run(lambda: None)

    assert counters.exists()


def test_traffic_is_told_with_the_arms_and_since_when_they_stand(tmp_path, said, made):
    store = coin_store(tmp_path / "store")
    with house_at(store) as house:
        house.canary("coin", "v2", 0.5)
    keeper = begun(made, setup(store, said))
    keeper.following.step()
    keeper.ingest.open()
    assert wait(lambda: keeper.log() is not None)

    _, body = keeper._told("traffic", {"model": "coin"})
    assert body["arms"]["canary"] == 2
    assert body["since"] is not None
    _, body = keeper._told("traffic", {"model": "coin", "since": "2026-01-01"})
    assert body["since"] == "2026-01-01"
    keeper.ingest.close(2.0)


def test_a_lost_log_is_told_to_workers_and_to_those_that_come_later(tmp_path, said, made):
    store = coin_store(tmp_path / "store")
    told: list[Mapping[str, Any]] = []
    keeper = begun(made, setup(store, said))
    keeper.crew.stand = lambda name, message: told.append(message)  # type: ignore[method-assign]

    keeper._say("log_lost", {"message": "/srv/store/log.db: the disk is full"})
    keeper._say("log_back", {})
    keeper._say("worker_lost", {})

    assert told == [
        {"do": "trouble", "name": "log", "reason": TROUBLES["log"]},
        {"do": "trouble", "name": "log", "reason": ""},
    ]


def test_settings_that_cannot_be_read_again_leave_those_that_hold(tmp_path, said, made):
    store = coin_store(tmp_path / "store")

    def wrong() -> Mapping[str, Any]:
        raise SettingsError("port cannot be used")

    keeper = begun(made, setup(store, said, reread=wrong))
    keeper._reread()
    assert [event for event, _ in said] == ["settings_not_read"]

    keeper = begun(made, setup(store, said))
    keeper._reread()
    assert said[-1][0] == "settings_read"
