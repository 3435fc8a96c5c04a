"""A server whose store and log are in PostgreSQL: it answers while the database is away."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from everfit.store.log import Log
from tests.live.coins import Client, coin_store, house_at, serving, wait
from tests.postgres import Server, new_server


@pytest.fixture(scope="module")
def database() -> Iterator[Server]:
    """A server of our own that a test may stop."""
    made = new_server()
    yield made
    made.stop()


def test_a_database_that_goes_away_stops_no_answer_and_gets_all_when_it_is_back(tmp_path, database):
    folder, url = tmp_path / "store", database.url
    coin_store(folder, url=url)
    with serving(folder, url=url) as server, house_at(folder, url) as house:
        with Client(server.port) as client:
            first = client.post("/models/coin/predict", {"size": 41.0})[1]["id"]
            house.promote("coin", "v2")
            assert wait(lambda: client.heads()[0] == "v2")
            before = server.events("log_lost")

            database.stop(signal.SIGQUIT)
            server.wait_for("log_lost")
            for _ in range(20):
                assert client.heads()[0] == "v2"
            status, kept = client.post("/models/coin/outcomes", {"id": first, "outcome": "heads"})
            health = client.get("/health")[1]
            assert client.get("/models")[0] == 503
            database.start()
            server.wait_for("log_back")
            house.rollback("coin", "v1")
            assert wait(lambda: client.heads()[0] == "v1")
        assert server.stop() == 0

    assert before == []
    assert (status, kept["waiting"]) == (200, 1)
    assert health["status"] == "degraded"
    log = Log.open(url, root=folder)
    outcomes = [row for f in log.joined("coin", columns=["outcome"]) for row in f.to_dicts()]
    log.close()
    assert len(outcomes) >= 23
    assert sum(row["outcome"] is not None for row in outcomes) == 1
