"""The operate port over real HTTP: who may act, what is written down, what is refused."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from everfit.faces.http.guard.tokens import FILE, make_token
from everfit.faces.http.operate import Operating
from everfit.house import House
from everfit.live.listening import listen
from everfit.records import Because
from everfit.store.log import Log
from tests.live.coins import coin_store, house_at
from tests.live.logged import Answered, fill


class Kept:
    """A keeper that is not there: a house, a log and a folder."""

    def __init__(self, house: House, root: Path) -> None:
        self._house, self.spools = house, root / "spool"
        self.opened: Log | None = None
        self.forgotten: list[tuple[str, str]] = []

    def forget(self, model: str, user: str) -> None:
        self.forgotten.append((model, user))

    def house(self) -> House:
        return self._house

    def log(self) -> Log | None:
        return self.opened

    def state(self) -> dict[str, Any]:
        return {"workers": []}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return coin_store(tmp_path / "store")


@pytest.fixture
def kept(store, monkeypatch) -> Iterator[Kept]:
    sound = (Because("files as packed", True),)
    monkeypatch.setattr(House, "checks", lambda self, version: sound)
    with house_at(store) as house:
        yield Kept(house, store)


class Port:
    """Calls the port."""

    def __init__(self, number: int, token: str) -> None:
        self.number, self.token = number, token

    def ask(
        self, method: str, path: str, body: Any = None, *, token: str | None = "", **headers: str
    ) -> tuple[int, Any]:
        sent = self.token if token == "" else token
        told = {"content-type": "application/json", **headers}
        told |= {"authorization": f"Bearer {sent}"} if sent is not None else {}
        raw = (
            body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        )
        connection = http.client.HTTPConnection("127.0.0.1", self.number, timeout=20)
        try:
            connection.request(method, path, raw, told)
            answer = connection.getresponse()
            assert answer.headers["x-content-type-options"] == "nosniff"
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def post(self, path: str, body: Any = None, **given: Any) -> tuple[int, Any]:
        return self.ask("POST", path, body, **given)


@pytest.fixture
def port(kept, store) -> Iterator[Port]:
    token = make_token(store / FILE, "anna", ["operate"])
    bound = listen("127.0.0.1", 0)
    operating = Operating(kept, bound, {"tokens": str(store / FILE)})
    yield Port(bound.getsockname()[1], token)
    operating.close()
    bound.close()


def test_a_promotion_is_made_and_its_maker_stands_in_the_ledger(port, kept):
    status, body = port.post("/models/coin/promote", {"version": "v2", "reason": "better"})

    assert status == 200
    assert body["decision"]["headline"] == "Promoted v2 by hand; v1 is now previous: better"
    assert kept.house().decisions("coin")[0].by == "anna"
    assert kept.house().version("coin").name == "v2"


def test_roll_back_canary_and_shadow_are_made(port, kept):
    port.post("/models/coin/promote", {"version": "v2"})

    found = [
        port.post("/models/coin/rollback", {}),
        port.post("/models/coin/canary", {"version": "v2", "share": 0.25, "holdout": 0.5}),
        port.post("/models/coin/shadow", {"version": "v2"}),
        port.post("/models/coin/shadow", {"version": None}),
        port.post("/models/coin/canary", {"share": 0}),
    ]

    assert [status for status, _ in found] == [200] * 5
    kinds = [one.kind for one in kept.house().decisions("coin")[:5]]
    assert kinds == ["canary", "shadow", "shadow", "canary", "rolled_back"]
    assert kept.house().traffic("coin").holdout == 0.5


def test_a_key_is_forgotten(port, kept, store):
    rows = [Answered("k1", "champion", 1), Answered("k2", "champion", 1)]
    kept.opened = fill(store, rows)

    status, body = port.post("/models/coin/forget", {"key": "k1"})

    assert (status, body["forgotten"]["predictions"]) == (200, 1)
    assert kept.opened.count("coin") == 1
    kept.opened.close()


def test_forgetting_waits_for_a_log_that_is_not_open(port):
    status, body = port.post("/models/coin/forget", {"key": "k1"})

    assert (status, body["error"]["code"]) == (503, "Unreachable")


@pytest.mark.parametrize("token", [None, "ef_wrong", ""])
def test_nobody_acts_without_a_token_that_may(port, kept, store, token):
    sent = make_token(store / FILE, "shop", ["predict", "read"]) if token == "" else token
    before = kept.house().version("coin").name

    status, body = port.post("/models/coin/promote", {"version": "v2"}, token=sent)

    assert status == (403 if token == "" else 401)
    assert body["error"]["code"] == ("ScopeMissing" if token == "" else "TokenMissing")
    assert kept.house().version("coin").name == before


def test_a_request_for_another_host_or_from_a_page_is_refused(port):
    status, _ = port.post("/models/coin/promote", {"version": "v2"}, host="evil.example")
    from_page, _ = port.post("/models/coin/promote", {}, origin="https://evil.example")

    assert status == 421
    assert from_page in (403, 421)


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/models/coin/promote", {"version": "v9"}, 404, "ModelUnknown"),
        ("/models/con/promote", {"version": "v2"}, 404, "ModelUnknown"),
        ("/models/coin/promote", {"version": "v1"}, 409, "Refused"),
        ("/models/coin/promote", {}, 400, "UsageError"),
        ("/models/coin/promote", {"version": 2}, 400, "UsageError"),
        ("/models/coin/promote", {"version": "v2", "reson": "x"}, 400, "UsageError"),
        ("/models/coin/promote", [], 400, "UsageError"),
        ("/models/coin/promote", b"{", 400, "UsageError"),
        ("/models/coin/promote", b"\xff\xfe", 400, "UsageError"),
        ("/models/coin/promote", b"[" * 60_000, 400, "UsageError"),
        ("/models/coin/promote", b" " * 70_000, 413, "TooMuch"),
        ("/models/coin/canary", {"version": "v2", "share": 1.5}, 400, "UsageError"),
        ("/models/coin/canary", {"version": "v2", "share": True}, 400, "UsageError"),
        ("/models/coin/canary", {"version": "v2", "share": 10**400}, 400, "UsageError"),
        ("/models/coin/promote", {"version": "v2\0"}, 400, "UsageError"),
        ("/models/coin/promote", {"version": "v2", "reason": "\0"}, 400, "UsageError"),
        ("/models/coin/canary", {"share": 0.5}, 400, "UsageError"),
        ("/models/coin/shadow", {}, 400, "UsageError"),
        ("/models/coin/forget", {"key": ""}, 400, "UsageError"),
        ("/models/coin/forget", {"key": {"a": 1}}, 400, "UsageError"),
        ("/models/coin/predict", {"age": 41}, 404, "RouteUnknown"),
        ("/models/coin/fly", {}, 404, "RouteUnknown"),
        ("/../../etc/passwd", {}, 404, "RouteUnknown"),
    ],
)
def test_what_cannot_be_done_is_told_in_four_parts_and_nothing_moves(
    port, kept, path, body, status, code
):
    found = port.post(path, body)

    assert (found[0], found[1]["error"]["code"]) == (status, code)
    assert set(found[1]["error"]) == {"code", "message", "got", "expected", "do"}
    assert kept.house().version("coin").name == "v1"


def test_a_misspelt_field_is_told_with_the_near_one(port):
    _, body = port.post("/models/coin/promote", {"version": "v2", "reson": "x"})

    assert "did you mean 'reason'" in body["error"]["do"]


def test_another_method_is_told_with_the_right_one(port):
    status, body = port.ask("GET", "/models/coin/promote")

    assert (status, body["error"]["expected"]) == (405, "POST")


def test_the_description_names_every_act_and_needs_no_token(port):
    status, body = port.ask("GET", "/openapi.json", token=None)

    assert status == 200
    acts = {path.rpartition("/")[2] for path in body["paths"]}
    assert acts >= {"promote", "rollback", "canary", "shadow", "forget"}


def test_health_tells_of_the_keeper(port):
    assert port.ask("GET", "/health", token=None) == (200, {"workers": []})
