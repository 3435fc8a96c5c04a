"""The desk by itself: who answers, what is written down, and what an order changes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from everfit.errors import ModelUnknown, StoreFailed
from everfit.live import orders
from everfit.live.arms import Arms, arm_of
from everfit.live.desk.desk import Desk
from everfit.live.desk.limits import Limits, TooMuch
from everfit.store.log.frames import Predictions, split
from everfit.store.log.spool import Spool, read_segment
from tests.faces.http.working import packed

ROW = {"size": 1.0, "plan": "pro"}
BODY = json.dumps(ROW).encode()


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> dict[int, orders.Placed]:
    folder = tmp_path_factory.mktemp("versions")
    return {number: packed(folder, number) for number in (1, 2, 3)}


class Clock:
    """Nanoseconds that the test sets."""

    now = 1_800_000_000_000_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    made = Spool(tmp_path / "spool")
    yield made
    made.close()


@pytest.fixture
def desk(spool: Spool, clock: Clock) -> Desk:
    return Desk(spool, limits=Limits(rows=500), clock=clock)


def frames(spool: Spool) -> list[Predictions]:
    found = [
        split(frame)
        for path in sorted(Path(spool.folder).glob("*.spool"))
        for _, frame in read_segment(path, 0)
    ]
    return [frame for frame in found if isinstance(frame, Predictions)]


def order(
    arms: Arms, versions: dict[int, orders.Placed], *numbers: int, rev: int = 1
) -> dict[str, Any]:
    return orders.serve("coin", rev, arms, [versions[number] for number in numbers])


def test_an_id_is_never_given_twice_and_sorts_by_time(
    desk: Desk, versions: dict[int, orders.Placed], clock: Clock
) -> None:
    desk.apply(order(Arms(1), versions, 1))
    early = json.loads(desk.predict("coin", BODY))["id"]
    clock.now += 1_000_000
    ids = [json.loads(desk.predict("coin", BODY))["id"] for _ in range(50)]
    clock.now -= 5_000_000_000  # the clock is set back
    back = [json.loads(desk.predict("coin", BODY))["id"] for _ in range(50)]

    assert early < min(ids)
    assert max(back) < early
    assert len({early, *ids, *back}) == 101


def test_two_desks_give_different_ids_at_the_same_time(
    tmp_path: Path, versions: dict[int, orders.Placed], clock: Clock
) -> None:
    ids = set()
    for name in ("a", "b"):
        spool = Spool(tmp_path / name)
        desk = Desk(spool, clock=clock)
        desk.apply(order(Arms(1), versions, 1))
        ids.add(json.loads(desk.predict("coin", BODY))["id"])
        spool.close()

    assert len(ids) == 2


def test_the_clock_of_the_server_stands_in_the_record(
    desk: Desk, spool: Spool, versions: dict[int, orders.Placed], clock: Clock
) -> None:
    desk.apply(order(Arms(1), versions, 1))

    desk.predict("coin", BODY)

    (frame,) = frames(spool)
    assert frame.header.at_us == clock.now // 1_000
    assert (frame.header.model, frame.header.version, frame.header.keys) == ("coin", 1, None)


def test_rows_go_to_the_arm_of_their_key_in_one_body_and_in_many(
    desk: Desk, spool: Spool, versions: dict[int, orders.Placed]
) -> None:
    arms = Arms(1, canary=2, share=0.3, holdout=0.2)
    desk.apply(order(arms, versions, 1, 2))
    keys = [f"k-{i}" for i in range(300)]
    expected = {key: arm_of(key, arms, "coin") for key in keys}

    many = json.loads(desk.predict("coin", json.dumps([ROW | {"_key": k} for k in keys]).encode()))
    single = {
        key: json.loads(desk.predict("coin", json.dumps(ROW | {"_key": key}).encode()))
        for key in keys[:30]
    }

    assert [one["arm"] for one in many["predictions"]] == list(expected.values())
    assert {key: one["arm"] for key, one in single.items()} == {k: expected[k] for k in keys[:30]}
    versions_of = {"champion": "v1", "holdout": "v1", "canary": "v2"}
    assert all(one["version"] == versions_of[one["arm"]] for one in many["predictions"])
    logged = Counter[str]()
    for frame in frames(spool):
        n = len(json.loads(frame.request)) if frame.request.startswith(b"[") else 1
        assert n == len(frame.header.keys or ())
        logged[frame.header.arm] += n
    assert logged == Counter(expected.values()) + Counter(expected[k] for k in keys[:30])


def test_rows_without_key_are_split_by_their_ids(
    desk: Desk, versions: dict[int, orders.Placed]
) -> None:
    arms = Arms(1, canary=2, share=0.5)
    desk.apply(order(arms, versions, 1, 2))

    found = json.loads(desk.predict("coin", json.dumps([ROW] * 200).encode()))["predictions"]

    assert all(one["arm"] == arm_of(one["id"], arms, "coin") for one in found)
    assert 60 < sum(one["arm"] == "canary" for one in found) < 140


def test_a_new_order_keeps_the_versions_that_are_open(
    desk: Desk, versions: dict[int, orders.Placed]
) -> None:
    desk.apply(order(Arms(1), versions, 1))
    before = desk.served("coin").champion.opened

    desk.apply(order(Arms(1, canary=2, share=0.5), versions, 1, 2, rev=2))

    assert desk.served("coin").champion.opened is before
    desk.apply(order(Arms(2), versions, 2, rev=3))
    assert [one.name for one in desk.served("coin").versions] == ["v2"]


def test_an_order_without_the_version_of_an_arm_is_refused(
    desk: Desk, versions: dict[int, orders.Placed]
) -> None:
    desk.apply(order(Arms(1), versions, 1))

    reply = desk.apply(order(Arms(1, canary=3, share=0.1), versions, 1, 2, rev=2))

    assert reply is not None
    assert (reply["did"], reply["rev"]) == ("failed", 2)
    assert reply["error"]["got"] == "v3"
    assert desk.served("coin").rev == 1
    assert "coin" in desk.troubles()


def test_an_answer_that_cannot_be_written_down_is_not_given(
    desk: Desk, spool: Spool, versions: dict[int, orders.Placed], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.apply(order(Arms(1), versions, 1))

    def full(frame: bytes) -> None:
        raise StoreFailed("the spool cannot be appended to", got="No space left on device")

    monkeypatch.setattr(spool, "append", full)
    for body in (BODY, b"[" + BODY + b"]"):
        with pytest.raises(StoreFailed):
            desk.predict("coin", body)

    assert sum(desk.slots.read().values()) == 0.0


def test_an_explanation_costs_so_much_that_few_rows_may_have_one(
    desk: Desk, versions: dict[int, orders.Placed]
) -> None:
    desk.apply(order(Arms(1), versions, 1))

    with pytest.raises(TooMuch):
        desk.predict("coin", json.dumps([ROW] * 101).encode(), explain=True)


def test_a_dropped_model_is_unknown(desk: Desk, versions: dict[int, orders.Placed]) -> None:
    desk.apply(order(Arms(1), versions, 1))

    assert desk.apply(orders.drop("coin")) is None

    with pytest.raises(ModelUnknown, match="no model 'coin' here"):
        desk.predict("coin", BODY)


def test_warnings_that_are_many_are_summed_up(
    desk: Desk, versions: dict[int, orders.Placed]
) -> None:
    desk.apply(order(Arms(1), versions, 1))
    row = {f"extra {i}": i for i in range(30)}

    warnings = json.loads(desk.predict("coin", json.dumps(row).encode()))["warnings"]

    assert "none of the model's columns is given, so all of them count as missing" in warnings
    extra = [warning for warning in warnings if "no such column" in warning]
    assert len(extra) == 10
    assert warnings[-1] == "20 more columns that the model does not have are ignored"
