"""What docs/alerts.md promises, run as it is written there."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

from everfit.alert.kinds import KINDS, LEDGER
from everfit.alert.payload import as_json
from everfit.alert.sign import headers
from everfit.settings import read_settings
from tests.alert.looks import firing

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "alerts.md").read_text()


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def test_the_check_of_a_signature_works_as_it_is_written() -> None:
    names: dict[str, Any] = {}
    exec(block("python"), names)
    is_ours, now = names["is_ours"], time.time()
    sent = headers("s3cret", "abc/churn/loss#1.0", b"{}", now)

    assert is_ours(sent, b"{}", b"s3cret")
    assert not is_ours(sent, b"{}", b"s3cret")  # played again
    assert not is_ours(headers("s3cret", "b", b"{}", now), b"{ }", b"s3cret")
    assert not is_ours(headers("other", "c", b"{}", now), b"{}", b"s3cret")
    assert not is_ours(headers("s3cret", "d", b"{}", now - 400), b"{}", b"s3cret")


def test_the_json_has_the_names_that_are_written() -> None:
    assert list(json.loads(block("json"))) == list(as_json(firing(), "abc"))


def test_the_settings_are_read_as_they_are_written(tmp_path: Path) -> None:
    file = tmp_path / "everfit.toml"
    file.write_text(block("toml"))

    settings = read_settings(file, environ={})

    assert [target.name for target in settings.alerts] == ["ops", "team", "people"]


def test_every_cause_is_named() -> None:
    part = PAGE.split("Causes:")[1].split("##")[0]

    assert set(re.findall(r"`([a-z]+)`", part)) == {*KINDS, *LEDGER, "health"}
