"""What is PostgreSQL's own: turns between processes, a server that goes away, and its words."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError

from everfit.errors import (
    EverfitError,
    ModelUnknown,
    Refused,
    SettingsError,
    StoreBusy,
    StoreFailed,
    Unreachable,
)
from everfit.store import Journal, database, open_store, postgresql
from everfit.store.holds import lease
from tests.postgres import Server, ask, fresh_database, fresh_schema, new_server
from tests.store.build import decision, release, side_by_side

ROUNDS = 40


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server of our own that a test may stop."""
    made = new_server()
    yield made
    made.stop()


def count_up(store: Journal, rounds: int = ROUNDS) -> None:
    """Read a number, then write the next one, as a lost update would show."""
    for _ in range(rounds):
        with store.database.write() as connection:
            asked = text("SELECT value FROM setting WHERE name = 'count'")
            seen = int(connection.execute(asked).scalar_one())
            said = text("UPDATE setting SET value = :value WHERE name = 'count'")
            connection.execute(said, {"value": str(seen + 1)})


def counted(store: Journal) -> int:
    with store.database.read() as connection:
        asked = text("SELECT value FROM setting WHERE name = 'count'")
        return int(connection.execute(asked).scalar_one())


def with_count(url: str, folder: Path) -> Journal:
    store = open_store(url, files=folder)
    with store.database.write() as connection:
        connection.execute(text("INSERT INTO setting VALUES ('count', '0')"))
    return store


@pytest.mark.parametrize("usual", ["read committed", "repeatable read", "serializable"])
def test_of_two_processes_that_hammer_none_loses_a_write(tmp_path: Path, usual: str) -> None:
    url = fresh_database()
    ask(f"ALTER DATABASE {make_url(url).database} SET default_transaction_isolation = '{usual}'")
    with_count(url, tmp_path).close()

    codes = side_by_side([lambda: count_up(open_store(url, files=tmp_path))] * 2)

    assert codes == [0, 0]
    store = open_store(url, files=tmp_path)
    assert counted(store) == 2 * ROUNDS
    store.close()


def test_the_ledger_of_many_processes_is_whole_and_in_the_order_of_its_commits(
    tmp_path: Path,
) -> None:
    url = fresh_schema()
    store = open_store(url, files=tmp_path)
    store.begin_run("churn", {})

    def commit() -> None:
        mine = open_store(url, files=tmp_path)
        for _ in range(15):
            before = [d.id for d in mine.decisions("churn")]
            made = mine.commit(decision(kind="kept"))
            assert made.id > max(before, default=0)

    assert side_by_side([commit] * 3) == [0, 0, 0]

    ids = [d.id for d in store.decisions("churn", newest_first=False)]
    assert len(ids) == 45
    assert ids == sorted(set(ids))
    store.close()


def test_a_reader_sees_a_single_state(tmp_path: Path) -> None:
    url = fresh_schema()
    store, other = with_count(url, tmp_path), open_store(url, files=tmp_path)
    asked = text("SELECT value FROM setting WHERE name = 'count'")

    with store.database.read() as connection:
        first = connection.execute(asked).scalar_one()
        count_up(other, rounds=1)
        second = connection.execute(asked).scalar_one()

    assert (first, second, counted(store)) == ("0", "0", 1)
    store.close()
    other.close()


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    store = with_count(fresh_schema(), tmp_path)

    with (
        pytest.raises(StoreFailed, match="read-only transaction"),
        store.database.read() as connection,
    ):
        connection.execute(text("UPDATE setting SET value = '7' WHERE name = 'count'"))

    assert counted(store) == 0
    store.close()


def test_a_writer_that_is_stopped_keeps_others_waiting_until_it_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = with_count(fresh_schema(), tmp_path)
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            with store.database.write():
                os.write(write, b"x")
                time.sleep(60)
        finally:
            os.write(write, b"?")
            os._exit(1)
    assert os.read(read, 1) == b"x"
    os.kill(pid, signal.SIGSTOP)
    monkeypatch.setattr(database, "BUSY_MS", 150)

    with pytest.raises(StoreBusy, match="(?s)is busy.*lock timeout.*a turn to write"):
        count_up(store, rounds=1)
    assert counted(store) == 0  # readers never wait
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    monkeypatch.setattr(database, "BUSY_MS", 10_000)
    count_up(store, rounds=1)

    assert counted(store) == 1
    store.close()
    os.close(read)
    os.close(write)


def test_a_writer_that_says_nothing_loses_its_turn_and_its_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = fresh_schema()
    stuck, other = with_count(url, tmp_path), open_store(url, files=tmp_path)
    asked = text("UPDATE setting SET value = '100' WHERE name = 'count'")
    monkeypatch.setattr(postgresql, "STUCK_MS", 300)

    with (
        pytest.raises(Unreachable, match="does not answer"),
        stuck.database.write() as connection,
    ):
        connection.execute(asked)
        monkeypatch.setattr(postgresql, "STUCK_MS", 60_000)  # that one alone is impatient
        count_up(other, rounds=1)  # waits for its turn until the stuck one has lost it
        connection.execute(asked)

    assert counted(other) == 1
    count_up(stuck, rounds=1)
    assert counted(stuck) == 2
    stuck.close()
    other.close()


