"""Lists over HTTP, from a server that runs with two workers: asked, refused, told and recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import everfit
from everfit.errors import Refused, UsageError
from everfit.live.desk.wanting import MOST_K
from everfit.serve.lists.listed import Wanted
from everfit.serve.lists.lists import NO_HISTORY, NOBODY, STRANGER
from everfit.store.log import Log
from tests.live.coins import Client, Server, coin_store, house_at, serving, wait
from tests.live.shelves import HALF, MODEL, N_ITEMS, lists_store

TOP, NEAR = f"/models/{MODEL}/recommend", f"/models/{MODEL}/similar"
MET, OUTCOMES = f"/models/{MODEL}/interactions", f"/models/{MODEL}/outcomes"
ALL = [100 + item for item in range(N_ITEMS)]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lists_store(coin_store(tmp_path_factory.mktemp("lists") / "store"))


@pytest.fixture(scope="module")
def server(store: Path) -> Iterator[Server]:
    config = store.parent / "everfit.toml"
    config.write_text("[models.tries.explore]\nshare = 1.0\n")
    lists_store(store, (1,), model="tries")
    with serving(store, "--workers", "2", "--config", str(config)) as found:
        with Client(found.port) as client:
            # the log is open: what is recorded can be read
            assert wait(lambda: client.get(f"/models/{MODEL}/traffic")[0] == 200)
        yield found


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.port) as made:
        yield made


@pytest.fixture
def remote(server: Server) -> Iterator[everfit.Client]:
    with everfit.Client(server.url, model=MODEL) as made:
        yield made


def items(answer: dict[str, Any]) -> list[Any]:
    return [one["item"] for one in answer["items"]]


def test_a_user_gets_a_list_with_titles_scores_and_who_answered(client: Client) -> None:
    status, body = client.post(TOP, {"user": "u1", "k": 4})

    assert status == 200
    assert all(item >= 100 + HALF for item in items(body))
    assert [one["title"] for one in body["items"]] == [f"Film {item}" for item in items(body)]
    scores = [one["score"] for one in body["items"]]
    assert scores == sorted(scores, reverse=True)
    told = {name: body[name] for name in ("fallback", "model", "version", "arm", "warnings")}
    assert told == {
        "fallback": None, "model": MODEL, "version": "v1", "arm": "champion", "warnings": [],
    }  # fmt: skip


def test_the_remote_model_answers_as_the_local_one(remote: everfit.Client, store: Path) -> None:
    with house_at(store) as house:
        _, local = house.lists(MODEL)
    asks: list[dict[str, Any]] = [
        {"user": "u1"}, {"user": "u2", "k": 3}, {"user": "a stranger"}, {"history": [100, 105]},
        {"user": "u4", "again": True, "k": 1000}, {"user": "u1", "allowed": [112, 115, "?"]},
        {"user": "u1", "blocked": [112, 113], "k": 5},
    ]  # fmt: skip

    for ask in asks:
        wanted = {name: ask[name] for name in ("k", "allowed", "blocked", "again") if name in ask}
        who = {name: ask[name] for name in ("user", "history") if name in ask}
        told = remote.recommend(**ask)
        assert told.id
        assert told.version == "v1"
        assert replace(told, id="", version="") == local.top(**who, wanted=Wanted(**wanted)), ask
    why = remote.recommend("u1", why=True)
    assert why.because[0] == tuple(local.because(why.items[0], "u1"))
    assert remote.because(113, history=[112, 115]) == local.because(113, history=[112, 115])
    assert remote.because("no such item", "u1") == []
    near = remote.similar(115, k=3)
    assert replace(near, id="", version="") == local.similar(115, wanted=Wanted(k=3))


@pytest.mark.parametrize(
    ("ask", "fallback"),
    [
        ({"user": "a stranger"}, STRANGER),
        ({"user": 7}, STRANGER),
        ({"history": []}, NO_HISTORY),
        ({"history": ["no such item"]}, NO_HISTORY),
        ({}, NOBODY),
        ({"user": None}, NOBODY),
    ],
)
def test_who_is_not_known_gets_what_is_popular_and_is_told(
    client: Client, ask: dict[str, Any], fallback: str
) -> None:
    status, body = client.post(TOP, ask)

    assert (status, body["items"][0]["item"], body["fallback"]) == (200, 100, fallback)


def test_an_empty_allowed_list_gives_an_empty_list_that_says_so(client: Client) -> None:
    status, body = client.post(TOP, {"user": "u1", "allowed": []})

    assert (status, body["items"]) == (200, [])
    assert "no item is left" in body["fallback"]


def test_a_hundred_thousand_allowed_items_are_read(client: Client) -> None:
    allowed = [*range(200_000, 300_000), 112, 115]

    status, body = client.post(TOP, {"user": "u1", "allowed": allowed, "exclude_seen": False})

    assert (status, sorted(items(body))) == (200, [112, 115])
    assert body["warnings"] == ["100000 of 100002 allowed items are not known"]


def test_as_many_items_as_there_are_come_when_more_are_wanted(client: Client) -> None:
    status, body = client.post(TOP, {"user": "u1", "k": MOST_K, "exclude_seen": False})

    assert (status, sorted(items(body))) == (200, ALL)


@pytest.mark.parametrize(
    ("path", "ask", "said"),
    [
        (TOP, {"user": "u1", "k": MOST_K + 1}, "1 to 1,000"),
        (TOP, {"user": "u1", "k": 0}, "1 to 1,000"),
        (TOP, {"user": "u1", "k": "10"}, "1 to 1,000"),
        (TOP, {"user": "u1", "k": True}, "1 to 1,000"),
        (TOP, {"user": ["u1"]}, "a text or a number"),
        (TOP, {"user": True}, "a text or a number"),
        (TOP, {"usr": "u1"}, "did you mean 'user'"),
        (TOP, {"user": "u1", "alowed": [1]}, "did you mean 'allowed'"),
        (TOP, {"user": "u1", "allowed": 112}, "a list of items"),
        (TOP, {"user": "u1", "blocked": [112, None]}, "item 2 of 2"),
        (TOP, {"user": "u1", "history": [112]}, "one of them"),
        (TOP, {"history": "112"}, "a list of items"),
        (TOP, {"user": "u1", "exclude_seen": "no"}, "true or false"),
        (TOP, {"user": "u1", "why": 1}, "true or false"),
        (TOP, [{"user": "u1"}], "one list at a time"),
        (TOP, "u1", "one list at a time"),
        (NEAR, {"k": 3}, "item cannot be used"),
        (NEAR, {"item": 115, "user": "u1"}, "means nothing"),
        (MET, {"user": "u1"}, "has no item"),
        (MET, {"user": "", "item": 115}, "has no user"),
        (MET, [{"user": "u1", "item": 115}, {"user": "u1", "itm": 115}], "did you mean 'item'"),
        (MET, {"user": "u1", "item": 115, "weight": -1}, "a number above 0"),
        (MET, {"user": "u1", "item": 115, "at": "yesterday"}, "cannot be read"),
        (MET, {"user": "u1", "item": 115, "at": "2026-11-20T12:00:00"}, "without its zone"),
        (MET, 7, "neither an interaction"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(
    client: Client, path: str, ask: Any, said: str
) -> None:
    status, body = client.post(path, ask)

    assert status == 400
    assert said in " ".join(body["error"].values())


def test_a_time_to_come_is_refused_and_nothing_of_its_list_is_taken(client: Client) -> None:
    later = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    told = [{"user": "in time", "item": 115}, {"user": "in time", "item": 116, "at": later}]

    status, body = client.post(MET, told)

    assert (status, "in the future" in body["error"]["message"]) == (409, True)
    assert client.post(TOP, {"user": "in time"})[1]["fallback"] == STRANGER


@pytest.mark.parametrize(
    ("path", "ask", "status", "way"),
    [
        (f"/models/{MODEL}/predict", {"user": "u1"}, 409, f"/models/{MODEL}/recommend"),
        ("/models/coin/recommend", {"user": "u1"}, 409, "/models/coin/predict"),
        ("/models/coin/similar", {"item": 1}, 409, "/models/coin/predict"),
        ("/models/coin/interactions", {"user": 1, "item": 1}, 409, "/models/coin/predict"),
        ("/models/movie/recommend", {"user": "u1"}, 404, MODEL),
        (f"{TOP}?version=v7", {"user": "u1"}, 404, "v1"),
        (f"{TOP}?vers=v1", {"user": "u1"}, 400, "did you mean 'version'"),
        (f"/v2/models/{MODEL}/infer", {"inputs": []}, 409, f"/models/{MODEL}/recommend"),
    ],
)
def test_the_wrong_question_is_told_the_right_one(
    client: Client, path: str, ask: Any, status: int, way: str
) -> None:
    found, body = client.post(path, ask)

    assert found == status
    assert way in json.dumps(body)


def test_the_client_raises_what_the_local_model_does(server: Server) -> None:
    with everfit.Client(server.url) as client:
        with pytest.raises(Refused, match="answers rows"):
            client.model("coin").recommend("u1")
        with pytest.raises(Refused, match="answers with ranked lists"):
            client.model(MODEL).predict({"user": "u1"})
        with pytest.raises(UsageError, match="k cannot be used"):
            client.model(MODEL).recommend("u1", k=0)


def test_an_interaction_counts_at_once_and_within_a_second_everywhere(
    server: Server, remote: everfit.Client
) -> None:
    assert remote.recommend("newcomer").fallback == STRANGER

    told = remote.interactions([{"user": "newcomer", "item": 115}, {"user": "newcomer", "item": 9}])

    assert told == {"accepted": 2, "counted": 1, "unknown": 1}
    first = remote.recommend("newcomer", k=3)
    assert first.fallback == ""
    assert 115 not in first.items

    def everywhere() -> bool:
        """Each connection is one of the two workers'."""
        answers = []
        for _ in range(12):
            with Client(server.port) as one:
                answers.append(items(one.post(TOP, {"user": "newcomer", "k": 3})[1]))
        return all(found == list(first.items) for found in answers)

    assert wait(everywhere, 10.0)


