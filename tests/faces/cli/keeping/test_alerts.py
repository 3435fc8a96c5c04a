from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from everfit import wire
from everfit.faces.cli.main import main
from everfit.settings import read_settings
from tests.alert.looks import FLOOR, Turns, health
from tests.alert.receivers import Receiver, receiving


@pytest.fixture
def turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Turns]:
    made = Turns(tmp_path)
    made.now = datetime.now(UTC) - timedelta(days=4)  # what is a week old is sent no more
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVERFIT_STORE", str(tmp_path / "store"))
    yield made
    made.store.close()


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    """A target called ops, and the settings that name it."""
    with receiving(Receiver()) as open_one:
        text = f'[alerts.webhooks.ops]\nurl = "{open_one.url()}"\nprivate = true\n'
        (tmp_path / "everfit.toml").write_text(text)
        yield open_one


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["alerts", *words])
    out, err = capsys.readouterr()
    return code, out, err


def shape(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    code, out, err = said(capsys, *words, "--json")
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


def test_without_alerts_and_targets_both_are_said(
    turns: Turns, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = said(capsys)

    assert (code, out) == (0, "Nothing open.\n")
    assert "Nobody is told" in err


def test_what_is_open_says_what_it_means_and_what_to_do(
    turns: Turns, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    turns.look(health(FLOOR), act="retrain")

    _, out, _ = said(capsys, "churn")

    first, *rest = out.splitlines()
    assert first.startswith("■ Needs you · churn: The metric is on the wrong side of the floor")
    labels = [line.split("  ")[1].strip() for line in rest if line.startswith("  ")]
    assert {"Since", "It means", "Everfit", "You need"} <= set(labels)
    assert "nothing yet" in out
    assert "webhook ops: 0 messages taken, 1 waiting" in out
    assert max(map(len, out.splitlines())) <= 80


def test_what_is_over_says_how_long_it_lasted(
    turns: Turns, capsys: pytest.CaptureFixture[str]
) -> None:
    for seen in (health(FLOOR), health(), health(), health()):
        turns.look(seen)

    _, out, _ = said(capsys)

    assert out.startswith("Nothing open. Last alert: churn: The metric is on the wrong side")
    assert "over after 3 d" in out


def test_json_has_every_message_and_how_targets_stand(
    turns: Turns, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    turns.look(health(FLOOR))

    found = shape(capsys)

    (alert,) = found["alerts"]
    assert (alert["alert"], alert["event"], alert["cause"]["limit"]) == ("floor#1", "firing", 0.8)
    (target,) = found["targets"]
    assert (target["name"], target["taken"], target["waiting"]) == ("ops", 0, 1)


def test_a_test_goes_to_each_target_and_says_what_came_back(
    turns: Turns, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.answers = [(202, "", {})]

    code, out, _ = said(capsys, "test")

    assert (code, out) == (0, "taken      webhook  ops: it answered 202\n")
    (got,) = receiver.got
    assert json.loads(got.body)["headline"] == "this is a test; nothing happened"


def test_a_test_that_is_not_taken_fails_with_the_reason(
    turns: Turns, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.answers = [(403, "wrong token", {})]

    code, out, err = said(capsys, "test")

    assert code == 4
    assert out.startswith("not taken  webhook  ops: it answered 403: wrong token")
    assert "1 of 1 did not take the test" in err


def test_a_test_works_before_there_is_any_model(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVERFIT_STORE", str(tmp_path / "none"))

    code, _, _ = said(capsys, "test", "ops")

    assert code == 0
    assert len(receiver.got) == 1
    assert not (tmp_path / "none").exists()


def test_a_test_of_nobody_says_what_to_do(turns: Turns, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = said(capsys, "test")

    assert code == 2
    assert "there is nobody to tell" in err


def test_a_target_that_is_not_there_is_told_with_those_that_are(
    turns: Turns, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = said(capsys, "test", "team")

    assert code == 2
    assert "there is no target 'team'" in err
    assert "ops" in err


def test_muting_is_a_decision_with_its_reason(
    turns: Turns, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = said(capsys, "mute", "churn", "--for", "2d", "--reason", "planned")

    (row,) = turns.store.decisions("churn", kinds=("muted",))
    assert (code, out.strip()) == (0, row.headline)
    assert (row.by, row.because[0].note, row.because[0].limit) == ("person", "planned", 172_800.0)
    assert "are muted until" in said(capsys)[1]
    said(capsys, "unmute", "churn")
    assert "muted" not in said(capsys)[1]


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        (("mute",), 2, "everfit alerts mute needs a model"),
        (("mute", "churn"), 2, "needs to know for how long"),
        (("mute", "churn", "--for", "soon"), 2, "cannot be read"),
        (("mute", "chrun", "--for", "1d"), 6, "chrun"),
        (("chrun",), 6, "chrun"),
        (("end", "churn"), 2, "everfit alerts cannot 'end'"),
    ],
)
def test_what_cannot_be_done_is_told_and_changes_nothing(
    turns: Turns, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, what: str
) -> None:
    before = turns.store.revision()

    got, _, err = said(capsys, *words)

    assert (got, turns.store.revision()) == (code, before)
    assert what in err


def test_doctor_says_what_could_not_be_sent(
    turns: Turns, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.answers = [(500, "", {})]
    turns.look(health(FLOOR))
    settings = read_settings()
    with wire.house(settings=settings) as house:
        wire.outbox(house, lambda: settings).deliver()

    main(["doctor"])

    (line,) = [one for one in capsys.readouterr().out.splitlines() if "webhook ops" in one]
    assert "0 messages taken, 1 waiting; it answered 500" in line
    assert "warn" in line
