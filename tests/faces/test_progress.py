from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass

import pytest

from everfit.faces.progress import (
    JsonLines,
    LiveLines,
    PlainLines,
    Silent,
    rows_told,
    shown_share,
    teller,
)
from everfit.records import Progress


@dataclass
class Clock:
    at: float = 100.0

    def __call__(self) -> float:
        return self.at


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_auto_is_live_on_a_terminal_and_plain_anywhere_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")

    live = teller("auto", Terminal(), budget_s=60, started=0)
    plain = teller("auto", io.StringIO(), budget_s=60, started=0)

    assert isinstance(live, LiveLines)
    assert isinstance(plain, PlainLines)


def test_a_dumb_terminal_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")

    assert isinstance(teller("auto", Terminal(), budget_s=60, started=0), PlainLines)


def test_the_other_modes_are_what_they_say() -> None:
    stream = Terminal()

    assert isinstance(teller("plain", stream, budget_s=60, started=0), PlainLines)
    assert isinstance(teller("json", stream, budget_s=60, started=0), JsonLines)
    assert type(teller("none", stream, budget_s=60, started=0)) is Silent


def test_plain_lines_are_one_a_step_with_the_last_thing_said_in_it() -> None:
    stream, now = io.StringIO(), Clock()

    with PlainLines(stream, 100.0, now) as tell:
        tell(Progress("read", "reading x.csv"))
        now.at = 101.0
        tell(Progress("assess", "missing values"))
        now.at = 104.0
        tell(Progress("assess", "12 checks: all pass"))
        tell(Progress("study", "fold 1"))
        now.at = 130.0
        tell(Progress("study", "fold 9"))
    lines = stream.getvalue().splitlines()

    assert [line.split()[-1] for line in lines] == ["x.csv", "pass", "9"]
    assert lines[1] == "  4.0 s  Check data  12 checks: all pass".replace("4.0 s", "4.0 s")


def test_a_finished_step_says_what_it_came_to() -> None:
    stream = io.StringIO()
    best = {"best": "CatBoost, tuned", "best_loss": 0.312449, "n_trials": 23}

    with PlainLines(stream, 100.0, Clock()) as tell:
        tell(Progress("study", "CatBoost, tuned: fold 5 of 5", detail=best))
        tell(Progress("study", "judging", detail={"stage": "judge"}))
        tell(Progress("release", "packing CatBoost, tuned"))
        tell(Progress("release", "loading it in a fresh process"))
        tell(Progress("done", "Released v1 (CatBoost, tuned)"))
    lines = stream.getvalue().splitlines()

    assert lines[0].endswith("23 models tried; best alone: CatBoost, tuned, mean loss 0.3124")
    assert lines[1].endswith("Release     Released v1 (CatBoost, tuned)")
    assert len(lines) == 2


def test_plain_lines_come_about_once_a_minute_in_a_long_step() -> None:
    stream, now = io.StringIO(), Clock()

    with PlainLines(stream, 100.0, now) as tell:
        for second in range(0, 300, 10):
            now.at = 100.0 + second
            tell(Progress("study", f"at {second}"))

    assert len(stream.getvalue().splitlines()) == 5


def test_a_warning_is_told_at_once() -> None:
    stream = io.StringIO()

    tell = PlainLines(stream, 100.0, Clock())
    tell(Progress("assess", "`id` is left out", detail={"level": "warn"}))

    assert stream.getvalue() == "    ! `id` is left out\n"


def test_json_lines_are_objects_with_the_seconds_since_the_start() -> None:
    stream = io.StringIO()

    JsonLines(stream, 90.0, Clock())(Progress("study", "fold", 0.5, {"loss": float("nan")}))

    assert json.loads(stream.getvalue()) == {
        "seconds": 10.0, "step": "study", "line": "fold", "share": 0.5, "detail": {"loss": None},
    }  # fmt: skip


def test_the_live_form_leaves_finished_steps_and_shows_the_present_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream, now = Terminal(), Clock()
    tell = LiveLines(stream, 60.0, 100.0, False, now)

    with tell:
        tell(Progress("read", "1,200 rows x 9 columns"))
        now.at = 104.0
        best = {"best": "LightGBM", "best_loss": 0.4, "n_trials": 1}
        tell(Progress("study", "LightGBM: fold 2 of 5", 0.1, best))
        tell.say("Stopping")
        now.at = 500.0
        tell(Progress("study", "CatBoost: fold 1 of 5", 0.1))
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", stream.getvalue())

    assert "✓ Read        1,200 rows x 9 columns" in text
    assert "Stopping" in text
    assert "✓ Study       1 model tried; best alone: LightGBM, mean loss 0.4" in text


def test_the_live_form_marks_the_step_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()

    tell = LiveLines(stream, 60.0, 0.0, False, Clock())
    tell.__enter__()
    tell(Progress("study", "LightGBM", detail={"best": "x", "best_loss": 0.4, "n_trials": 1}))
    tell.__exit__(ValueError, ValueError("x"), None)

    assert "✗ Study       LightGBM" in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", stream.getvalue())


@pytest.mark.parametrize("passed", [0.0, 30.0, 59.9, 60.0, 600.0])
def test_the_bar_is_never_full_before_the_end(passed: float) -> None:
    assert 0 <= shown_share(1.0, passed, 60.0) < 1


def test_counted_rows_are_said_once_when_nobody_watches() -> None:
    stream = io.StringIO()

    with rows_told(stream, "auto", "Predict", now=Clock()) as counter:
        counter.add(1000, 0.5)
        counter.add(1000, 1.0)

    assert stream.getvalue() == "Predict: 2,000 rows in 0 s\n"


def test_counted_rows_move_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream, now = Terminal(), Clock()

    with rows_told(stream, "auto", "Predict", now=now) as counter:
        now.at += 2.0
        counter.add(1000, 0.5)

    assert "1,000 rows, about 2 s left" in stream.getvalue().replace("2.0 s", "2 s")
