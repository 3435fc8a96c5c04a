"""One look for each window and champion, and one action for each look."""

from __future__ import annotations

from dataclasses import replace

import pytest

from everfit.errors import EverfitError, Refused
from everfit.loop import tick as ticking
from everfit.loop.tick import tick
from everfit.loop.turn import look as looking
from everfit.loop.turn.look import act, look
from everfit.maintain import maintain
from everfit.plain import as_plain
from everfit.records import Action, Alarm, Because, Decision, Health, Step
from tests.loop.turn.fakes import DAY, HOLD, MODEL, Model, served


@pytest.fixture
def model(monkeypatch) -> Model:
    """A model with a window, whose health is always fine and to which nothing is done."""
    found = served()
    found.live(1)
    start = found.state().matured[0].start.isoformat()
    record = {**found.store.steps(MODEL, "matured")[0].record, "kind": "asked"}
    found.store.done.append(Step(MODEL, "asked", start, record, found.now))

    def watch(windows, reference, upkeep, *, model, version, now):
        found.watched = windows
        return Health(model, version.name, "healthy", "fine")

    monkeypatch.setattr(looking, "watch", watch)
    does(monkeypatch, Action("nothing", "v1: do nothing; 12 outcomes"))
    return found


def does(monkeypatch, action: Action) -> None:
    monkeypatch.setattr(looking, "maintain", lambda health, history, upkeep: action)


def test_a_champion_that_comes_back_within_a_window_is_not_looked_at_for_ever(model):
    model.add(2)
    assert model.do(look) is not None
    model.by_hand(champion=2)
    assert model.do(look) is not None
    model.by_hand(champion=1)

    assert model.do(look) is None
    assert model.do(act) is None  # the last look is about v2


def test_a_turn_ends_with_an_error_when_a_step_is_due_again_though_it_was_done(model, monkeypatch):
    monkeypatch.setattr(ticking, "STAGES", (lambda state, hands, hold: ("odd", "same", 0),))

    with pytest.raises(EverfitError, match="does not come to an end"):
        tick(MODEL, model.hands(), HOLD)


def test_a_step_that_is_refused_for_ever_ends_the_turn(model, monkeypatch):
    def refused(state, hands, hold):
        raise Refused("moved by another")

    monkeypatch.setattr(ticking, "STAGES", (refused,))

    with pytest.raises(EverfitError, match="does not come to an end"):
        tick(MODEL, model.hands(), HOLD)


def test_what_is_said_each_day_is_said_once_until_something_happens(model, monkeypatch):
    model.do(look)
    model.do(act)
    rows = len(model.store.rows)
    for number in range(3):
        key = f"look-{number}"
        model.store.done.append(Step(MODEL, "health", key, health_record(), model.now))
        does(monkeypatch, Action("nothing", f"v1: do nothing; {number + 13} outcomes"))
        assert model.do(act) == ("action", key, 0)
    assert len(model.store.rows) == rows

    model.store.commit(Decision(MODEL, "turn_failed", "it failed", at=model.now))
    model.store.done.append(Step(MODEL, "health", "after", health_record(), model.now))
    assert model.do(act)[2] == len(model.store.rows)
    assert model.store.rows[-1].kind == "did_nothing"


def health_record():
    return as_plain(Health(MODEL, "v1", "healthy", "fine"))


def test_a_fit_does_not_take_the_place_of_a_version_that_somebody_put_on_trial(model, monkeypatch):
    does(monkeypatch, Action("retrain", "v1: retrain it"))
    model.do(look)
    model.do(act)
    model.add(5)
    model.by_hand(shadow=5)

    assert model.do(act) is None
    assert model.asked == []


def test_a_fit_that_shall_replace_a_challenger_takes_its_place(model, monkeypatch):
    does(monkeypatch, Action("retrain", "v1: retrain it", details={"replaces": "v5"}))
    model.add(5)
    model.by_hand(shadow=5)
    model.do(look)
    model.do(act)
    with pytest.raises(AttributeError):  # the fit of this fake gives no decision
        model.do(act)

    assert [job.act for job in model.asked] == ["retrain"]


def test_nothing_is_measured_on_windows_that_were_set_aside(model):
    start = model.state().matured[0].start
    record = {"act": "set_aside", "details": {"since": start.isoformat()}}
    window = model.store.steps(MODEL, "matured")[0]
    window.record["facts"]["outcomes"]["values"] = {"no": 400}
    model.store.done.append(Step(MODEL, "action", "aside", record, model.now))

    model.do(look)

    (matured,) = [w for w in model.watched if w.kind == "matured"]
    assert (matured.facts["maps"], matured.facts["versions"]) == ({}, {})
    assert matured.facts["outcomes"]["values"] == {"no": 400}


def test_a_roll_back_clears_all_that_stood_beside_the_champion(model, monkeypatch):
    model.add(2)
    model.add(3)
    model.by_hand(base=3, fallback=2, shadow=3)
    does(monkeypatch, Action("roll_back", "v1 broke its floor", details={"to": "v2"}))
    model.do(look)
    model.do(act)

    state = model.state()
    assert state.champion.number == 2
    assert [state.at(name) for name in ("base", "fallback", "shadow")] == [None] * 3


def test_a_person_who_pauses_while_the_version_before_is_verified_is_obeyed(model, monkeypatch):
    model.add(2)
    model.do(look)
    does(monkeypatch, Action("roll_back", "v1 broke its floor", details={"to": "v2"}))

    def checks(version):
        model.store.commit(Decision(MODEL, "paused", "Paused", at=model.now))
        return model.checks

    assert act(model.state(), replace(model.hands(), checks=checks), HOLD) is None
    assert model.state().champion.number == 1
    assert model.store.steps(MODEL, "action") == ()


def test_an_alarm_is_a_row_once(model, monkeypatch):
    alarm = Alarm("loss", "", "degradation", 9.0, 8.0, 4, model.now)

    def watch(windows, reference, upkeep, *, model, version, now):
        return Health(model, version.name, "needs_you", "worse", alarms=(alarm,))

    monkeypatch.setattr(looking, "watch", watch)
    first = model.do(look)
    asked, start = model.store.steps(MODEL, "asked")[0], model.now
    model.now += DAY
    later = {**asked.record, "start": start.isoformat(), "end": model.now.isoformat()}
    model.store.done.append(Step(MODEL, "asked", start.isoformat(), later, model.now))
    second = model.do(look)

    assert first is not None
    assert second is not None
    assert (first[2] > 0, second[2]) == (True, 0)
    assert [d.kind for d in model.store.rows].count("degraded") == 1


def test_a_champion_whose_files_are_gone_is_a_row_once_and_a_person_is_called(model, monkeypatch):
    model.checks = (Because("files as packed", False, note="plan.json is gone"),)
    monkeypatch.setattr(looking, "maintain", maintain)
    asked = model.store.steps(MODEL, "asked")[0]

    model.do(look)
    model.do(act)
    start = model.now
    model.now += DAY
    later = {**asked.record, "start": start.isoformat(), "end": model.now.isoformat()}
    model.store.done.append(Step(MODEL, "asked", start.isoformat(), later, model.now))
    model.do(look)
    model.do(act)

    rows = [(d.kind, d.headline) for d in model.store.rows[1:]]
    assert [kind for kind, _ in rows] == ["not_evaluable", "called"]
    assert "v1 can no longer be evaluated" in rows[0][1]
    assert "plan.json is gone" in rows[1][1]
    assert model.store.steps(MODEL, "health")[-1].record["state"] == "needs_you"
    assert model.asked == []
