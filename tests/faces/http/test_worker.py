"""The life of a worker: start, orders, trouble, drain."""

from __future__ import annotations

import json
import resource
import signal
import socket
import threading
from pathlib import Path

import httpx
import pytest

from everfit.live import orders
from everfit.live.arms import Arms
from everfit.plain import from_plain
from everfit.release.manifest import Manifest, seal
from everfit.store.log.frames import Predictions
from tests.faces.http.working import KEY, Keeper, packed, wait, working

ROW = {"size": 1.0, "plan": "pro"}
PREDICT = "/models/coin/predict"
# whatever of this is there costs more than all the rest of a worker
HEAVY = {
    "polars", "pandas", "pyarrow", "sqlalchemy", "alembic", "sklearn", "lightgbm", "catboost",
    "scipy", "pydantic", "fastapi", "starlette", "duckdb", "opentelemetry", "typer", "rich",
}  # fmt: skip


def imported(errors: list[str]) -> set[str]:
    """The packages in what ``-X importtime`` wrote."""
    lines = [line.rsplit("|", 1)[-1].strip() for line in errors if line.startswith("import time:")]
    return {name.split(".")[0] for name in lines}


def memory_mb(pid: int) -> float:
    """The memory of a process, its part of what it shares with others included."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(rollup.split("Pss:")[1].split()[0]) / 1024


def test_a_worker_that_answers_has_loaded_nothing_heavy(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, options=("-X", "importtime"))
    try:
        keeper.serve("coin", 1, Arms(1), packed(tmp_path, 1))
        keeper.go()
        with keeper.client() as client:
            for path, body in (
                (PREDICT, ROW),
                ("/models/coin/outcomes", {"id": "x", "outcome": 1}),
            ):
                assert client.post(path, json=body).status_code == 200
            for path in ("/health", "/metrics", "/v2/models/coin", "/models/coin/schema"):
                assert client.get(path).status_code == 200

        used_mb = memory_mb(keeper.process.pid)
    finally:
        keeper.close()

    found = imported(keeper.errors)
    assert "msgspec" in found
    assert found & HEAVY == set()
    assert used_mb < 60


def test_it_says_ready_only_when_the_models_that_were_ordered_answer(tmp_path: Path) -> None:
    with working(tmp_path) as keeper, keeper.client() as client:
        said = [message["did"] for message in keeper.said]

        assert said == ["serving", "ready"]
        assert client.post(PREDICT, json=ROW).json()["version"] == "v1"


def test_settings_that_cannot_be_used_end_it_with_the_reason(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, reed_s=3)

    said = keeper.wait_for(did="failed")

    assert "'read_s'" in said["error"]["do"]
    assert keeper.process.wait(10.0) == 2
    keeper.close()


def test_a_swap_under_load_fails_no_request_and_answers_with_no_wrong_version(
    tmp_path: Path,
) -> None:
    answers: list[tuple[int, str, float]] = []
    stop = threading.Event()

    def ask(keeper: Keeper) -> None:
        with keeper.client() as client:
            while not stop.is_set():
                answer = client.post(PREDICT, json=ROW)
                plain = answer.json()
                heads = round(plain["probabilities"]["heads"], 4)
                answers.append((answer.status_code, plain["version"], heads))

    with working(tmp_path, 1) as keeper:
        threads = [threading.Thread(target=ask, args=(keeper,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for rev in range(2, 8):
            number = 1 + (rev - 1) % 2
            keeper.serve("coin", rev, Arms(number), packed(tmp_path, number))
            n = len(answers)
            assert wait(lambda n=n: len(answers) > n + 5)
        stop.set()
        for thread in threads:
            thread.join()

        after = keeper.frames()
    assert {status for status, _, _ in answers} == {200}
    assert {(version, heads) for _, version, heads in answers} == {("v1", 0.01), ("v2", 0.02)}
    assert len(after) == len(answers)


def test_a_version_that_cannot_be_loaded_leaves_the_old_one_and_is_told(tmp_path: Path) -> None:
    with working(tmp_path, 1) as keeper, keeper.client() as client:
        changed = packed(tmp_path, 2)
        Path(changed.folder, "card.md").write_text("another card")
        wrong = packed(tmp_path, 3)
        wrong = orders.Placed(3, wrong.folder, "00" * 32)

        for rev, placed in ((2, changed), (3, wrong)):
            reply = keeper.serve("coin", rev, Arms(placed.number), placed)

            assert (reply["did"], reply["number"]) == ("failed", placed.number)
            assert reply["error"]["code"] == "ArtefactRefused"
            assert client.post(PREDICT, json=ROW).json()["version"] == "v1"
            health = client.get("/health").json()
            assert health["status"] == "degraded"
            assert f"v{placed.number}" in health["reasons"][0]
            assert client.get("/v2/health/ready").status_code == 200

        keeper.serve("coin", 4, Arms(1), packed(tmp_path, 1))
        assert client.get("/health").json() == {
            "status": "ok", "reasons": [], "everfit": client.get("/v2").json()["version"],
            "models": {"coin": "v1"},
        }  # fmt: skip


def test_golden_rows_that_differ_refuse_a_version(tmp_path: Path) -> None:
    placed = packed(tmp_path, 2)
    folder = Path(placed.folder)
    rows = json.loads((folder / "golden.json").read_text())
    rows[0]["expected"][0] += 1e-6
    (folder / "golden.json").write_text(json.dumps(rows))
    manifest = from_plain(Manifest, json.loads((folder / "manifest.json").read_text()))
    sha256 = seal(folder, manifest, KEY).sha256
    with working(tmp_path, 1) as keeper:
        reply = keeper.serve("coin", 2, Arms(2), orders.Placed(2, str(folder), sha256))

    assert (reply["did"], reply["error"]["code"]) == ("failed", "ArtefactRefused")
    assert "golden" in reply["error"]["message"]


def test_a_model_without_any_version_is_unavailable_and_said_so(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path)
    try:
        bad = orders.Placed(1, str(tmp_path / "none"), "00" * 32)
        assert keeper.serve("coin", 1, Arms(1), bad)["did"] == "failed"
        keeper.go()
        with keeper.client() as client:
            health = client.get("/health")
            ready = client.get("/v2/models/coin/ready")

            assert (health.status_code, health.json()["status"]) == (503, "unavailable")
            assert "coin" in health.json()["reasons"][0]
            assert (ready.status_code, ready.json()["ready"]) == (503, False)
            assert client.get("/v2/health/ready").status_code == 503
            assert client.get("/v2/health/live").status_code == 200
    finally:
        keeper.close()


def test_a_model_that_is_dropped_is_not_there_any_more(tmp_path: Path) -> None:
    with working(tmp_path) as keeper, keeper.client() as client:
        keeper.channel.send(orders.drop("coin"))

        assert wait(lambda: client.post(PREDICT, json=ROW).status_code == 404)


@pytest.mark.parametrize("how", ["drain", "signal"])
def test_told_to_end_it_answers_what_is_here_and_takes_nothing_new(
    tmp_path: Path, how: str
) -> None:
    with working(tmp_path, limits={"rows": 100_000}) as keeper:
        body = json.dumps([ROW] * 4_000).encode()
        head = f"POST {PREDICT} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", keeper.port), timeout=20.0) as end:
            end.sendall(head.encode() + body[:-10])
            with keeper.client() as client:
                assert client.get("/health").status_code == 200  # the head is here by now
            if how == "drain":
                keeper.channel.send(orders.drain())
            else:
                keeper.process.send_signal(signal.SIGTERM)
            end.sendall(body[-10:])
            got = b""
            while more := end.recv(1 << 20):
                got += more

        assert keeper.process.wait(15.0) == 0
        assert b" 200 " in got.split(b"\r\n")[0]
        assert got.count(b'"id":') == 4_000
        frames = [f for f in keeper.frames() if isinstance(f, Predictions)]
        assert sum(f.answer.count(b'"id":') for f in frames) == 4_000


def test_connections_do_not_use_up_the_files_of_the_record(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, before[1]), before[1]))
    try:
        with working(tmp_path) as keeper:
            found = resource.prlimit(keeper.process.pid, resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

    assert found[0] == min(before[1], 65_536)


def test_without_its_keeper_it_ends(tmp_path: Path) -> None:
    with working(tmp_path) as keeper:
        keeper.channel.close()

        assert keeper.process.wait(10.0) == 1


def test_a_full_disk_refuses_work_loudly_and_room_ends_it(tmp_path: Path) -> None:
    with working(tmp_path) as keeper, keeper.client() as client:
        good = [client.post(PREDICT, json=ROW).json()["id"] for _ in range(3)]
        _no_room(keeper.process.pid)
        kept, refused = _use_up(client)
        good += kept

        answer = client.post(PREDICT, json=ROW)
        outcome = client.post("/models/coin/outcomes", json={"id": good[0], "outcome": "heads"})
        health = client.get("/health").json()

        assert (answer.status_code, answer.json()["error"]["code"]) == (500, "StoreFailed")
        assert (outcome.status_code, outcome.json()["error"]["code"]) == (500, "StoreFailed")
        assert health["status"] == "degraded"
        assert health["reasons"][0].startswith("record: ")
        for told in (answer.text, outcome.text, str(health)):
            assert str(tmp_path) not in told
        assert f"everfit_spool_errors_total {refused + 2}.0" in client.get("/metrics").text
        _room(keeper.process.pid)
        assert wait(lambda: client.get("/health").json()["status"] == "ok")
        good.append(client.post(PREDICT, json=ROW).json()["id"])
        told = [json.loads(f.answer) for f in keeper.frames() if isinstance(f, Predictions)]
        assert [row["id"] for one in told for row in one.get("predictions", [one])] == good


def _use_up(client: httpx.Client) -> tuple[list[str], int]:
    """Fill the room that was reserved before: the ids of what was kept, and the refusals."""
    kept: list[str] = []
    sizes = (4_000, 400, 40, 4, 1)
    for size in sizes:
        while (answer := client.post(PREDICT, json=[ROW] * size)).status_code == 200:
            kept += [row["id"] for row in answer.json()["predictions"]]
    return kept, len(sizes)


def _no_room(pid: int) -> None:
    """Let no file of the process grow: writes fail as on a full disk."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))


