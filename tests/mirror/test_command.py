"""``everfit mirror`` and what ``everfit doctor`` says of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from everfit.faces.cli.main import main
from everfit.house import House
from tests.mirror.proxy import Proxy


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings file, no store and no server of whoever runs the tests."""
    monkeypatch.chdir(tmp_path)
    for word in ("EVERFIT_STORE", "EVERFIT_CONFIG", "EVERFIT_FILES", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(word, raising=False)


def mirror_fact(store: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any] | None:
    assert main(["doctor", "--json", "--store", store]) == 0
    checks = json.loads(capsys.readouterr().out)["checks"]
    return next((check for check in checks if check["name"] == "mirror"), None)


def test_a_server_must_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mirror"]) == 2
    assert "MLFLOW_TRACKING_URI is not set" in capsys.readouterr().err


def test_a_time_that_is_none_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")

    assert main(["mirror", "--for", "soon"]) == 2
    assert "'soon'" in capsys.readouterr().err


def test_doctor_is_silent_where_nothing_is_mirrored(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mirror_fact(house.place, capsys) is None


def test_it_says_what_waits_and_then_what_arrived(
    house: House,
    door: Proxy,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", door.uri)
    command = ["mirror", "--store", house.place]

    door.shut()
    down = main(command)
    said = capsys.readouterr().err
    while_down = mirror_fact(house.place, capsys)
    door.open()
    up = main([*command, "--json"])
    shape = json.loads(capsys.readouterr().out)
    afterwards = mirror_fact(house.place, capsys)

    assert (down, up) == (4, 0)
    assert "the server does not answer: Connection refused" in said
    assert "nothing is lost" in said
    assert while_down is not None
    assert while_down["state"] == "warn"
    assert "items waiting; the server does not answer" in while_down["value"]
    assert (shape["target"], shape["waiting"], shape["busy"]) == (door.uri, 0, False)
    assert shape["arrived"] > 3
    assert afterwards is not None
    assert (afterwards["state"], afterwards["value"]) == ("ok", f"{door.uri}: all is there")


def test_a_second_process_waits_for_its_turn(
    house: House,
    door: Proxy,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from everfit.mirror.once import LOCK, turn

    monkeypatch.setenv("MLFLOW_TRACKING_URI", door.uri)

    with turn(house.root / LOCK) as mine:
        code = main(["mirror", "--store", house.place])

    assert mine
    assert code == 0
    assert "another process is at it" in capsys.readouterr().out
    assert door.requests == []