def test_a_store_and_another_writer_of_the_same_database_do_not_wait_for_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = fresh_schema()
    store, other = with_count(url, tmp_path), database.Database(url, turn=7)
    monkeypatch.setattr(database, "BUSY_MS", 500)  # shared turns would fail soon

    with other.write() as connection:
        connection.execute(text("SELECT 1"))
        count_up(store, rounds=1)

    assert counted(store) == 1
    store.close()
    other.close()


def test_a_fork_and_its_parent_use_the_same_store_side_by_side(tmp_path: Path) -> None:
    store = with_count(fresh_schema(), tmp_path)  # its connection is open and kept

    def in_child() -> None:
        count_up(store)
        store.close()

    parent = threading.Thread(target=count_up, args=(store,))
    pid = os.fork()
    if pid == 0:
        try:
            in_child()
        finally:
            os._exit(int(sys.exc_info()[0] is not None))
    parent.start()
    parent.join()
    _, status = os.waitpid(pid, 0)

    assert status == 0
    assert counted(store) == 2 * ROUNDS
    store.close()


def test_a_run_lives_through_a_long_fit_in_the_eyes_of_other_hosts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "TTL_S", 1.6)
    url = fresh_schema()
    here, there = open_store(url, files=tmp_path), open_store(url, files=tmp_path)
    here.begin_run("churn", {})
    with there.database.write() as connection:
        connection.execute(text("UPDATE lease SET host = 'elsewhere', pid = 999999"))
    time.sleep(1.8)  # longer than a hold: it fits, and writes nothing

    with pytest.raises(StoreBusy, match="999999 on elsewhere"):
        there.begin_run("churn", {})
    here.close()  # as good as dead
    time.sleep(1.7)

    assert there.begin_run("churn", {}).epoch == 2
    there.close()


def test_a_server_that_is_gone_is_told_and_all_is_there_when_it_is_back(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "GONE_S", 0.0)
    store = open_store(server.url, files=server.home / "files")
    run = store.begin_run("churn", {})
    made = release(store, run, 1)
    acts = (lambda: store.commit(decision(), run=run), lambda: store.decisions("churn"))

    server.stop()
    for act in (*acts, lambda: open_store(server.url, files=server.home / "files")):
        with pytest.raises(Unreachable, match="(?s)does not answer.*then repeat") as caught:
            act()
        assert server.password not in str(caught.value)
    server.start()

    later = store.commit(decision(kind="kept"), run=run)
    assert store.decisions("churn") == (later, made)
    store.close()


def test_a_server_that_is_away_for_a_moment_is_waited_for(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "GONE_S", 60.0)  # not a measure of how fast it starts
    store = open_store(server.url, files=server.home / "files")
    model = f"m{time.monotonic_ns()}"
    server.stop()
    asker = threading.Thread(target=store.begin_run, args=(model, {}))

    asker.start()
    asker.join(0.3)
    waits = asker.is_alive()
    server.start()
    asker.join()

    assert waits
    assert model in store.models()
    store.close()


