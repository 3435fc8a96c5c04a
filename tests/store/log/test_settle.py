"""Outcomes: whose they are, and which of several counts."""

from __future__ import annotations

import random
from typing import Any

import pytest
from sqlalchemy import event

from everfit.store.log import ingest, settle, tables
from everfit.store.log.settle import Earlier, standing
from everfit.store.log.spool import segments
from tests.store.log.build import DAY_US, Scene

HOUR = 3_600_000_000


def iso(hour: int) -> str:
    return f"2025-11-20T{hour:02d}:00:00+00:00"


def test_the_same_outcome_twice_counts_once(scene: Scene) -> None:
    spool = scene.spool()
    scene.predict(spool, id="a")
    receipts = scene.tell(spool, {"id": "a", "outcome": "yes"}, {"id": "a", "outcome": "yes"})
    scene.drain()
    receipts += scene.tell(spool, {"id": "a", "outcome": "yes"})
    scene.drain()

    assert scene.states(receipts) == ["counted", "repeated", "repeated"]
    assert scene.outcomes() == {"a": "yes"}
    spool.close()


def test_of_two_different_outcomes_the_later_counts_and_both_are_kept(scene: Scene) -> None:
    spool = scene.spool()
    scene.predict(spool, id="a")
    receipts = scene.tell(
        spool,
        {"id": "a", "outcome": "late", "at": iso(9)},
        {"id": "a", "outcome": "early", "at": iso(8)},
    )

    scene.drain()

    assert scene.states(receipts) == ["counted", "replaced"]
    assert scene.outcomes() == {"a": "late"}
    with scene.log.place.database.read() as connection:
        kept = connection.execute(tables.outcome.select()).all()
    assert sorted(bytes(row.value) for row in kept) == [b'"early"', b'"late"']
    spool.close()


@pytest.mark.parametrize(
    ("told", "state", "counts"),
    [
        (("yes", 10), "repeated", "yes"),  # says again what holds
        (("no", 10), "replaced", "no"),
        (("no", 1), "replaced", "yes"),  # about an earlier time
        (("no", None), "replaced", "no"),
        (("yes", None), "repeated", "yes"),
    ],
)
def test_a_second_outcome_against_a_first_at_two(
    told: tuple[str, int | None], state: str, counts: str
) -> None:
    value, hour = told
    at_us = 12 if hour is None else hour
    first = Earlier(b"yes", 2, 1)

    found = standing(value.encode(), at_us, hour is not None, [first])

    assert tables.STATES[found] == state
    second = [Earlier(value.encode(), at_us, 2)] if state != "repeated" else []
    assert max([first, *second], key=lambda o: (o.at_us, o.seq)).value.decode() == counts


def test_an_outcome_that_changes_back_needs_its_time_to_be_believed() -> None:
    before = [Earlier(b"yes", 1, 1), Earlier(b"no", 2, 2)]

    assert tables.STATES[standing(b"yes", 3, True, before)] == "replaced"
    assert tables.STATES[standing(b"yes", 3, False, before)] == "repeated"
    assert tables.STATES[standing(b"yes", 1, True, before)] == "repeated"


@pytest.mark.parametrize("values", [(1, 1.0), (0.5, 0.50), ("a", "a"), (True, True)])
def test_equal_values_are_the_same_outcome(file_scene: Scene, values: tuple[Any, Any]) -> None:
    spool = file_scene.spool()
    file_scene.predict(spool, id="a")
    receipts = file_scene.tell(spool, *({"id": "a", "outcome": value} for value in values))

    file_scene.drain()

    assert file_scene.states(receipts) == ["counted", "repeated"]
    spool.close()


@pytest.mark.parametrize("values", [(1, True), (1, "1"), (0, False)])
def test_values_of_other_kinds_are_other_outcomes(
    file_scene: Scene, values: tuple[Any, Any]
) -> None:
    spool = file_scene.spool()
    file_scene.predict(spool, id="a")
    receipts = file_scene.tell(spool, *({"id": "a", "outcome": value} for value in values))

    file_scene.drain()

    assert file_scene.states(receipts) == ["counted", "replaced"]
    spool.close()


def test_an_outcome_by_key_belongs_to_the_last_prediction_before_it(scene: Scene) -> None:
    spool = scene.spool()
    for hour, name in ((1, "early"), (5, "middle"), (9, "late")):
        scene.predict(spool, id=name, key="anna", at_us=scene.now_us + hour * HOUR)
    scene.predict(spool, id="other", key="bert", at_us=scene.now_us + 6 * HOUR)
    receipts = scene.tell(
        spool,
        {"key": "anna", "outcome": "x", "at": iso(7)},
        {"key": "anna", "outcome": "y", "at": iso(23)},
        {"key": "anna", "outcome": "z", "at": iso(0)},
    )

    scene.drain()

    assert scene.states(receipts) == ["counted", "counted", "unknown"]
    assert scene.outcomes() == {"middle": "x", "late": "y"}
    spool.close()


