from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from everfit.alert.causes import causes_of, decided
from everfit.alert.kinds import DECIDED, KINDS, LEDGER, name_of
from everfit.records import Alarm, Decision, Finding, Upkeep
from tests.alert.looks import DAY0, FLOOR, MOVED, health

WORSE = Finding("degradation", "fail", "The loss is above what was certified since 1 Nov.")


def test_a_sound_model_has_no_cause() -> None:
    assert causes_of(health(), Upkeep()) == ()


def test_a_broken_floor_needs_a_person_and_says_number_range_limit_and_who_set_it() -> None:
    upkeep = Upkeep(floor=0.8, set_by={"floor": "everfit.toml [policy]"})

    (cause,) = causes_of(health(FLOOR), upkeep)

    assert (cause.name, cause.state) == ("floor", "needs_you")
    assert (cause.measured, cause.low, cause.high, cause.n) == (0.71, 0.70, 0.72, 400)
    assert (cause.limit, cause.limit_by) == (0.8, "everfit.toml [policy]")
    assert cause.headline == FLOOR.headline.rstrip(".")


def test_a_loss_above_what_was_certified_is_told_against_that_bound() -> None:
    (cause,) = causes_of(health(WORSE), Upkeep())

    assert (cause.name, cause.measured, cause.limit) == ("loss", 0.35, 0.3)
    assert cause.worse == pytest.approx(0.35 / 0.3)


def test_drift_of_forty_columns_is_one_cause_and_asks_nothing() -> None:
    moved = [replace(MOVED, columns=(f"c{i}",)) for i in range(40)]

    (cause,) = causes_of(health(*moved), Upkeep())

    assert (cause.name, cause.state, cause.you_need) == ("drift", "watch", "nothing yet")
    assert len(cause.about) == 20
    assert cause.headline.endswith("and 39 more")
    assert cause.worse == 40


def test_drift_beside_a_broken_floor_stays_something_to_watch() -> None:
    found = {c.name: c.state for c in causes_of(health(FLOOR, MOVED), Upkeep(floor=0.8))}

    assert found == {"floor": "needs_you", "drift": "watch"}


def test_drift_that_moves_no_finding_is_no_cause() -> None:
    alarm = Alarm("drift", "zip", "drift", 9.0, 7.0, 30, since=DAY0)

    assert causes_of(health(alarms=[alarm]), Upkeep()) == ()


def test_an_alarm_says_since_when() -> None:
    alarm = Alarm("degradation", "", "degradation", 9.0, 7.0, 30, since=DAY0)

    (cause,) = causes_of(health(WORSE, alarms=[alarm]), Upkeep())

    assert cause.since == DAY0


@pytest.mark.parametrize(
    ("act", "doing", "need"),
    [
        ("retrain", "fits it again", "nothing yet"),
        ("roll_back", "version before", "nothing yet"),
        ("call_person", "waits for you", "decide whether"),
        ("ask_labels", "asks for the outcomes", "tell the outcomes"),
        (None, "keeps watching", "decide whether"),
    ],
)
def test_what_everfit_does_decides_what_a_person_must(
    act: str | None, doing: str, need: str
) -> None:
    (cause,) = causes_of(health(FLOOR), Upkeep(floor=0.8), act)  # type: ignore[arg-type]

    assert doing in cause.doing
    assert need in cause.you_need


def test_a_model_that_needs_a_person_is_told_even_when_no_finding_says_why() -> None:
    seen = replace(health(), state="needs_you", headline="v1 can no longer be asked.")

    (cause,) = causes_of(seen, Upkeep())

    assert (cause.name, cause.state) == ("health", "needs_you")
    assert "MODEL" not in cause.you_need


def test_no_cause_of_health_has_the_name_of_one_of_the_ledger() -> None:
    assert set(KINDS) & LEDGER == set()


@pytest.mark.parametrize(
    ("check", "name"),
    [
        ("floor", "floor"), ("degradation", "loss"), ("concept drift", "loss"),
        ("data drift", "drift"), ("prediction drift", "drift"), ("label drift", "drift"),
        ("outcomes", "outcomes"), ("schema", "inputs"), ("values", "inputs"),
        ("answers", "answers"), ("answers again", "skew"), ("skew", "skew"),
        ("traffic", "traffic"), ("estimates", "estimated"), ("segment loss", "segments"),
    ],
)  # fmt: skip
def test_every_check_of_watch_belongs_to_a_cause_with_words(check: str, name: str) -> None:
    assert name_of(check) == name
    assert name in KINDS


def decision(kind: str, at_h: float, number: int, by: str = "system") -> Decision:
    return Decision("churn", kind, kind, by=by, at=DAY0 + timedelta(hours=at_h), id=number)


def names(decisions: list[Decision], at_h: float) -> list[str]:
    ordered = sorted(decisions, key=lambda d: d.id, reverse=True)
    return [c.name for c in decided(ordered, DAY0 + timedelta(hours=at_h), Upkeep())]


def test_a_lost_source_is_told_until_a_fit_could_be_made_again() -> None:
    lost = decision("source_lost", 0, 1)

    assert names([lost], 100) == ["source"]
    assert names([lost, decision("retrained", 101, 2)], 102) == ["source"]  # it must stay away
    assert names([lost, decision("retrained", 101, 2)], 105) == []


def test_a_call_is_over_when_a_person_acts() -> None:
    called = decision("called", 0, 1)

    assert names([called], 500) == ["call"]
    assert names([called, decision("promoted", 1, 2, by="maria")], 10) == []


def test_a_rollback_is_told_when_everfit_did_it_and_is_over_by_itself() -> None:
    assert names([decision("rolled_back", 0, 1)], 1) == ["rollback"]
    assert names([decision("rolled_back", 0, 1)], 4) == []
    assert names([decision("rolled_back", 0, 1, by="maria")], 1) == []


def test_a_turn_that_fails_is_told_until_one_ends() -> None:
    failed = [decision("turn_failed", hour, hour + 1) for hour in range(3)]

    assert names(failed, 50) == ["turn"]
    assert names([*failed, decision("did_nothing", 50, 9)], 54) == []


def test_every_kind_of_decision_that_is_told_says_what_a_person_needs_to_do() -> None:
    assert all(kind.means and kind.person for kind in DECIDED.values())
