"""What waits, for how long, and what is never told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from everfit import wire
from everfit.house import House
from everfit.mirror.outbox import Item, Outbox
from everfit.store import open_store
from everfit.store.journal import Journal
from tests.faces.build import decision, version

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
TARGET = "http://mlflow.example"


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


def commit(store: Journal, number: int, kind: str, aliases: dict[str, int | None]) -> None:
    """A version with its decision, and one file."""
    with store.packing("churn", number) as folder:
        (folder / "plan.json").write_text("{}")
    made = replace(version(number), folder=str(store.folder("churn", number)), run="1")
    made = replace(made, state="challenger")
    told = replace(decision(kind=kind, version=f"v{number}"), run="1", id=0)
    store.commit(told, version=made, aliases=aliases)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Journal]:
    store = open_store(tmp_path / "store")
    handle = store.begin_run("churn", {"seed": 1})
    commit(store, 1, "released", {"champion": 1})
    store.finish_run(handle, "done", result={})
    yield store
    store.close()


@pytest.fixture
def house(store: Journal, tmp_path: Path) -> Iterator[House]:
    with wire.house(tmp_path / "store") as house:
        yield house


def waiting(house: House, **options: object) -> list[str]:
    box = Outbox(house, TARGET, **options)  # type: ignore[arg-type]
    return [f"{item.kind} {item.key}" for item in box.waiting()]


def alias_items(house: House) -> list[Item]:
    return [item for item in Outbox(house, TARGET).waiting() if item.kind == "alias"]


def test_a_version_comes_after_its_run_and_before_its_alias(house: House) -> None:
    assert waiting(house) == [
        "run churn/1",
        "end churn/1",
        "version churn/v1",
        "decision churn/1",
        "alias churn/champion@1",
        "alias churn/challenger@1.0",
    ]


def test_nothing_waits_where_there_are_no_models(tmp_path: Path) -> None:
    open_store(tmp_path / "new").close()

    with wire.house(tmp_path / "new") as house:
        assert waiting(house) == []


def test_a_run_that_is_not_over_is_not_told(store: Journal, house: House) -> None:
    store.begin_run("churn", {})

    assert "run churn/2" not in waiting(house)


def test_what_arrived_does_not_wait_in_another_process_either(house: House) -> None:
    Outbox(house, TARGET).arrived("run", "churn/1", "abc")

    box = Outbox(house, TARGET)

    assert box.remote("run", "churn/1") == "abc"
    assert "run churn/1" not in waiting(house)
    assert "run churn/1" in waiting(house, again=True)


def test_another_server_is_told_on_its_own(house: House) -> None:
    Outbox(house, "http://other").arrived("run", "churn/1", "abc")

    assert "run churn/1" in waiting(house)


def test_an_item_is_ready_when_what_it_needs_is_there(house: House) -> None:
    box = Outbox(house, TARGET)
    release = next(item for item in box.waiting() if item.kind == "version")
    before = box.is_ready(release)

    box.arrived("run", "churn/1", "abc")

    assert (before, box.is_ready(release)) == (False, True)


def test_what_fails_waits_twice_as_long_each_time(house: House) -> None:
    clock = Clock()
    box = Outbox(house, TARGET, clock=clock)
    due = []

    for seconds in (5, 10, 20):
        box.failed("run", "churn/1", "no")
        clock.now += timedelta(seconds=seconds - 1)
        due.append(Outbox(house, TARGET, clock=clock).is_due("run", "churn/1"))
        clock.now += timedelta(seconds=1)
        due.append(Outbox(house, TARGET, clock=clock).is_due("run", "churn/1"))

    assert due == [False, True] * 3


def test_a_clock_that_is_set_back_does_not_stop_the_mirror(house: House) -> None:
    clock = Clock()
    box = Outbox(house, TARGET, clock=clock)
    box.failed("run", "churn/1", "no")

    clock.now -= timedelta(days=400)

    assert box.is_due("run", "churn/1")


def test_a_server_that_failed_once_long_ago_starts_from_the_beginning(house: House) -> None:
    clock = Clock()
    box = Outbox(house, TARGET, clock=clock)
    for _ in range(4):
        box.server_failed("down")
    clock.now += timedelta(seconds=39)
    still = box.is_server_due()
    box.server_answered()

    box.server_failed("down")
    clock.now += timedelta(seconds=5)

    assert not still
    assert Outbox(house, TARGET, clock=clock).is_server_due()


def test_no_password_is_written_down(house: House) -> None:
    box = Outbox(house, TARGET)

    box.failed("run", "churn/1", "cannot reach http://me:secret@mlflow.example/api")

    assert box.errors() == ("cannot reach http://mlflow.example/api",)


def test_a_store_keeps_its_name(house: House) -> None:
    first = Outbox(house, TARGET).store_id()

    assert Outbox(house, TARGET, again=True).store_id() == first
    assert len(first) == 12


def test_the_newest_version_that_never_served_is_the_challenger(
    store: Journal, house: House
) -> None:
    commit(store, 2, "kept", {})
    commit(store, 3, "inconclusive", {})

    items = {item.record.name: item for item in alias_items(house)}

    assert items["challenger"].record.to == "v3"
    assert items["challenger"].needs == (("version", "churn/v3"),)


def test_a_challenger_that_was_promoted_is_one_no_more(store: Journal, house: House) -> None:
    commit(store, 2, "promoted", {"champion": 2, "previous": 1})

    moves = {item.record.name: item.record.to for item in alias_items(house)}

    assert moves == {"champion": "v2", "previous": "v1", "challenger": None}


def test_an_alias_that_moved_away_and_back_is_told_again(store: Journal, house: House) -> None:
    commit(store, 2, "promoted", {"champion": 2})
    box = Outbox(house, TARGET)
    for item in alias_items(house):
        box.arrived(item.kind, item.key, "there")

    store.commit(decision(kind="rolled_back", version="v1", run="", id=0), aliases={"champion": 1})

    assert [item.record.to for item in alias_items(house) if item.record.name == "champion"] == [
        "v1"
    ]
