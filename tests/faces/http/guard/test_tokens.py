"""The file of tokens: what is in it, who may read it, and what becomes of it."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from everfit.errors import Refused, SettingsError, StoreFailed, UsageError
from everfit.faces.http.guard.tokens import (
    FILE,
    SCOPES,
    Tokens,
    first_token,
    list_tokens,
    make_token,
    revoke_token,
)


def test_a_token_is_shown_once_and_kept_as_a_hash_that_only_its_owner_can_read(
    tmp_path: Path,
) -> None:
    path = tmp_path / "store" / FILE

    text = make_token(path, "shop", ["read", "predict"])

    assert len(text) > 40
    assert text not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    (token,) = list_tokens(path)
    assert (token.name, token.scopes, token.expires) == ("shop", ("predict", "read"), None)


def test_made_and_revoked_leaves_the_others(tmp_path: Path) -> None:
    path = tmp_path / FILE
    texts = {name: make_token(path, name) for name in ("a", "b", "c")}

    revoke_token(path, "b")

    tokens = Tokens(path)
    found = {name: tokens.find(text.encode()) is not None for name, text in texts.items()}
    assert found == {"a": True, "b": False, "c": True}
    assert list(tmp_path.iterdir()) == [path]


def test_the_first_token_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / FILE

    text = first_token(path)

    assert text is not None
    found = Tokens(path).find(text.encode())
    assert found is not None
    assert found.scopes == SCOPES
    assert first_token(path) is None


@pytest.mark.parametrize(
    ("name", "scopes", "expires", "said"),
    [
        ("", ["read"], None, "cannot have this name"),
        ("../x", ["read"], None, "cannot have this name"),
        ("a\nb", ["read"], None, "cannot have this name"),
        ("shop", [], None, "cannot have these scopes"),
        ("shop", ["prdict"], None, "cannot have these scopes"),
        ("shop", ["read"], datetime(2027, 1, 1), "needs a zone"),
        ("taken", ["read"], None, "there is a token 'taken' already"),
    ],
)
def test_a_token_that_cannot_be_made_leaves_the_file_alone(
    tmp_path: Path, name: str, scopes: list[str], expires: datetime | None, said: str
) -> None:
    path = tmp_path / FILE
    make_token(path, "taken")
    before = path.read_bytes()

    with pytest.raises(UsageError, match=said) as error:
        make_token(path, name, scopes, expires=expires)

    assert all((error.value.got, error.value.expected, error.value.do))
    assert path.read_bytes() == before


def test_an_unknown_token_cannot_be_revoked(tmp_path: Path) -> None:
    make_token(tmp_path / FILE, "shop")

    with pytest.raises(Refused, match="no token 'shp'") as error:
        revoke_token(tmp_path / FILE, "shp")

    assert "'shop'" in error.value.do


@pytest.mark.parametrize("text", ["", "{}", '{"tokens": [{}]}', '{"tokens": 7}', "[]"])
def test_a_file_that_is_no_list_of_tokens_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / FILE
    path.write_text(text)
    path.chmod(0o600)

    with pytest.raises(SettingsError, match="cannot be read"):
        Tokens(path)


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / FILE
    make_token(path, "shop")
    path.chmod(0o640)

    with pytest.raises(SettingsError, match="can be read by others"):
        list_tokens(path)


def test_a_file_that_breaks_while_a_server_runs_leaves_the_old_tokens(tmp_path: Path) -> None:
    path = tmp_path / FILE
    text = make_token(path, "shop").encode()
    tokens = Tokens(path)
    good = path.read_bytes()

    path.write_text("{")
    tokens.reread()

    assert tokens.find(text) is not None
    assert "cannot be read" in tokens.trouble
    path.write_bytes(good)
    tokens.reread()
    assert tokens.trouble == ""


def test_a_file_that_is_gone_takes_its_tokens_with_it(tmp_path: Path) -> None:
    path = tmp_path / FILE
    text = make_token(path, "shop").encode()
    tokens = Tokens(path)

    path.unlink()
    tokens.reread()

    assert tokens.find(text) is None
    assert len(tokens) == 0


def test_expiry_is_kept_in_utc(tmp_path: Path) -> None:
    path = tmp_path / FILE

    make_token(path, "shop", expires=datetime.fromisoformat("2027-01-01T01:00:00+01:00"))

    (token,) = list_tokens(path)
    assert token.expires == "2027-01-01T00:00:00+00:00"
    assert not token.expired(datetime(2026, 12, 31, tzinfo=UTC))
    assert token.expired(datetime(2027, 1, 1, tzinfo=UTC))


def test_a_disk_that_is_full_leaves_the_tokens_that_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / FILE
    make_token(path, "shop")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreFailed, match="cannot be written"):
        make_token(path, "second")

    assert [token.name for token in list_tokens(path)] == ["shop"]
    assert list(tmp_path.iterdir()) == [path]


def test_no_hash_can_be_used_as_a_token(tmp_path: Path) -> None:
    path = tmp_path / FILE
    make_token(path, "shop")
    (kept,) = json.loads(path.read_text())["tokens"]

    assert Tokens(path).find(kept["sha256"].encode()) is None


def test_tokens_that_are_made_and_revoked_at_the_same_time_are_all_there(tmp_path: Path) -> None:
    path = tmp_path / FILE
    for i in range(6):
        make_token(path, f"old-{i}")
    code = (
        "import sys; from pathlib import Path;"
        "from everfit.faces.http.guard.tokens import make_token, revoke_token;"
        "path, name = Path(sys.argv[1]), sys.argv[2];"
        "[make_token(path, f'{name}-{k}') for k in range(5)]; revoke_token(path, f'old-{name}')"
    )

    many = [subprocess.Popen([sys.executable, "-c", code, str(path), str(i)]) for i in range(6)]

    assert [one.wait(60.0) for one in many] == [0] * 6
    names = {token.name for token in list_tokens(path)}
    assert names == {f"{i}-{k}" for i in range(6) for k in range(5)}
