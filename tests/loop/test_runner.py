"""The runner on real stores: who runs, what wakes it, what it does about failures and clocks."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from everfit.errors import Interrupted, ModelUnknown, Refused, StoreBusy
from everfit.loop.runner import Ending, Pace, Runner, once
from everfit.records import Step
from everfit.store import Journal, RunHandle, open_store
from tests.postgres import Server, new_server
from tests.restart.turns import make
from tests.store.build import AT, decision, release

WAIT_S = 60.0
QUICK = Pace(ttl_s=20.0, stand_by_s=0.05, look_s=0.05, rest_s=0.5)


def until(happened: Callable[[], object]) -> bool:
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        if happened():
            return True
        time.sleep(0.01)
    return False


Act = Callable[[str, RunHandle, Ending], Mapping[str, Any]]


@dataclass
class Stage:
    """A runner in a thread: what it said, and which models had a turn."""

    opener: Callable[[], Journal]
    act: Act = field(default=lambda model, hold, ending: {})
    every_s: float = 3600.0
    pace: Pace = QUICK
    turns: list[str] = field(default_factory=list)
    said: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.runner = Runner(
            self.opener,
            self._turn,
            lambda model: self.every_s,
            lambda event, facts: self.said.append((event, facts)),
            pace=self.pace,
        )
        self.thread = threading.Thread(target=self.runner.run, daemon=True)

    def _turn(self, model: str, hold: RunHandle, ending: Ending) -> Mapping[str, Any]:
        self.turns.append(model)
        return self.act(model, hold, ending)

    def events(self) -> list[str]:
        return [event for event, _ in self.said]

    def __enter__(self) -> Stage:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.runner.stop.set()
        self.thread.join(WAIT_S)
        assert not self.thread.is_alive()


@pytest.fixture
def opener(tmp_path: Path) -> Callable[[], Journal]:
    """Opens a store with two models."""
    for model in ("churn", "prices"):
        make(lambda: open_store(tmp_path), model)
    return lambda: open_store(tmp_path, create=False)


@pytest.fixture
def store(opener: Callable[[], Journal]) -> Iterator[Journal]:
    opened = opener()
    yield opened
    opened.close()


def test_every_model_has_its_turn_and_then_nothing_happens(opener: Callable[[], Journal]) -> None:
    with Stage(opener) as stage:
        assert until(lambda: len(stage.turns) == 2)
        time.sleep(0.2)

    assert stage.turns == ["churn", "prices"]
    assert stage.events() == ["runs"]


def test_a_turn_comes_again_when_its_time_is_over(opener: Callable[[], Journal]) -> None:
    with Stage(opener, every_s=0.01) as stage:
        assert until(lambda: stage.turns.count("prices") >= 3)


def test_what_another_wrote_wakes_the_runner(opener: Callable[[], Journal], store: Journal) -> None:
    with Stage(opener) as stage:
        assert until(lambda: len(stage.turns) == 2)

        store.commit(decision(kind="resumed"))

        assert until(lambda: len(stage.turns) == 4)


def test_a_model_that_comes_later_has_its_turn(
    opener: Callable[[], Journal], store: Journal
) -> None:
    with Stage(opener) as stage:
        assert until(lambda: len(stage.turns) == 2)

        run = store.begin_run("new", {})
        store.finish_run(run, "done", [decision("new", "studied")])

        assert until(lambda: "new" in stage.turns)


def test_what_a_turn_did_is_told(opener: Callable[[], Journal]) -> None:
    with Stage(opener, act=lambda model, hold, ending: {"steps": 3}) as stage:
        assert until(lambda: len(stage.said) == 3)

    assert stage.said[1] == ("turn", {"model": "churn", "steps": 3})


def test_a_model_that_fails_stops_no_other_and_is_in_the_ledger_once(
    opener: Callable[[], Journal], store: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("everfit.loop.runner.FIRST_BACK_OFF_S", 0.01)

    def act(model: str, hold: RunHandle, ending: Ending) -> Mapping[str, Any]:
        if model == "churn":
            raise ZeroDivisionError("by nought")
        return {}

    with Stage(opener, act=act, every_s=0.05) as stage:
        assert until(lambda: stage.turns.count("churn") >= 4)
        assert until(lambda: stage.turns.count("prices") >= 2)

    (written,) = store.decisions("churn")
    assert written.kind == "turn_failed"
    assert written.headline.endswith("ZeroDivisionError: by nought")
    assert store.decisions("prices") == ()
    waits = [facts["again_in_s"] for event, facts in stage.said if event == "turn_failed"]
    assert waits[:3] == [0.01, 0.02, 0.04]


def test_a_failure_of_a_moment_is_told_and_not_written(
    opener: Callable[[], Journal], store: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("everfit.loop.runner.FIRST_BACK_OFF_S", 0.01)
    failing = ["once"]

    def act(model: str, hold: RunHandle, ending: Ending) -> Mapping[str, Any]:
        if failing:
            raise OSError(failing.pop())
        return {}

    with Stage(opener, act=act) as stage:
        assert until(lambda: len(stage.turns) >= 3)

    assert stage.events().count("turn_failed") == 1
    assert store.decisions("churn") == ()


def test_a_person_who_runs_a_model_is_not_disturbed(
    opener: Callable[[], Journal], store: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("everfit.loop.runner.BUSY_S", 0.05)
    run = store.begin_run("churn", {})
    with Stage(opener) as stage:
        assert until(lambda: "prices" in stage.turns)
        assert "churn" not in stage.turns
        store.finish_run(run, "done")

        assert until(lambda: "churn" in stage.turns)

    assert "turn_failed" not in stage.events()


def test_a_hold_lives_as_long_as_its_turn(opener: Callable[[], Journal], store: Journal) -> None:
    pace = Pace(ttl_s=0.5, stand_by_s=0.05, look_s=0.05)

    def act(model: str, hold: RunHandle, ending: Ending) -> Mapping[str, Any]:
        if model == "churn":
            time.sleep(3 * pace.ttl_s)
            store.note(hold, [Step(model, "asked", "a", {}, AT)])
        return {}

    # a machine that is very busy may miss beats: it then tries again, and the step is written
    with Stage(opener, act=act, pace=pace):
        assert until(lambda: store.steps("churn"))


def test_a_runner_that_stands_by_takes_over_when_the_first_ends(
    opener: Callable[[], Journal],
) -> None:
    with Stage(opener) as first:
        assert until(lambda: len(first.turns) == 2)
        with Stage(opener) as second:
            assert until(lambda: "stands_by" in second.events())
            assert second.turns == []

            first.runner.stop.set()

            assert until(lambda: len(second.turns) == 2)

    assert second.said[-1] == ("runs", {"epoch": 2})


def test_a_turn_is_told_to_end_and_what_it_finished_is_kept(
    opener: Callable[[], Journal], store: Journal
) -> None:
    def act(model: str, hold: RunHandle, ending: Ending) -> Mapping[str, Any]:
        store.note(hold, [Step(model, "asked", "a", {}, AT)])
        while not ending():
            time.sleep(0.01)
        raise Interrupted("the fit was stopped")

    with Stage(opener, act=act) as stage:
        assert until(lambda: store.steps("churn"))

    assert stage.turns == ["churn"]
    assert stage.events() == ["runs"]
    store.hold("churn", ttl_s=5.0)  # it was let go


def test_there_may_be_no_store_yet(tmp_path: Path) -> None:
    place = tmp_path / "later"
    with Stage(lambda: open_store(place, create=False)) as stage:
        assert until(lambda: "store_lost" in stage.events())

        make(lambda: open_store(place), "churn")

        assert until(lambda: stage.turns == ["churn"])

    assert stage.events() == ["store_lost", "store_back", "runs"]


def test_a_database_that_another_keeps_locked_is_waited_for(
    opener: Callable[[], Journal], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("everfit.store.database.BUSY_MS", 50)
    pace = Pace(ttl_s=0.4, stand_by_s=0.05, look_s=0.05)
    with Stage(opener, pace=pace, every_s=0.05) as stage:
        assert until(lambda: len(stage.turns) >= 2)
        blocker = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
        blocker.execute("BEGIN EXCLUSIVE")
        assert until(lambda: "lost_its_right" in stage.events() or "store_lost" in stage.events())
        blocker.execute("ROLLBACK")
        blocker.close()
        before = len(stage.turns)

        assert until(lambda: len(stage.turns) >= before + 4)


def test_a_store_that_is_moved_away_and_back_is_waited_for(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    make(lambda: open_store(here), "churn")
    pace = Pace(ttl_s=0.5, stand_by_s=0.05, look_s=0.05)
    with Stage(lambda: open_store(here, create=False), pace=pace, every_s=0.05) as stage:
        assert until(lambda: len(stage.turns) >= 2)
        here.rename(there)
        assert until(lambda: "store_lost" in stage.events())
        there.rename(here)
        before = len(stage.turns)

        assert until(lambda: len(stage.turns) >= before + 3)

    assert "store_back" in stage.events()


def test_a_server_that_is_away_and_comes_back_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("everfit.store.database.GONE_S", 0.1)
    server: Server = new_server()
    make(lambda: open_store(server.url, files=tmp_path), "churn")
    pace = Pace(ttl_s=1.0, stand_by_s=0.05, look_s=0.05)
    with Stage(lambda: open_store(server.url, files=tmp_path), pace=pace, every_s=0.05) as stage:
        assert until(lambda: len(stage.turns) >= 2)
        server.stop()
        assert until(lambda: "store_lost" in stage.events() or "lost_its_right" in stage.events())
        server.start()
        before = len(stage.turns)

        assert until(lambda: len(stage.turns) >= before + 3)


@pytest.mark.parametrize("leap_s", [365 * 86_400.0, -365 * 86_400.0])
def test_a_clock_that_leaps_stops_nothing(
    opener: Callable[[], Journal], tmp_path: Path, leap_s: float
) -> None:
    leap = [0.0]

    def leaping() -> Journal:
        return open_store(tmp_path, clock=lambda: datetime.now(UTC) + timedelta(seconds=leap[0]))

    pace = Pace(ttl_s=1.0, stand_by_s=0.05, look_s=0.05)
    with Stage(leaping, pace=pace, every_s=0.05) as stage:
        assert until(lambda: len(stage.turns) >= 2)
        leap[0] = leap_s
        before = len(stage.turns)

        assert until(lambda: len(stage.turns) >= before + 4)


def test_of_two_who_promote_at_once_one_is_told_of_the_other(
    opener: Callable[[], Journal], store: Journal
) -> None:
    told: list[str] = []
    release(store, None, 1)
    release(store, None, 2)
    release(store, None, 3)

    def act(model: str, hold: RunHandle, ending: Ending) -> Mapping[str, Any]:
        if model == "churn" and not told:
            store.commit(decision(kind="promoted", by="maria"), aliases={"champion": 1})
            told.append("maria was first")
            store.commit(decision(kind="promoted"), aliases={"champion": 2}, run=hold)
        return {}

    with Stage(opener, act=act) as stage:
        assert until(lambda: "turn_failed" in stage.events())
        assert until(lambda: stage.turns.count("churn") >= 2)

    assert store.champion("churn").number == 1  # type: ignore[union-attr]
    assert [d.by for d in store.decisions("churn", kinds=("promoted",))] == ["maria"]


def test_one_turn_alone_needs_no_right_to_run(
    opener: Callable[[], Journal], store: Journal
) -> None:
    with Stage(opener) as stage:
        assert until(lambda: len(stage.turns) == 2)

        done = once(store, "churn", lambda model, hold, ending: {"model": model}, threading.Event())

    assert done == {"model": "churn"}


def test_one_turn_alone_is_refused_where_another_is_under_way(store: Journal) -> None:
    store.hold("churn", ttl_s=60.0)

    with pytest.raises(StoreBusy, match="a turn of the loop holds model 'churn'"):
        once(store, "churn", lambda model, hold, ending: {}, threading.Event())


def test_one_turn_alone_raises_what_the_turn_raised_and_lets_go(store: Journal) -> None:
    def act(model: str, hold: RunHandle, ending: Ending) -> Mapping[str, Any]:
        raise Refused("no")

    with pytest.raises(Refused, match="no"):
        once(store, "churn", act, threading.Event())
    with pytest.raises(ModelUnknown, match="did you mean 'churn'"):
        once(store, "chrun", act, threading.Event())

    store.hold("churn", ttl_s=1.0)