def _room(pid: int) -> None:
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def test_troubles_and_numbers_of_the_keeper_are_shown(tmp_path: Path) -> None:
    with working(tmp_path) as keeper, keeper.client() as client:
        keeper.channel.send({"do": "trouble", "name": "log", "reason": "10 s behind"})
        keeper.channel.send(
            {"do": "gauge", "name": "everfit_drift", "labels": {"model": "coin"}, "value": 0.25,
             "about": "How far the rows have moved"}
        )  # fmt: skip

        assert wait(lambda: client.get("/health").json()["reasons"] == ["log: 10 s behind"])
        assert wait(lambda: 'everfit_drift{model="coin"} 0.25' in client.get("/metrics").text)
        keeper.channel.send({"do": "trouble", "name": "log", "reason": ""})
        assert wait(lambda: client.get("/health").json()["status"] == "ok")


def test_new_settings_hold_at_once_and_wrong_ones_are_told(tmp_path: Path) -> None:
    with working(tmp_path) as keeper, keeper.client() as client:
        keeper.channel.send({"do": "reread", "serving": {"limits": {"rows": 1}}})

        assert wait(lambda: client.post(PREDICT, json=[ROW, ROW]).status_code == 413)
        keeper.channel.send({"do": "reread", "serving": {"limits": {"rows": -1}}})
        assert wait(lambda: client.get("/health").json()["status"] == "degraded")
        assert client.post(PREDICT, json=[ROW, ROW]).status_code == 413
