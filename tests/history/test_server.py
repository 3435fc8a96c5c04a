"""A server whose answers depend on what happened before: its log, sources, and neither."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from everfit import wire
from everfit.house import House
from everfit.live.arms import Arms
from everfit.live.orders import Placed
from everfit.live.shadow.child import Shade
from everfit.live.shadow.past import with_past
from everfit.live.sources import Sources
from everfit.loop import RunResult
from everfit.store.log import Log
from everfit.store.log.frames import Predictions, split
from everfit.store.log.repeat import Repeatable
from everfit.store.log.spool import Spool, read_segment
from tests.faces.http.working import Keeper
from tests.live.coins import Client, Server, serving, wait

ROW = {"size": 0.0, "plan": "pro"}
TOML = """
[models.m.sources.booked]
source = "booked/*.parquet"
key = "who"
time = "when"
outcome = "showed"
reread = "1h"
"""


@pytest.fixture(scope="module")
def folder(
    released: tuple[House, RunResult, Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A store of its own, with settings and a source beside it."""
    _, _, made = released
    folder = tmp_path_factory.mktemp("served")
    shutil.copytree(made / "store", folder / "store")
    (folder / "everfit.toml").write_text(TOML)
    (folder / "booked").mkdir()
    book(folder, "a", [("old-friend", 1, "yes"), ("old-friend", 2, "yes"), ("stranger", 3, "no")])
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with serving(folder / "store", "--workers", "2") as server, Client(server.port) as client:
        # the log is opened after the first answers
        assert wait(lambda: not asked(client, "nobody")["warnings"])
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.port) as client:
        yield client


def book(folder: Path, name: str, told: list[tuple[str, int, str]]) -> None:
    """A file of the source: who, how many days ago, and what came of it."""
    now = datetime.now()
    frame = {
        "who": [who for who, _, _ in told],
        "when": [now - timedelta(days=days) for _, days, _ in told],
        "showed": [showed for _, _, showed in told],
    }
    pl.DataFrame(frame).write_parquet(folder / "booked" / f"{name}.parquet")


def asked(client: Client, key: str, **more: Any) -> dict[str, Any]:
    status, body = client.post("/models/m/predict", ROW | {"customer": key} | more)
    assert status == 200, body
    assert isinstance(body, dict)
    return body


def yes(answer: dict[str, Any]) -> float:
    return float(answer["probabilities"]["yes"])


def told(client: Client, key: str, outcome: str) -> None:
    status, body = client.post("/models/m/outcomes", {"key": key, "outcome": outcome})
    assert status == 200, body


def test_an_outcome_by_key_changes_the_next_answer(client: Client) -> None:
    first = asked(client, "c-1")
    told(client, "c-1", "no")

    assert wait(lambda: yes(asked(client, "c-1")) < yes(first) - 0.05)
    assert yes(asked(client, "c-2")) == yes(first)  # another key's answer stays


def test_several_outcomes_add_up_whichever_way_the_key_is_sent(client: Client) -> None:
    seen = [yes(asked(client, "c-3"))]
    for _ in range(3):
        told(client, "c-3", "yes")
        assert wait(lambda: yes(asked(client, "c-3")) > seen[-1] + 0.005)
        seen.append(yes(asked(client, "c-3")))

    status, body = client.post("/models/m/predict", ROW | {"_key": "c-3"})

    assert status == 200
    assert yes(body) == seen[-1]
    assert body["warnings"] == []


def test_a_source_counts_like_the_log_and_is_read_again_when_a_file_changes(
    client: Client, folder: Path
) -> None:
    usual, liked = yes(asked(client, "nobody")), yes(asked(client, "old-friend"))
    assert yes(asked(client, "stranger")) < usual - 0.05
    assert liked > usual + 0.05

    book(folder, "b", [("old-friend", 0, "no"), ("newcomer", 1, "yes")])

    assert wait(lambda: yes(asked(client, "old-friend")) < liked - 0.05)
    assert yes(asked(client, "newcomer")) > usual + 0.05


def test_nothing_later_than_the_ask_is_known(client: Client, folder: Path) -> None:
    usual = yes(asked(client, "nobody"))
    book(folder, "c", [("tomorrow", -2, "yes"), ("twice", 9, "yes"), ("twice", 3, "no")])
    assert wait(lambda: yes(asked(client, "twice")) != usual)

    long_ago = (datetime.now() - timedelta(days=20)).isoformat()
    lately = (datetime.now() - timedelta(days=6)).isoformat()

    assert yes(asked(client, "tomorrow")) == usual
    assert yes(asked(client, "twice", day=long_ago)) == usual
    assert yes(asked(client, "twice", day=lately)) > usual + 0.05


def test_a_batch_gives_each_row_its_own_history(client: Client) -> None:
    keys = ["old-friend", "stranger", "nobody"]
    one_by_one = [yes(asked(client, key)) for key in keys]

    status, body = client.post(
        "/models/m/predict", [*(ROW | {"customer": key} for key in keys), ROW]
    )

    assert status == 200
    assert [yes(one) for one in body["predictions"][:3]] == pytest.approx(one_by_one, abs=1e-12)
    assert body["predictions"][3]["warnings"] == [
        'history: the row has no key; send customer or "_key"'
    ]


