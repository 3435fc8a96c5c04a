"""What ``everfit check`` prints of the newest look at a model."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from everfit.evidence.interval import Interval
from everfit.faces.words.health import Look, check_lines, check_shape
from everfit.records import Finding, Health, Performance, Regime

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
LOSS = Interval(0.41, 0.45, 0.49, n=900)
LOW = Finding("loss", "fail", "The loss is above what was certified.", done="a fit is under way")
MOVED = Finding("data drift", "warn", "Column age moved.", columns=("age",))
USUAL = Finding("lateness", "info", "Half of the outcomes come within 2 days.")
HEALTH = Health(
    "churn",
    "v3",
    "needs_you",
    "The loss is above what was certified.",
    measured=(Performance(3, AT - timedelta(days=1), AT, 900, 1000, LOSS),),
    findings=(USUAL, MOVED, LOW),
    regime=Regime(0.02, 0.18, 0.8, windows=12),
    bound=0.4,
    asked=12_000,
    matured=10_800,
)
LOOK = Look("churn", HEALTH, AT, "v3", 86_400.0)


def told(look: Look, now: datetime = AT, *, full: bool = False) -> str:
    return " ".join("\n".join(check_lines(look, now, full=full)).split())


def test_a_look_is_told_with_its_loss_its_limit_and_findings_worst_first():
    text = told(LOOK)

    assert text.startswith("■ Needs you · churn v3: The loss is above what was certified.")
    assert "Loss 0.450 measured (95% range 0.410 to 0.490), 900 of 1,000 predictions" in text
    assert "may be 0.4 at most" in text
    assert "Course broken (chance 80%; stable 2%, degrading 18%), by 12 windows" in text
    assert text.index("a fit is under way") < text.index("Column age moved.")
    assert "12,000 predictions, 10,800 with outcome" in text


def test_the_headline_is_not_told_twice():
    assert told(LOOK).count("The loss is above what was certified.") == 1


def test_things_to_know_are_told_when_asked_for():
    assert "1 finding more with --verbose" in told(LOOK)
    assert USUAL.headline not in told(LOOK)
    assert USUAL.headline in told(LOOK, full=True)


def test_an_estimated_loss_is_told_while_no_outcome_came():
    guessed = replace(HEALTH.measured[0], how="estimated")
    health = replace(HEALTH, measured=(), estimated=(guessed,))

    assert "0.450 estimated" in told(replace(LOOK, health=health))


def test_a_model_that_nobody_looked_at_is_not_called_healthy():
    look = Look("churn", None, None, "v1", 86_400.0)

    assert look.state == "not_enough_data"
    assert "Not enough data · churn: nobody looked at it yet" in told(look)
    assert "a window of 24 h must be over" in told(look)
    assert "it has no champion" in told(replace(look, champion=None))


def test_a_look_that_is_old_says_so_and_keeps_its_state():
    later = AT + timedelta(days=5)

    assert LOOK.late(AT + timedelta(days=2)) is None
    assert "nobody looked for 120 h" in told(LOOK, later)
    assert check_shape(LOOK, later)["late"] is True
    assert check_shape(LOOK, AT)["late"] is False


def test_a_champion_that_came_after_the_look_is_named():
    assert "v4 is the champion since; nobody looked at it yet" in told(replace(LOOK, champion="v4"))


def test_a_paused_model_says_so_and_keeps_its_state():
    paused = replace(LOOK, paused=True)

    assert "Needs you" in told(paused)
    assert "it is paused: watched, and left alone (everfit resume churn)" in told(paused)


def test_the_shape_holds_the_record_and_when_it_was():
    shape = check_shape(LOOK, AT)

    assert shape["state"] == "needs_you"
    assert shape["looked_at"] == "2026-11-20T12:00:00+00:00"
    assert shape["measured"][0]["loss"]["mid"] == 0.45
    assert [found["check"] for found in shape["findings"]] == ["lateness", "data drift", "loss"]