def test_a_server_that_crashes_under_a_writer_keeps_nothing_of_its_write(
    tmp_path: Path, server: Server
) -> None:
    store = open_store(server.url, files=server.home / "files")
    with (
        pytest.raises(Unreachable, match="does not answer"),
        store.database.write() as connection,
    ):
        connection.execute(text("INSERT INTO setting VALUES ('half', '1')"))
        server.stop(signal.SIGQUIT)
        connection.execute(text("INSERT INTO setting VALUES ('whole', '1')"))
    server.start()

    with store.database.read() as connection:
        asked = text("SELECT count(*) FROM setting WHERE name IN ('half', 'whole')")
        assert connection.execute(asked).scalar_one() == 0
    store.close()


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"port": 9}, Unreachable, "(?s)does not answer.*refused"),
        ({"password": "wr@ng"}, SettingsError, "(?s)URL cannot be used.*password authentication"),
        ({"username": "nobody-here"}, SettingsError, "(?s)password authentication.*check the user"),
        ({"database": "nowhere"}, SettingsError, '(?s)"nowhere" does not exist.*createdb'),
        ({"host": "no-such-host.invalid"}, SettingsError, "check the name of the host"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_a_url_that_leads_nowhere_is_told_without_its_password(
    server: Server, tmp_path: Path, change: dict[str, Any], error: type[EverfitError], words: str
) -> None:
    url = make_url(server.url).set(**change)

    with pytest.raises(error, match=words) as caught:
        open_store(url.render_as_string(hide_password=False), files=tmp_path)

    assert str(url.password) not in str(caught.value)


def test_the_short_names_of_the_scheme_are_understood(tmp_path: Path) -> None:
    url = fresh_schema().replace("postgresql+psycopg://", "postgres://")

    store = open_store(url, files=tmp_path)

    assert store.models() == ()
    store.close()


def test_without_its_driver_the_way_to_install_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(SettingsError, match=r"(?s)psycopg.*pip install 'everfit\[postgres\]'"):
        open_store("postgresql+psycopg://ann:secret@localhost/shop", files=tmp_path)


def test_only_reading_makes_no_tables(tmp_path: Path) -> None:
    url = fresh_schema()

    with pytest.raises(ModelUnknown, match=r"there is no store at postgresql\+psycopg://"):
        open_store(url, files=tmp_path / "files", create=False)

    store = open_store(url, files=tmp_path)
    assert store.models() == ()
    store.close()
    assert not (tmp_path / "files").exists()


@pytest.mark.parametrize("table", ["setting (id int)", "model (name text)", "run (name text)"])
def test_tables_of_another_program_are_left_alone(tmp_path: Path, table: str) -> None:
    url = fresh_schema()
    schema = str(make_url(url).query["options"]).partition("=")[2]
    ask(f"CREATE TABLE {schema}.{table}")

    with pytest.raises(
        Refused, match=f"(?s)another program.*{table.partition(' ')[0]}.*a database for"
    ):
        open_store(url, files=tmp_path)

    ask(f"DROP TABLE {schema}.{table.partition(' ')[0]}")
    open_store(url, files=tmp_path).close()


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_of_another_encoding_keeps_all_text(tmp_path: Path, encoding: str) -> None:
    name = f"everfit_test_{encoding.lower()}_{os.getpid()}"
    ask(f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0 LOCALE 'C'")
    url = make_url(fresh_schema()).set(database=name, query={})
    store = open_store(url.render_as_string(hide_password=False), files=tmp_path)
    store.begin_run("churn", {"note": "☃ ä"})

    kept = store.commit(decision(by="Ünï", not_done=("☃",)))

    assert store.decisions("churn") == (kept,)
    assert store.runs("churn")[0].spec == {"note": "☃ ä"}
    store.close()
    ask(f"DROP DATABASE {name}")


def test_the_zone_and_date_style_of_a_server_change_nothing(tmp_path: Path) -> None:
    url = fresh_database()
    name = make_url(url).database
    ask(f"ALTER DATABASE {name} SET timezone = 'Asia/Kolkata'")
    ask(f"ALTER DATABASE {name} SET datestyle = 'SQL, DMY'")
    store = open_store(url, files=tmp_path)

    run = store.begin_run("churn", {})
    kept = store.commit(decision(), run=run)

    assert store.decisions("churn") == (kept,)
    offset = store.runs("churn")[0].started_at.utcoffset()
    assert offset is not None
    assert offset.total_seconds() == 0
    store.close()


def test_a_replica_can_be_read_and_says_why_it_cannot_be_written(
    tmp_path: Path, server: Server
) -> None:
    store = open_store(server.url, files=server.home / "files")
    made = store.begin_run("replicated", {})
    server.stop()
    standby = server.home / "data" / "standby.signal"
    standby.touch()
    server.start()

    with pytest.raises(StoreFailed, match="(?s)can only be read.*not a replica"):
        store.heartbeat(made)
    seen = open_store(server.url, files=server.home / "files", create=False).runs("replicated")
    server.stop()
    standby.unlink()
    server.start()
    store.heartbeat(made)

    assert [row.id for row in seen] == [made.id]
    store.close()


def test_a_user_without_rights_is_told(tmp_path: Path) -> None:
    url = make_url(fresh_database())
    role = f"everfit_guest_{os.getpid()}"
    ask(f"CREATE ROLE {role} LOGIN PASSWORD 'p@ss:w/rd'")
    guest = url.set(username=role, password="p@ss:w/rd").render_as_string(hide_password=False)

    with pytest.raises(StoreFailed, match="(?s)permission denied.*GRANT") as caught:
        open_store(guest, files=tmp_path)

    assert "w/rd" not in str(caught.value)
    ask(f"DROP ROLE {role}")


@pytest.mark.parametrize("table", ["decision", "version", "alias_log"])
def test_the_ledger_refuses_to_be_emptied(tmp_path: Path, table: str) -> None:
    store = open_store(fresh_schema(), files=tmp_path)
    made = release(store, store.begin_run("churn", {}), 1)

    with (
        pytest.raises(IntegrityError, match="append-only"),
        store.database.write() as connection,
    ):
        connection.execute(text(f"TRUNCATE {table} CASCADE"))

    assert store.decisions("churn") == (made,)
    assert len(store.versions("churn")) == 1
    store.close()
