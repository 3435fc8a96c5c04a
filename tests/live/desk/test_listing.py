"""The desk of lists by itself: arms, what is written down, and what was met since the fit."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from everfit.errors import ModelUnknown, Refused, SettingsError, StoreFailed
from everfit.live import orders
from everfit.live.arms import Arms, arm_of
from everfit.live.desk.desk import Desk
from everfit.live.desk.met import Memory, Met
from everfit.live.desk.version import opened_rows
from everfit.store.log.frames import Predictions, split
from everfit.store.log.spool import Spool, read_segment
from tests.live.shelves import HALF, MODEL, pack_lists

KEY = b"k" * 32


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> dict[int, orders.Placed]:
    found = {}
    for number in (1, 2):
        folder = tmp_path_factory.mktemp(f"v{number}")
        found[number] = orders.Placed(number, str(folder), pack_lists(folder, number, KEY))
    return found


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    made = Spool(tmp_path / "spool")
    yield made
    made.close()


@pytest.fixture
def desk(spool: Spool) -> Desk:
    return Desk(spool)


def give(desk: Desk, versions: dict[int, orders.Placed], arms: Arms, rev: int = 1) -> Any:
    return desk.apply(orders.serve(MODEL, rev, arms, list(versions.values())))


def ask(desk: Desk, path: str = "recommend", **fields: Any) -> dict[str, Any]:
    listing = desk.listing
    answer = {"recommend": listing.recommend, "similar": listing.similar}[path]
    return dict(json.loads(answer(MODEL, json.dumps(fields).encode())))


def frames(spool: Spool) -> list[Predictions]:
    found = [
        split(frame)
        for path in sorted(Path(spool.folder).glob("*.spool"))
        for _, frame in read_segment(path, 0)
    ]
    return [one for one in found if isinstance(one, Predictions)]


def test_every_list_is_written_down_before_it_is_given(
    desk: Desk, spool: Spool, versions: dict[int, orders.Placed]
) -> None:
    assert give(desk, versions, Arms(1))["did"] == "serving"

    listed = ask(desk, user="u1", k=3)
    near = ask(desk, "similar", item=115, k=2)

    first, second = frames(spool)
    assert first.header.keys == ["u1"]
    row, said = json.loads(first.request), json.loads(first.answer)
    assert (row["user"], row["k"], row["fallback"]) == ("u1", 3, None)
    assert json.loads(row["items"]) == [one["item"] for one in listed["items"]]
    assert (said["id"], said["prediction"]) == (listed["id"], listed["items"][0]["item"])
    row = json.loads(second.request)
    assert (row["near"], second.header.keys) == (115, None)
    assert json.loads(row["items"]) == [one["item"] for one in near["items"]]


def test_a_list_that_cannot_be_written_down_is_not_given(
    desk: Desk, spool: Spool, versions: dict[int, orders.Placed], monkeypatch: pytest.MonkeyPatch
) -> None:
    give(desk, versions, Arms(1))

    def full(frame: bytes) -> None:
        raise StoreFailed("no room")

    monkeypatch.setattr(spool, "append", full)

    with pytest.raises(StoreFailed, match="no room"):
        ask(desk, user="u1")
    with pytest.raises(StoreFailed, match="no room"):
        desk.listing.interactions(MODEL, b'{"user": "new", "item": 115}')
    monkeypatch.undo()
    assert "not known" in ask(desk, user="new")["fallback"]


def test_a_canary_answers_its_share_of_users_and_each_stays_in_its_arm(
    desk: Desk, versions: dict[int, orders.Placed]
) -> None:
    arms = Arms(1, canary=2, share=0.5, holdout=0.2)
    give(desk, versions, arms)
    users = [f"u{i}" for i in range(60)]

    answered = {user: ask(desk, user=user) for user in users}

    assert {user: one["arm"] for user, one in answered.items()} == {
        user: arm_of(user, arms, MODEL) for user in users
    }
    counts = Counter(one["arm"] for one in answered.values())
    assert set(counts) == {"champion", "canary", "holdout"}
    assert {(one["arm"], one["version"]) for one in answered.values()} == {
        ("champion", "v1"), ("canary", "v2"), ("holdout", "v1"),
    }  # fmt: skip


def test_a_version_that_is_named_answers_in_no_comparison(
    desk: Desk, versions: dict[int, orders.Placed]
) -> None:
    give(desk, versions, Arms(1, canary=2, share=0.5))

    answer = json.loads(desk.listing.recommend(MODEL, b'{"user": "u1"}', version="v2"))

    assert (answer["version"], answer["arm"]) == ("v2", "direct")
    with pytest.raises(ModelUnknown, match="does not answer here"):
        desk.listing.recommend(MODEL, b'{"user": "u1"}', version="v9")


def test_a_version_that_comes_later_knows_what_was_met_before(
    desk: Desk, versions: dict[int, orders.Placed]
) -> None:
    only_two = {2: versions[2]}
    give(desk, only_two, Arms(2))
    told = desk.listing.interactions(MODEL, b'[{"user": "new", "item": 115}]')
    assert told == {"accepted": 1, "counted": 1, "unknown": 0}

    give(desk, versions, Arms(1), rev=2)

    answer = ask(desk, user="new", k=3)
    assert (answer["version"], answer["fallback"]) == ("v1", None)
    assert all(one["item"] >= 100 + HALF for one in answer["items"])


def test_what_the_keeper_tells_counts_once_and_after_forgetting_no_more(
    desk: Desk, versions: dict[int, orders.Placed]
) -> None:
    give(desk, versions, Arms(1))
    listing = desk.listing
    rows = [["a", "new", "115", 1.7e9, 1.0], ["b", "new", "116", 1.7e9, 1.0]]

    listing.told(MODEL, rows, 2)
    listing.told(MODEL, rows, 2)

    assert listing.upto(MODEL) == 2
    assert ask(desk, user="new")["fallback"] is None
    listing.forget(MODEL, "new")
    assert "not known" in ask(desk, user="new")["fallback"]
    listing.told(MODEL, rows, 2)
    assert "not known" in ask(desk, user="new")["fallback"]


def test_a_model_may_change_from_lists_to_rows_and_be_dropped(
    desk: Desk, versions: dict[int, orders.Placed], tmp_path: Path
) -> None:
    from tests.faces.http.working import packed

    give(desk, versions, Arms(1))
    assert not desk.row_models
    placed = packed(tmp_path, 3)

    desk.apply(orders.serve(MODEL, 2, Arms(3), [placed]))

    assert list(desk.row_models) == list(desk.models()) == [MODEL]
    with pytest.raises(Refused, match="answers rows"):
        desk.listed(MODEL)
    give(desk, versions, Arms(1), rev=3)
    with pytest.raises(Refused, match="answers with ranked lists"):
        desk.predict(MODEL, b"{}")
    desk.apply(orders.drop(MODEL))
    with pytest.raises(ModelUnknown, match="there is no model"):
        desk.listed(MODEL)


def test_a_version_whose_golden_lists_differ_is_not_served(
    desk: Desk, versions: dict[int, orders.Placed], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(desk, versions, Arms(1))
    sha256 = pack_lists(tmp_path, 3, KEY)
    from everfit.serve.lists.lists import Lists

    real = Lists.numbers

    def swapped(self: Lists, values: Any, past: object = ()) -> list[float]:
        return real(self, {"user": "u1"})

    monkeypatch.setattr(Lists, "numbers", swapped)
    placed = orders.Placed(3, str(tmp_path), sha256)
    reply = desk.apply(orders.serve(MODEL, 2, Arms(3), [placed]))

    assert reply is not None
    assert reply["did"] == "failed"
    assert "golden" in reply["error"]["message"]
    assert desk.listed(MODEL).champion.version == "v1"


def test_who_answers_rows_alone_opens_no_lists(versions: dict[int, orders.Placed]) -> None:
    with pytest.raises(Refused, match="answers with lists"):
        opened_rows(versions[1])


@pytest.mark.parametrize("values", [{"share": 2.0}, {"share": 0.1, "heat": 1}])
def test_a_way_to_try_things_that_is_none_is_refused(
    desk: Desk, versions: dict[int, orders.Placed], values: dict[str, Any]
) -> None:
    give(desk, versions, Arms(1))

    with pytest.raises(SettingsError, match="explore"):
        desk.explores({MODEL: values})


def test_a_memory_keeps_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("everfit.live.desk.met.MOST", 10)
    memory = Memory()

    for at in range(25):
        memory.take([Met(str(at), "u", "i", float(at))])

    assert memory.place == 25
    assert [one.id for one in memory.since(22)] == ["22", "23", "24"]
    assert 5 <= len(memory.met) <= 10
    assert memory.take([Met("24", "u", "i", 24.0)]) == []


def test_a_worker_loads_what_lists_need_for_lists_alone() -> None:
    code = (
        "import sys, everfit.faces.http.worker\n"
        "heavy = {'polars', 'pandas', 'sklearn', 'sqlalchemy', 'lightgbm', 'pyarrow'}\n"
        "rows = heavy | {'scipy', 'everfit.lists', 'everfit.live.desk.listing'}\n"
        "print(sorted(rows & set(sys.modules)))\n"
        "import everfit.live.desk.listing, everfit.serve.lists.opening\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n[]\n"
