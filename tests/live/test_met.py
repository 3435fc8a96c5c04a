"""Interactions outlive workers and servers, and reach every worker by way of the log."""

from __future__ import annotations

import os
import signal
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from everfit.live.desk.met import Met, met_frame
from everfit.live.met import Meetings
from everfit.store.log import Log
from everfit.store.log.met import log_name
from everfit.store.log.spool import Spool
from tests.live.coins import Client, Server, serving, wait
from tests.live.shelves import MODEL, lists_store

WORKER = "everfit.faces.http.worker"


def fallback(port: int, user: str) -> Any:
    """What a worker, whichever takes the connection, says of a user."""
    try:
        with Client(port) as client:
            status, body = client.post(f"/models/{MODEL}/recommend", {"user": user})
    except OSError:
        return "no answer"
    return body["fallback"] if status == 200 else "no answer"


def known_everywhere(server: Server, user: str) -> bool:
    return all(fallback(server.port, user) is None for _ in range(10))


def loaded(server: Server) -> bool:
    """Whether both workers have the version: one that is killed while it loads is to blame."""
    with urllib.request.urlopen(f"{server.url}/metrics") as reply:
        lines = reply.read().decode().splitlines()
    return any(one.startswith("everfit_version_loaded{") and one.endswith(" 2.0") for one in lines)


def told(server: Server, user: str) -> None:
    with Client(server.port) as client:
        status, body = client.post(f"/models/{MODEL}/interactions", {"user": user, "item": 115})
    assert (status, body["counted"]) == (200, 1)


def test_interactions_are_known_again_after_kill_9(tmp_path: Path) -> None:
    store = lists_store(tmp_path / "store", (1,))
    with serving(store, "--workers", "2") as server:
        assert wait(lambda: loaded(server))
        told(server, "early")
        assert wait(lambda: known_everywhere(server, "early"))
        before = server.all_of(WORKER)
        assert len(before) == 2
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        assert wait(lambda: known_everywhere(server, "early"))
        assert not set(server.all_of(WORKER)) & set(before)

        # acknowledged, and killed before anybody drained it
        os.kill(server.pid, signal.SIGSTOP)
        told(server, "late")
        server.stop(signal.SIGKILL)

    with serving(store, "--workers", "2") as server:
        assert wait(lambda: known_everywhere(server, "early") and known_everywhere(server, "late"))


def write(spools: Path, name: str, *users: str) -> None:
    spool = Spool(spools / name)
    for at, user in enumerate(users):
        one = Met(f"{name}-{user}-{at}", user, "115", 1.7e9 + at)
        spool.append(met_frame(MODEL, 1_700_000_000_000_000 + at, [one]))
    spool.close()


def asked(meetings: Meetings, log: Log, after: int) -> dict[str, Any]:
    status, body = meetings.told({"model": MODEL, "after": after}, log)
    assert status == 200
    return dict(body)


def test_the_keeper_gives_what_came_since_also_of_sealed_days(
    tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr("everfit.live.met.FRESH_S", 0.0)
    log, spools = Log.open(tmp_path), tmp_path / "spool"
    write(spools, "a", "u1", "u2")
    log.drain(spools)
    assert log.seal(before=datetime.now(UTC).date())
    write(spools, "b", "u3")
    log.drain(spools)

    meetings = Meetings()
    first = asked(meetings, log, 0)
    write(spools, "c", "u4", "u5")
    log.drain(spools)
    second = asked(meetings, log, first["upto"])
    again = asked(Meetings(), log, 0)
    third = asked(meetings, log, second["upto"])
    log.close()

    assert [row[1] for row in first["rows"]] == ["u1", "u2", "u3"]
    assert [row[1] for row in second["rows"]] == ["u4", "u5"]
    assert third == {"rows": [], "upto": 5, "more": False}
    assert first["rows"][0] == ["a-u1-0", "u1", "115", 1.7e9, 1.0]
    assert sorted(row[1] for row in again["rows"]) == ["u1", "u2", "u3", "u4", "u5"]


def test_pages_end_where_the_next_begins(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("everfit.live.met.PAGE", 2)
    log = Log.open(tmp_path)
    write(tmp_path / "spool", "a", "u1", "u2", "u3")
    log.drain(tmp_path / "spool")
    meetings = Meetings()

    first = asked(meetings, log, 0)
    second = asked(meetings, log, first["upto"])
    log.close()

    assert ([row[1] for row in first["rows"]], first["more"]) == (["u1", "u2"], True)
    assert ([row[1] for row in second["rows"]], second["more"]) == (["u3"], False)


def test_forgetting_a_user_takes_the_interactions_out_of_the_log_and_the_keeper(
    tmp_path: Path,
) -> None:
    log = Log.open(tmp_path)
    write(tmp_path / "spool", "a", "u1", "u2")
    log.drain(tmp_path / "spool")
    meetings = Meetings()
    asked(meetings, log, 0)

    gone = log.forget(MODEL, "u1", by="test", spools=tmp_path / "spool")
    meetings.forget(MODEL, "u1")

    assert gone.predictions == 1
    assert log.count(log_name(MODEL)) == 1
    assert [row[1] for row in asked(meetings, log, 0)["rows"]] == ["u2"]
    assert [row[1] for row in asked(Meetings(), log, 0)["rows"]] == ["u2"]
    log.close()


def test_without_a_log_the_worker_is_told_to_ask_again() -> None:
    assert Meetings().told({"model": MODEL, "after": 0}, None)[0] == 503
