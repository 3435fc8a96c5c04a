"""Opening a log: new, again, missing, newer, away and back."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy import text, update

from everfit.errors import ModelUnknown, Refused, SettingsError, StoreBusy, StoreFailed, Unreachable
from everfit.store import database
from everfit.store.log import Log, place, tables
from tests.postgres import new_server
from tests.store.log.build import DATABASES, DAY_US, START_US, Scene


def test_logs_are_tested_in_every_kind_of_database() -> None:
    assert sorted(DATABASES) == ["postgresql", "sqlite"]


def test_a_log_opened_again_is_the_same_log(scene: Scene) -> None:
    spool = scene.spool()
    scene.predict(spool)
    scene.drain()

    again = scene.open()

    assert again.count("churn") == 1
    again.close()
    spool.close()


def test_only_reading_makes_no_log(tmp_path: Path) -> None:
    with pytest.raises(ModelUnknown, match=r"(?s)no log of traffic.*everfit serve"):
        Log.open(tmp_path / "none", create=False)

    assert not (tmp_path / "none").exists()


def test_only_reading_makes_no_tables_in_a_server(tmp_path: Path) -> None:
    url = DATABASES["postgresql"](tmp_path)
    with pytest.raises(ModelUnknown, match="no log of traffic") as caught:
        Log.open(url, root=tmp_path, create=False)

    assert "everfit:" not in str(caught.value)  # its user and password


def test_a_log_of_a_newer_everfit_is_refused(scene: Scene) -> None:
    with scene.log.place.database.write() as connection:
        newer = update(tables.state).where(tables.state.c.name == "schema").values(value=99)
        connection.execute(newer)

    with pytest.raises(Refused, match=r"(?s)newer Everfit.*schema 99"):
        scene.open()


@pytest.mark.parametrize("url", ["nosuchdb://host/name", "postgresql+nodriver://u:secret@h/n"])
def test_a_url_that_cannot_be_used_is_told_without_its_password(url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="log's URL cannot be used") as caught:
        Log.open(url, root=tmp_path)

    assert "secret" not in str(caught.value)


def test_the_log_of_a_store_in_another_sqlite_file_is_a_file_of_its_own(tmp_path: Path) -> None:
    Log.open(f"sqlite:///{tmp_path}/control.db", root=tmp_path).close()

    assert (tmp_path / "log" / "log.db").is_file()
    assert not (tmp_path / "control.db").exists()


def test_the_journal_of_the_file_is_the_one_that_is_safe(file_scene: Scene) -> None:
    _ = file_scene.log
    raw = sqlite3.connect(file_scene.root / "log" / "log.db")

    (mode,) = raw.execute("PRAGMA journal_mode").fetchone()

    assert mode == database.journal_mode(sqlite3.sqlite_version_info).lower()
    raw.close()


def test_a_second_one_waits_for_its_turn_and_then_says_so(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "WAIT_S", 0.05)
    other = scene.open()
    acts: list[Callable[[], object]] = [
        lambda: other.drain(scene.spools),
        lambda: other.seal(),
        lambda: other.forget("churn", "k", by="test"),
        lambda: other.retain(3),
    ]

    with scene.log.place.turn():
        for act in acts:
            with pytest.raises(StoreBusy, match="changed by another process"):
                act()

    for act in acts:
        act()
    other.close()


def test_a_reader_reads_while_another_drains(scene: Scene) -> None:
    spool = scene.spool()
    reader = scene.open()
    counts: list[int] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            counts.append(sum(frame.height for frame in reader.predictions("churn")))

    thread = threading.Thread(target=read)
    thread.start()
    for _ in range(15):
        for _ in range(20):
            scene.predict(spool)
        scene.drain()
    stop.set()
    thread.join()

    assert counts == sorted(counts)
    assert scene.log.count("churn") == 300
    reader.close()
    spool.close()


def test_a_folder_that_is_away_is_told_and_caught_up_when_it_is_back(file_scene: Scene) -> None:
    spool = file_scene.spool()
    file_scene.predict(spool)
    file_scene.drain()
    away = file_scene.root / "away"
    (file_scene.root / "log").rename(away)
    file_scene.predict(spool)

    for _ in range(2):
        with pytest.raises(StoreFailed):
            file_scene.drain()
    assert not (file_scene.root / "log").exists()
    away.rename(file_scene.root / "log")

    assert file_scene.drain().predictions == 1
    assert file_scene.ids() == ["p1", "p2"]
    spool.close()


def test_a_database_that_is_full_is_told_and_caught_up_when_there_is_room(
    file_scene: Scene,
) -> None:
    spool = file_scene.spool()
    engine = file_scene.log.place.database.engine
    limits = [40]

    from sqlalchemy import event

    @event.listens_for(engine, "connect")
    def limit(connection: sqlite3.Connection, _: object) -> None:
        connection.execute(f"PRAGMA max_page_count={limits[0]}")

    for _ in range(400):
        file_scene.predict(spool, row={"text": "x" * 500})

    with pytest.raises(StoreFailed, match="(?s)could not be written.*full"):
        file_scene.drain()
    assert file_scene.ids() == []
    limits[0] = 100_000

    assert file_scene.drain().predictions == 400
    assert len(file_scene.ids()) == 400
    spool.close()


def test_a_server_that_is_away_is_told_and_caught_up_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "GONE_S", 0.2)
    server = new_server()
    scene = Scene(server.url, tmp_path)
    spool = scene.spool()
    scene.predict(spool)
    scene.drain()
    server.stop()
    scene.predict(spool)
    (receipt,) = scene.tell(spool, {"id": "p1", "outcome": "yes"})

    for _ in range(2):
        with pytest.raises(Unreachable, match="does not answer"):
            scene.drain()
    server.start()

    drained = scene.drain()
    assert (drained.predictions, drained.outcomes) == (1, 1)
    assert scene.states([receipt]) == ["counted"]
    assert pl.concat(scene.log.predictions("churn"))["id"].to_list() == ["p1", "p2"]
    spool.close()
    scene.log.close()
    server.stop()


def test_tables_of_a_server_carry_a_name_that_tells_whose_they_are(tmp_path: Path) -> None:
    url = DATABASES["postgresql"](tmp_path)
    log = Log.open(url, root=tmp_path)
    query = text("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")

    with log.place.database.read() as connection:
        names = set(connection.execute(query).scalars())

    assert names == set(tables.tables.tables)
    assert all(name.startswith("log_") for name in names)
    log.close()


def test_the_span_of_a_model_is_from_its_first_to_its_newest_prediction(scene: Scene) -> None:
    spool = scene.spool()
    for at_us in (START_US + 5 * DAY_US, START_US + 7, START_US + 2 * DAY_US):
        scene.predict(spool, at_us=at_us)
    scene.predict(spool, model="prices", at_us=START_US)
    scene.drain()

    span = scene.log.span("churn")

    begin = datetime(2025, 11, 20, tzinfo=UTC)
    assert span == (begin + timedelta(microseconds=7), begin + timedelta(days=5))
    assert scene.log.span("prices") == (begin, begin)
    assert scene.log.span("nobody") is None


def test_the_span_of_a_model_counts_what_was_sealed(scene: Scene) -> None:
    spool = scene.spool()
    scene.predict(spool, at_us=START_US)
    scene.predict(spool, at_us=START_US + DAY_US)
    scene.now_us = START_US + DAY_US + 1
    scene.drain()
    before = scene.log.span("churn")

    made = scene.log.seal()

    assert made
    assert scene.log.span("churn") == before
