"""Predictions over HTTP, in every shape that a body may have."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pytest
from pyarrow import ipc

from everfit.live.arms import Arms
from everfit.store.log.frames import Predictions
from tests.encoders.mixed import mixed_rows
from tests.faces.http.working import Keeper, wait, working

ROW: dict[str, Any] = {
    name: value for name, value in mixed_rows(3)[0].items() if not hasattr(value, "isoformat")
}
ARROW = "application/vnd.apache.arrow.stream"


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keeper]:
    with working(tmp_path_factory.mktemp("app"), 1, 2, arms=Arms(1, canary=2, share=0.5)) as made:
        yield made


@pytest.fixture
def client(keeper: Keeper) -> Iterator[httpx.Client]:
    with keeper.client() as made:
        yield made


def last(keeper: Keeper) -> Predictions:
    frame = keeper.frames()[-1]
    assert isinstance(frame, Predictions)
    return frame


def test_one_row_is_answered_and_written_down_as_it_was_sent(
    keeper: Keeper, client: httpx.Client
) -> None:
    body = json.dumps({**ROW, "_key": "k-1"}).encode()

    answer = client.post(
        "/models/coin/predict", content=body, headers={"content-type": "application/json"}
    )

    assert answer.status_code == 200
    plain = answer.json()
    assert list(plain) == [
        "id", "prediction", "probabilities", "range", "model", "version", "arm", "warnings",
    ]  # fmt: skip
    heads = {"v1": 0.01, "v2": 0.02}[plain["version"]]
    assert plain["probabilities"]["heads"] == pytest.approx(heads, abs=1e-5)
    assert plain["prediction"] == "tails"
    logged = last(keeper)
    assert logged.request == body
    assert logged.answer == answer.content
    assert logged.header.keys == ["k-1"]
    assert logged.header.arm == plain["arm"]


def test_the_fast_way_and_the_other_give_the_same_answer(client: httpx.Client) -> None:
    fast = client.post("/models/coin/predict", json=ROW | {"_key": 7})
    other = client.post("/models/coin/predict?explain=0", json=ROW | {"_key": 7})

    assert {**fast.json(), "id": ""} == {**other.json(), "id": ""}


def test_many_rows_are_answered_in_order_and_logged_by_arm(
    keeper: Keeper, client: httpx.Client
) -> None:
    n_before = len(keeper.frames())
    rows = [ROW | {"_key": f"k-{i}"} for i in range(40)]

    plain = client.post("/models/coin/predict", json=rows).json()

    assert plain["version"] == "v1"
    found = plain["predictions"]
    assert len({one["id"] for one in found}) == 40
    assert sorted(one["id"] for one in found) == sorted(one["id"] for one in found)
    assert {one["version"] for one in found} == {"v1", "v2"}
    for one in found:
        heads = {"v1": 0.01, "v2": 0.02}[one["version"]]
        assert one["probabilities"]["heads"] == pytest.approx(heads, abs=1e-5)
    frames = keeper.frames()[n_before:]
    assert sum(len(json.loads(f.request)) for f in frames if isinstance(f, Predictions)) == 40
    by_id = {one["id"]: one for one in found}
    for frame in frames:
        assert isinstance(frame, Predictions)
        logged = json.loads(frame.answer)["predictions"]
        assert frame.header.keys is not None
        for one, key in zip(logged, frame.header.keys, strict=True):
            assert one == by_id[one["id"]]
            assert found[int(str(key).split("-")[1])]["id"] == one["id"]


def test_the_same_key_always_meets_the_same_version(client: httpx.Client) -> None:
    seen = {
        client.post("/models/coin/predict", json=ROW | {"_key": "k-5"}).json()["version"]
        for _ in range(10)
    }

    assert len(seen) == 1


def test_a_version_that_is_named_answers_outside_of_the_comparison(client: httpx.Client) -> None:
    for word in ("v2", "2"):
        plain = client.post(f"/models/coin/predict?version={word}", json=ROW).json()

        assert (plain["version"], plain["arm"]) == ("v2", "direct")


def test_csv_gives_what_json_gives(client: httpx.Client) -> None:
    rows = [{k: v for k, v in ROW.items() if v is not None}] * 3
    names = list(rows[0])
    lines = [",".join(names)] + [",".join(str(row[name]) for name in names) for row in rows]

    by_csv = client.post(
        "/models/coin/predict?version=v1", content="\n".join(lines).encode(),
        headers={"content-type": "text/csv; charset=utf-8"},
    ).json()["predictions"]  # fmt: skip
    by_json = client.post("/models/coin/predict?version=v1", json=rows).json()["predictions"]

    assert [p["probabilities"] for p in by_csv] == [p["probabilities"] for p in by_json]
    assert [p["warnings"] for p in by_csv] == [p["warnings"] for p in by_json]


def test_an_arrow_stream_is_answered_as_one_when_asked(client: httpx.Client) -> None:
    table = pa.Table.from_pylist(mixed_rows(300))
    sink = io.BytesIO()
    with ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=100)
    headers = {"content-type": ARROW, "accept": ARROW}

    answer = client.post(
        "/models/coin/predict?version=v1", content=sink.getvalue(), headers=headers
    )

    assert answer.headers["content-type"] == ARROW
    found = ipc.open_stream(answer.content).read_all()
    assert found.num_rows == 300
    assert set(found.column_names) == {
        "id", "prediction", "probabilities", "low", "high", "version", "arm", "warnings",
    }  # fmt: skip
    plain = client.post(
        "/models/coin/predict?version=v1", content=sink.getvalue(), headers={"content-type": ARROW}
    ).json()["predictions"]
    assert found["probabilities"].to_pylist() == [one["probabilities"] for one in plain]


def test_contributions_add_up_to_the_answer(client: httpx.Client) -> None:
    plain = client.post("/models/coin/predict?explain=1&version=v1", json=ROW).json()

    told = plain["contributions"]
    total = told["base"] + sum(column["contribution"] for column in told["columns"])
    assert told["of"] == plain["prediction"]
    assert total == pytest.approx(plain["probabilities"][told["of"]], abs=1e-9)


def test_an_empty_list_has_no_predictions_and_leaves_no_trace(
    keeper: Keeper, client: httpx.Client
) -> None:
    n_before = len(keeper.frames())

    answer = client.post("/models/coin/predict", json=[])

    assert (answer.status_code, answer.json()["predictions"]) == (200, [])
    assert len(keeper.frames()) == n_before


def test_what_is_odd_about_a_row_is_a_warning(client: httpx.Client) -> None:
    odd = {k: v for k, v in ROW.items() if k != "income"} | {"incom": 41, "size": "much"}

    warnings = " | ".join(client.post("/models/coin/predict", json=odd).json()["warnings"])

    assert "income: not given" in warnings
    assert "incom: the model has no such column, it is ignored; did you mean 'income'?" in warnings
    assert "size: the text 'much' was given for a number" in warnings


def test_names_that_the_client_gave_come_back(client: httpx.Client) -> None:
    span = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    headers = client.post(
        "/models/coin/predict", json=ROW, headers={"x-request-id": "r-17", "traceparent": span}
    ).headers

    assert (headers["x-request-id"], headers["traceparent"]) == ("r-17", span)


def test_every_answer_keeps_browsers_and_caches_out(client: httpx.Client) -> None:
    for answer in (client.post("/models/coin/predict", json=ROW), client.get("/health")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers


def test_what_the_stores_know_is_asked_of_the_keeper(keeper: Keeper, client: httpx.Client) -> None:
    keeper.answers["ledger"] = lambda args: (200, {"args": args})
    keeper.answers["card"] = lambda args: (200, {"card": "# Coin"})

    ledger = client.get("/models/coin/ledger?last=5&before=17")
    card = client.get("/models/coin/card?version=v2")

    assert ledger.json() == {"args": {"model": "coin", "last": 5, "before": 17}}
    assert (card.text, card.headers["content-type"]) == ("# Coin", "text/markdown; charset=utf-8")


def test_a_keeper_that_does_not_answer_is_said_so(keeper: Keeper, client: httpx.Client) -> None:
    keeper.channel.send({"do": "reread", "serving": {"ask_s": 0.1}})

    answer = client.get("/models/coin/versions")

    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "Unreachable")


def test_the_protocol_answers_beside_it(client: httpx.Client) -> None:
    asked = {"inputs": [{"name": "age", "shape": [2], "datatype": "FP64", "data": [41.0, None]}]}

    plain = client.post("/v2/models/coin/versions/1/infer", json=asked).json()
    missing = client.post("/v2/models/none/infer", json=asked)

    assert plain["model_version"] == "v1"
    assert {output["name"] for output in plain["outputs"]} >= {"prediction", "probabilities"}
    assert (missing.status_code, list(missing.json())) == (404, ["error"])
    assert client.get("/v2/health/ready").json()["ready"] is True


def test_predictions_are_in_the_spool_of_a_worker_that_was_killed(tmp_path: Path) -> None:
    with working(tmp_path) as keeper, keeper.client() as client:
        ids = [client.post("/models/coin/predict", json=ROW).json()["id"] for _ in range(50)]

        keeper.process.kill()
        keeper.process.wait()

        logged = [json.loads(f.answer)["id"] for f in keeper.frames() if isinstance(f, Predictions)]
        assert logged == ids
        assert ids == sorted(ids)


def test_with_fsync_the_answer_waits_for_the_disk(tmp_path: Path) -> None:
    with working(tmp_path, durability="fsync") as keeper, keeper.client() as client:
        plain = client.post("/models/coin/predict", json=ROW).json()

        assert wait(lambda: bool(keeper.frames()))
        assert json.loads(last(keeper).answer)["id"] == plain["id"]