def test_an_unknown_outcome_is_kept_and_joined_when_its_prediction_comes(scene: Scene) -> None:
    first, second = scene.spool("w1"), scene.spool("w2")
    scene.now_us += HOUR
    receipts = scene.tell(first, {"id": "late", "outcome": "yes"}, {"key": "carl", "outcome": "no"})
    scene.drain()
    assert scene.states(receipts) == ["unknown", "unknown"]

    scene.predict(second, id="late", at_us=scene.now_us - 1)
    scene.predict(second, id="keyed", key="carl", at_us=scene.now_us - 1)
    scene.predict(second, key="carl", at_us=scene.now_us + 1)
    scene.drain()

    assert scene.states(receipts) == ["counted", "counted"]
    assert scene.outcomes() == {"late": "yes", "keyed": "no"}
    first.close()
    second.close()


def test_an_outcome_for_another_model_is_unknown(scene: Scene) -> None:
    spool = scene.spool()
    scene.predict(spool, id="a", key="k", model="prices")
    receipts = scene.tell(spool, {"id": "a", "outcome": 1}, {"key": "k", "outcome": 1})

    scene.drain()

    assert scene.states(receipts) == ["unknown", "unknown"]
    spool.close()


def test_an_outcome_waits_while_a_spool_was_not_read_to_its_end(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = scene.spool("a"), scene.spool("b")
    scene.predict(first, id="old", key="anna")
    scene.drain()
    listed = [path for path in segments(scene.spools) if path.parent.name == "a"]
    scene.predict(second, id="new", key="anna")
    (receipt,) = scene.tell(first, {"key": "anna", "outcome": "yes"})
    with monkeypatch.context() as patch:
        # at the first look the other worker's segment was not there yet
        looks = iter([listed, *[segments(scene.spools)] * 5])
        patch.setattr(ingest, "segments", lambda folder: next(looks))
        scene.drain()

    assert scene.states([receipt]) == ["counted"]
    assert scene.outcomes() == {"new": "yes"}
    first.close()
    second.close()


def test_a_shadow_gets_the_outcome_of_the_prediction_that_it_repeats(scene: Scene) -> None:
    server, shadow = scene.spool("a"), scene.spool("b")
    scene.predict(shadow, id="s1", arm="shadow", of="p", key="anna")
    scene.drain()
    scene.predict(server, id="p", key="anna")
    scene.drain()
    receipts = scene.tell(server, {"key": "anna", "outcome": "no"})

    scene.drain()

    assert scene.states(receipts) == ["counted"]
    assert scene.outcomes() == {"s1": "no", "p": "no"}
    server.close()
    shadow.close()


def test_any_order_of_drains_gives_the_same_outcomes(scene: Scene) -> None:
    rng = random.Random(0)
    spools = [scene.spool(f"w{k}") for k in range(3)]
    expected: dict[str, str] = {}
    for _ in range(60):
        name = scene.predict(rng.choice(spools))
        if rng.random() < 0.7:
            first, second = rng.sample(["a", "b", "c"], 2)
            scene.now_us += 1
            scene.tell(rng.choice(spools), {"id": name, "outcome": first})
            scene.now_us += 1
            scene.tell(rng.choice(spools), {"id": name, "outcome": second})
            expected[name] = second
        if rng.random() < 0.2:
            scene.drain()

    scene.drain()

    assert scene.outcomes() == expected
    for spool in spools:
        spool.close()


def test_a_great_number_of_outcomes_is_settled_in_parts(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settle, "MOST_ROWS", 7)
    spool = scene.spool()
    names = [scene.predict(spool) for _ in range(30)]
    receipts = [r for name in names for r in scene.tell(spool, {"id": name, "outcome": 1})]

    scene.drain()

    assert scene.states(receipts) == ["counted"] * 30
    spool.close()


def test_a_drain_of_predictions_alone_changes_nothing_but_their_tables(scene: Scene) -> None:
    spool = scene.spool()
    scene.predict(spool)
    scene.drain()
    written: list[bool] = []

    @event.listens_for(scene.log.place.database.engine, "begin")
    def begin(connection: Any) -> None:
        written.append(bool(connection.get_execution_options().get("everfit_write")))

    scene.predict(spool)
    scene.drain()

    assert written.count(True) == 1  # the rows with their positions
    spool.close()


def test_an_outcome_that_came_too_early_finds_its_prediction_after_quiet_drains(
    scene: Scene,
) -> None:
    spool = scene.spool()
    for _ in range(3):
        scene.predict(spool)
        scene.drain()
    receipts = scene.tell(spool, {"id": "late", "outcome": "yes"})
    scene.drain()
    assert scene.states(receipts) == ["unknown"]
    for _ in range(2):
        scene.predict(spool)
        scene.drain()

    scene.predict(spool, id="late")
    scene.drain()

    assert scene.states(receipts) == ["counted"]
    spool.close()


def test_an_outcome_without_a_label_is_kept_and_stands_in_for_nothing(scene: Scene) -> None:
    spool = scene.spool()
    scene.predict(spool, id="a")
    receipts = scene.tell(spool, {"id": "a", "outcome": "yes"})
    receipts += scene.tell(spool, {"id": "a", "outcome": "perhaps", "strange": True})
    scene.drain()
    scene.predict(spool, id="b")
    scene.drain()
    scene.now_us += 2 * DAY_US

    scene.log.seal()

    assert scene.states(receipts)[1] == "strange"
    assert scene.outcomes() == {"a": "yes"}
    with scene.log.place.database.read() as connection:
        (kept,) = connection.execute(tables.outcome.select()).all()
    assert bytes(kept.value) == b'"perhaps"'
    spool.close()