def test_what_was_told_twice_counts_once(remote: everfit.Client) -> None:
    one = {"user": "twice", "item": 115, "at": "2026-11-20T12:00:00Z"}
    remote.interactions(one)
    once = remote.recommend("twice")

    remote.interactions([one, one])

    assert remote.recommend("twice").scores == once.scores


def test_an_outcome_finds_its_list_by_the_id_and_the_log_has_both(
    client: Client, store: Path
) -> None:
    listed = client.post(TOP, {"user": "u9", "k": 3})[1]
    chosen = listed["items"][1]["item"]

    status, told = client.post(OUTCOMES, {"id": listed["id"], "outcome": chosen})

    assert (status, told["accepted"], told["strange"]) == (200, 1, 0)
    log = Log.open(store)
    try:
        frame = None

        def joined() -> bool:
            nonlocal frame
            for one in log.joined(MODEL):
                found = one.filter(one["id"] == listed["id"])
                if found.height and found["outcome"][0] is not None:
                    frame = found
            return frame is not None

        assert wait(joined)
    finally:
        log.close()
    assert frame is not None
    row = frame.row(0, named=True)
    assert str(row["outcome"]) == str(chosen)
    assert str(row["value"]) == str(listed["items"][0]["item"])
    assert (row["key"], row["user"], row["k"], row["arm"]) == ("u9", "u9", 3, "champion")
    assert json.loads(row["items"]) == items(listed)


def test_lists_try_something_where_the_settings_say_so_and_tell_the_chances(
    client: Client,
) -> None:
    lists = [client.post("/models/tries/recommend", {"user": "u1", "k": 5})[1] for _ in range(8)]

    assert len({tuple(items(one)) for one in lists}) > 1
    for one in lists:
        assert all(0 < entry["propensity"] <= 1 for entry in one["items"])
    assert "propensity" not in client.post(TOP, {"user": "u1"})[1]["items"][0]


def test_the_schema_of_an_ask_and_the_models_of_the_protocol(client: Client) -> None:
    status, schema = client.get(f"/models/{MODEL}/schema")

    assert (status, set(schema["properties"])) == (
        200, {"user", "history", "k", "allowed", "blocked", "exclude_seen", "why"},
    )  # fmt: skip
    assert client.get("/v2/models")[1] == {"models": ["coin"]}
