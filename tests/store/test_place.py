"""Opening a store: new, again, damaged, locked, and by its URL."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from everfit.errors import ModelUnknown, SettingsError, StoreBusy, StoreFailed
from everfit.store import Journal, RunHandle, database, open_store
from everfit.store.database import journal_mode
from tests.store.build import decision, packed, release


def test_a_store_opened_again_is_the_same_store(tmp_path: Path) -> None:
    first = open_store(tmp_path / "deep" / "store")
    release(first, first.begin_run("churn", {}), 1)

    again = open_store(tmp_path / "deep" / "store")

    assert again.decisions("churn") == first.decisions("churn")
    assert again.versions("churn") == first.versions("churn")


def test_a_store_can_be_moved(tmp_path: Path) -> None:
    store = open_store(tmp_path / "here")
    release(store, store.begin_run("churn", {}), 1)
    (tmp_path / "here").rename(tmp_path / "there")

    champion = open_store(tmp_path / "there").champion("churn")

    assert champion is not None
    assert Path(champion.folder) == tmp_path / "there" / "models" / "churn" / "v1"
    assert Path(champion.folder, "manifest.json").is_file()


def test_a_url_of_a_file_with_folders_beside_it_is_a_store(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/kept.db", files=tmp_path / "files")
    release(store, store.begin_run("churn", {}), 1)

    assert (tmp_path / "files" / "models" / "churn" / "v1").is_dir()
    assert (tmp_path / "kept.db").is_file()


def test_only_reading_makes_no_store(tmp_path: Path) -> None:
    with pytest.raises(ModelUnknown, match=r"there is no store at .*nothing"):
        open_store(tmp_path / "nothing", create=False)

    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize(
    "url",
    [
        "nosuchdb://host/name",
        "mysql://u:secret@h/n",
        "postgresql+nodriver://u:secret@h/n",
        "postgresql://u:a@secret@h:port/n",
        "postgresql+nodriver://h/n?password=secret",
        "://secret@",
    ],
)
def test_a_url_that_cannot_be_used_is_told_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError, match="store's URL cannot be used") as caught:
        open_store(url)

    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_bytes(b"a,b\n1,2\n" * 500)

    with pytest.raises(StoreFailed, match="(?s)is damaged.*not a database"):
        open_store(tmp_path)


def test_a_store_in_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreFailed, match="could not be written"):
        open_store(tmp_path / "file" / "store")


def test_a_database_that_stays_locked_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_MS", 50)
    store = open_store(tmp_path)
    store.begin_run("churn", {})
    other = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    with pytest.raises(StoreBusy, match="(?s)is busy.*locked"):
        store.commit(decision())
    other.execute("ROLLBACK")
    other.close()

    assert store.commit(decision()).id == 1


def test_threads_take_turns(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    run = store.begin_run("churn", {})
    writers = [
        threading.Thread(target=lambda: [store.commit(decision(), run=run) for _ in range(5)])
        for _ in range(4)
    ]

    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert [d.id for d in store.decisions("churn", newest_first=False)] == list(range(1, 21))


@pytest.mark.parametrize(
    ("version", "mode"),
    [
        ((3, 40, 1), "DELETE"),
        ((3, 51, 2), "DELETE"),
        ((3, 51, 3), "WAL"),
        ((3, 52, 0), "DELETE"),
        ((3, 53, 0), "WAL"),
    ],
)
def test_the_write_ahead_log_is_used_only_where_it_is_safe(
    version: tuple[int, ...], mode: str
) -> None:
    assert journal_mode(version) == mode


def test_connections_are_durable_and_keep_foreign_keys(tmp_path: Path) -> None:
    store = open_store(tmp_path)

    with store.database.read() as connection:
        found = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }

    expected = journal_mode(sqlite3.sqlite_version_info).lower()
    assert found == {
        "journal_mode": expected,
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 10_000,
    }


def test_an_alias_cannot_point_to_nothing(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    release(store, store.begin_run("churn", {}), 1)
    packed(store, 2)

    with (
        pytest.raises(Exception, match="FOREIGN KEY"),
        store.database.write() as connection,
    ):
        connection.execute(text("UPDATE alias SET number = 2"))


def test_the_files_of_a_url_are_found_again_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/kept.db"
    monkeypatch.chdir(tmp_path)
    first = open_store(url)
    release(first, first.begin_run("churn", {}), 1)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    again = open_store(url)

    assert again.root == first.root == tmp_path / ".everfit"
    assert again.begin_run("prices", {}).epoch == 1
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("ask", [lambda s: s.key(), lambda s: s.begin_run("churn", {})])
def test_a_store_whose_files_are_elsewhere_says_where_they_were(
    tmp_path: Path, ask: Callable[[Journal], object]
) -> None:
    url = f"sqlite:///{tmp_path}/kept.db"
    first = open_store(url, files=tmp_path / "files")
    release(first, first.begin_run("churn", {}), 1)
    (tmp_path / "files").rename(tmp_path / "moved")
    astray = open_store(url, files=tmp_path / "empty")

    with pytest.raises(SettingsError, match="(?s)1 versions are not in .*empty.*files when"):
        ask(astray)

    assert not (tmp_path / "empty" / "key").exists()
    assert astray.decisions("churn") == first.decisions("churn")  # the ledger can still be read
    first.finish_run(RunHandle("1", "churn", 1), "done")
    ask(open_store(url, files=tmp_path / "moved"))


def test_only_reading_makes_no_file_of_a_url(tmp_path: Path) -> None:
    with pytest.raises(ModelUnknown, match="there is no store at sqlite"):
        open_store(f"sqlite:///{tmp_path}/none.db", files=tmp_path / "files", create=False)

    assert list(tmp_path.iterdir()) == []


def test_names_of_the_store_are_imported_only_when_they_are_used() -> None:
    code = "import sys, everfit.store, everfit.store.contract; print('sqlalchemy' in sys.modules)"

    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "False"
