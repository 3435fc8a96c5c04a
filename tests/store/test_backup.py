"""The backup of docs/stores.md: the database first, then the folder, while somebody writes."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from everfit.store import Journal, open_store
from tests.postgres import fresh_database, own_server
from tests.store.build import release


@contextmanager
def somebody_writes(place: str, files: Path) -> Iterator[None]:
    """Another process releases version after version, until the block ends."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            store = open_store(place, files=files)
            run = store.begin_run("churn", {})
            for number in range(1, 10_000):
                release(store, run, number)
                os.write(write, b"x")
        finally:
            os._exit(1)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        assert pipe.read(3) == b"xxx"
        yield
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def check_copy(copy: Journal) -> None:
    versions = copy.versions("churn")
    assert len(versions) >= 3
    assert copy.champion("churn") == versions[0]
    for version in versions:
        assert (Path(version.folder) / "m0" / "model.txt").read_text() == "model"
    assert len(copy.decisions("churn")) == len(versions)


def copy_files(files: Path, to: Path) -> None:
    shutil.copytree(files, to, ignore=shutil.ignore_patterns("journal.db*", "staging"))


def test_a_copy_of_a_folder_that_is_written_to_is_a_whole_store(tmp_path: Path) -> None:
    store, backup = tmp_path / "store", tmp_path / "backup"
    with somebody_writes(str(store), store):
        with (
            closing(sqlite3.connect(store / "journal.db")) as source,
            closing(sqlite3.connect(tmp_path / "journal.db")) as target,
        ):
            source.backup(target)
        copy_files(store, backup)
    (tmp_path / "journal.db").rename(backup / "journal.db")

    check_copy(open_store(backup, create=False))


def test_a_dump_of_a_server_that_is_written_to_is_a_whole_store(tmp_path: Path) -> None:
    if os.environ.get("EVERFIT_TEST_POSTGRES"):
        pytest.skip("the programs that came with pip may be older than the server that was named")
    url, new = fresh_database(), fresh_database()
    tools, dump = own_server().binaries, tmp_path / "everfit.dump"
    with somebody_writes(url, tmp_path / "files"):
        ask(tools / "pg_dump", "--format=custom", f"--file={dump}", f"--dbname={plain(url)}")
        copy_files(tmp_path / "files", tmp_path / "backup")

    ask(tools / "pg_restore", f"--dbname={plain(new)}", str(dump))

    copy = open_store(new, files=tmp_path / "backup", create=False)
    check_copy(copy)
    copy.close()


def ask(*command: str | Path) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def plain(url: str) -> str:
    """The URL as PostgreSQL's own programs take it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
