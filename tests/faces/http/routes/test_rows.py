"""Outcomes over HTTP: safe when they are acknowledged, and told what became of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from everfit.store.log.frames import Outcomes
from tests.faces.http.working import Keeper, working

PATH = "/models/coin/outcomes"


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keeper]:
    with working(tmp_path_factory.mktemp("outcomes")) as made:
        yield made


@pytest.fixture
def client(keeper: Keeper) -> Iterator[httpx.Client]:
    with keeper.client() as made:
        yield made


def logged(keeper: Keeper) -> list[dict[str, Any]]:
    frames = [frame for frame in keeper.frames() if isinstance(frame, Outcomes)]
    return [row for frame in frames for row in json.loads(frame.body)]


def test_outcomes_are_written_with_receipts_and_answered_with_their_states(
    keeper: Keeper, client: httpx.Client
) -> None:
    states = iter(["counted", "repeated", "replaced", "unknown"])
    keeper.answers["outcomes"] = lambda args: (
        200, {"states": {receipt: next(states) for receipt in args["receipts"]}}
    )  # fmt: skip
    sent: list[dict[str, Any]] = [
        {"id": "a", "outcome": "heads"},
        {"id": "a", "outcome": "heads"},
        {"key": 7, "outcome": 1, "at": "2026-11-20T12:00:00+01:00"},
        {"id": "nobody", "outcome": True},
    ]

    plain = client.post(PATH, json=sent).json()

    assert plain == {
        "accepted": 4, "counted": 1, "repeated": 1, "replaced": 1, "unknown": 1, "waiting": 0,
        "strange": 0,
        "outcomes": [
            {"id": "a", "state": "counted"},
            {"id": "a", "state": "repeated"},
            {"key": "7", "state": "replaced"},
            {"id": "nobody", "state": "unknown"},
        ],
    }  # fmt: skip
    rows = logged(keeper)[-4:]
    receipts = [row.pop("receipt") for row in rows]
    assert len(set(receipts)) == 4
    assert rows[2] == {
        "key": "7", "outcome": 1, "at": "2026-11-20T12:00:00+01:00", "strange": True
    }  # fmt: skip
    assert keeper.asked[-1]["args"] == {"model": "coin", "receipts": receipts}


def test_an_outcome_that_the_log_has_not_seen_yet_waits(
    keeper: Keeper, client: httpx.Client
) -> None:
    keeper.answers.pop("outcomes", None)

    plain = client.post(PATH, json={"id": "b", "outcome": "tails"}).json()

    assert (plain["accepted"], plain["waiting"]) == (1, 1)
    assert logged(keeper)[-1]["id"] == "b"


def test_an_outcome_is_acknowledged_only_after_a_sync(tmp_path: Path) -> None:
    with working(tmp_path) as keeper, keeper.client() as client:
        keeper.answers["outcomes"] = lambda args: (200, {"states": {}})

        for i in range(20):
            assert client.post(PATH, json={"id": f"{i}", "outcome": 1}).status_code == 200
            assert len(logged(keeper)) == i + 1

        keeper.process.kill()
        keeper.process.wait()
        assert [row["id"] for row in logged(keeper)] == [f"{i}" for i in range(20)]


def test_no_outcomes_are_no_outcomes(client: httpx.Client) -> None:
    assert client.post(PATH, json=[]).json()["accepted"] == 0


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("7", "the body is neither an outcome nor a list of outcomes"),
        ("[1]", "outcome 1 of 1 is not a JSON object"),
        ('{"outcome": 1}', "outcome 1 of 1 must name its prediction by id or by key"),
        (
            '{"id": "a", "key": "b", "outcome": 1}',
            "outcome 1 of 1 must name its prediction by id or by key",
        ),
        ('{"id": 7, "outcome": 1}', "outcome 1 of 1 has an id that cannot be one"),
        ('{"id": "", "outcome": 1}', "outcome 1 of 1 has an id that cannot be one"),
        ('{"key": [1], "outcome": 1}', "outcome 1 of 1 has a key that cannot be one"),
        ('{"id": "a"}', "outcome 1 of 1 has no outcome"),
        ('{"id": "a", "outcome": null}', "outcome 1 of 1 has no outcome"),
        ('{"id": "a", "outcome": {}}', "outcome 1 of 1 has no outcome"),
        ('{"id": "a", "outcom": 1}', "outcome 1 of 1 has a field that means nothing"),
        ('{"id": "a", "outcome": 1, "at": 7}', "outcome 1 of 1 has a time that cannot be read"),
        (
            '{"id": "a", "outcome": 1, "at": "2026-11-20T12:00:00"}',
            "outcome 1 of 1 has a time without its zone",
        ),
        (
            '[{"id": "a", "outcome": 1}, {"id": "b", "outcome": 1, "at": "soon"}]',
            "outcome 2 of 2 has a time that cannot be read",
        ),
    ],
)
def test_an_outcome_that_cannot_be_used_is_refused_and_none_of_its_body_is_taken(
    keeper: Keeper, client: httpx.Client, body: str, said: str
) -> None:
    n_before = len(logged(keeper))

    answer = client.post(PATH, content=body, headers={"content-type": "application/json"})

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["message"]) == (400, "UsageError", said)
    assert all(error.values())
    assert len(logged(keeper)) == n_before


def test_outcomes_for_no_model_or_in_no_json_are_refused(client: httpx.Client) -> None:
    unknown = client.post("/models/coni/outcomes", json={"id": "a", "outcome": 1})
    csv = client.post(PATH, content=b"id,outcome\n", headers={"content-type": "text/csv"})

    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "ModelUnknown")
    assert (csv.status_code, csv.json()["error"]["code"]) == (415, "TypeUnknown")