def test_contributions_add_up_to_the_answer_with_its_history(client: Client) -> None:
    status, body = client.post("/models/m/predict?explain=1", ROW | {"customer": "stranger"})

    assert status == 200
    told = body["contributions"]
    added = told["base"] + sum(column["contribution"] for column in told["columns"])
    assert added == pytest.approx(body["probabilities"][told["of"]])
    assert yes(body) == yes(asked(client, "stranger"))


def test_a_shadow_answers_with_the_history_of_the_request(
    folder: Path, client: Client, server: Server
) -> None:
    before = asked(client, "shadowed")
    told(client, "shadowed", "no")
    assert wait(lambda: yes(asked(client, "shadowed")) < yes(before) - 0.05)
    answered = asked(client, "shadowed")
    with wire.house(folder / "store") as house:
        version = house.version("m")
        placed = Placed(1, version.folder, version.sha256, tuple(version.trusted))
    log = Log.open(folder / "store")
    try:

        def logged() -> list[Repeatable]:
            found = log.requests("m", after=0, most=10_000)
            return [one for one in found if one.id == answered["id"]]

        assert wait(logged)
        (newest,) = logged()
        (row,) = with_past("m", version.folder, [newest], log, Sources())
    finally:
        log.close()
    spool = Spool(folder / "shade")
    try:
        Shade(spool).obey(
            {
                "model": "m",
                "version": asdict(placed) | {"trusted": list(placed.trusted)},
                "rows": [row],
                "upto": newest.number,
            }
        )
    finally:
        spool.close()
    (segment,) = Path(spool.folder).glob("*.spool")
    (frame,) = [split(frame) for _, frame in read_segment(segment, 0)]

    assert isinstance(frame, Predictions)
    (shadowed,) = json.loads(frame.answer)["predictions"]

    assert newest.key == "shadowed"
    assert yes(shadowed) == yes(answered)
    assert shadowed["warnings"] == []


# a worker by itself, and a keeper that says what the test wants


@pytest.fixture(scope="module")
def alone(
    released: tuple[House, RunResult, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Keeper]:
    house, result, _ = released
    assert result.champion is not None
    version = house.version("m")
    placed = Placed(1, version.folder, version.sha256, tuple(result.champion.trusted))
    keeper = Keeper(tmp_path_factory.mktemp("alone"))
    try:
        reply = keeper.serve("m", 1, Arms(1), placed)
        assert reply["did"] == "serving", reply
        keeper.go()
        yield keeper
    finally:
        keeper.close()


def test_a_keeper_that_is_silent_costs_half_a_second_and_a_warning(alone: Keeper) -> None:
    alone.answers.pop("history", None)
    with alone.client() as client:
        began = time.monotonic()
        answer = client.post("/models/m/predict", json=ROW | {"customer": "a"})
        seconds = time.monotonic() - began

    assert answer.status_code == 200
    (warning,) = answer.json()["warnings"]
    assert warning.startswith("history: no answer within 0.5")
    assert seconds < 5.0


def test_what_a_keeper_cannot_read_is_told_in_the_answer(alone: Keeper) -> None:
    def some(args: Any) -> tuple[int, Any]:
        lost = ["the source 'booked': there is no file x"]
        return 200, {"events": [[] for _ in args["asks"]], "missing": lost}

    alone.answers["history"] = some
    with alone.client() as client:
        partly = client.post("/models/m/predict", json=ROW | {"customer": "a"}).json()
        alone.answers["history"] = lambda args: (500, {"error": {"message": "out of order"}})
        not_at_all = client.post("/models/m/predict", json=ROW | {"customer": "a"}).json()

    assert partly["warnings"] == [
        "history: the source 'booked': there is no file x; what it holds is not in this answer"
    ]
    assert not_at_all["warnings"] == ["history: out of order; this answer is without it"]


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_the_rows_of_a_request_ask_once_and_each_key_once(alone: Keeper, kind: str) -> None:
    alone.answers["history"] = lambda args: (
        200,
        {"events": [[["2026-01-01", {}, "yes"]] * 5 if key == "a" else []
                    for key, _ in args["asks"]], "missing": []},
    )  # fmt: skip
    before = len(alone.asked)
    keys = ["a", "b", "a", "a"]
    with alone.client() as client:
        if kind == "json":
            body = [ROW | {"customer": key} for key in keys]
            answer = client.post("/models/m/predict", json=body)
        else:
            lines = ["customer,size,plan", *(f"{key},0.0,pro" for key in keys)]
            headers = {"content-type": "text/csv"}
            answer = client.post("/models/m/predict", content="\n".join(lines), headers=headers)

    assert answer.status_code == 200, answer.text
    (question,) = alone.asked[before:]
    assert question["call"] == "history"
    assert question["args"]["asks"] == [["a", None], ["b", None]]
    assert (question["args"]["n"], question["args"]["target"]) == (5, "came")
    a, b, *more = [yes(one) for one in answer.json()["predictions"]]
    assert a > b + 0.1
    assert more == [a, a]
