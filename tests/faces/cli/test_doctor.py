"""What ``everfit doctor`` says of the place where things are kept."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from everfit.faces.cli.main import main
from everfit.store import disk, open_store
from tests.postgres import fresh_schema


def found(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    """The checks by name."""
    assert main(["--json", "doctor", *options]) == 0
    checks = json.loads(capsys.readouterr().out)["checks"]
    return {check["name"]: check for check in checks}


@pytest.mark.parametrize(
    ("version", "state", "journal"),
    [
        ((3, 40, 1), "warn", "rollback journal"),
        ((3, 51, 2), "warn", "rollback journal"),
        ((3, 51, 3), "ok", "write-ahead log"),
        ((3, 52, 0), "warn", "rollback journal"),
        ((3, 53, 0), "ok", "write-ahead log"),
    ],
)
def test_an_sqlite_with_the_fault_of_the_log_is_told_with_what_is_used_instead(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    version: tuple[int, int, int],
    state: str,
    journal: str,
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    monkeypatch.setattr(sqlite3, "sqlite_version", ".".join(map(str, version)))

    check = found(capsys)["SQLite"]

    assert (check["state"], check["value"].partition(", ")[2]) == (state, journal)
    assert "3.51.3" in check["do"]


def test_a_network_file_system_is_told_before_a_store_is_made_there(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"1 1 0:1 / {tmp_path}/far rw - nfs4 server:/x rw\n")
    monkeypatch.setattr(disk, "MOUNTS", mounts)
    (tmp_path / "far").mkdir()

    checks = found(capsys, "--store", str(tmp_path / "far" / "store"))

    assert (checks["file system"]["state"], checks["file system"]["value"]) == ("warn", "nfs4")
    assert "PostgreSQL" in checks["file system"]["do"]


def test_a_store_in_postgresql_is_told_without_its_password(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    url = fresh_schema()
    store = open_store(url, files=tmp_path)
    store.begin_run("churn", {})
    store.close()
    password = url.partition("@")[0].rpartition(":")[2]

    check = found(capsys, "--store", url)["store"]

    assert check["state"] == "ok"
    assert check["value"].endswith("1 model")
    assert password not in json.dumps(check)


def test_a_server_that_does_not_answer_fails_the_check(capsys: pytest.CaptureFixture[str]) -> None:
    check = found(capsys, "--store", "postgresql://ann:secret@127.0.0.1:9/shop")["store"]

    assert check["state"] == "fail"
    assert "refused" in check["do"]
    assert "secret" not in json.dumps(check)
