"""What an action asks of a fit, and which of its rows are news."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from everfit.loop.turn.acting import action_step, is_news, job_of
from everfit.records import Action, Decision, Step
from tests.loop.turn.fakes import BEGIN, DAY, MODEL, served

ROW = Decision(MODEL, "did_nothing", "v1: do nothing; 1,204 of 2e+03", version="v1", at=BEGIN)


def test_the_same_with_other_numbers_is_no_news():
    again = replace(ROW, headline="v1: do nothing; 87.5 of 3,000", at=BEGIN + DAY)

    assert not is_news(again, [ROW])
    assert is_news(replace(again, headline="v1 is paused by a person"), [ROW])
    assert is_news(again, [])
    assert is_news(again, [replace(ROW, kind="drifted"), ROW])
    assert is_news(replace(again, at=BEGIN + 30 * DAY), [ROW])


def test_a_recalibration_that_goes_on_makes_what_is_said_each_day_no_news():
    went_on = [
        Decision(MODEL, "promoted", "v3 follows v1: recalibrated on newer outcomes", at=BEGIN),
        Decision(MODEL, "recalibrated", "Recalibrated as v3", at=BEGIN),
    ]
    again = replace(ROW, headline="v3: do nothing; 87.5 of 3,000", version="v3", at=BEGIN + DAY)

    assert not is_news(again, [*went_on, ROW])
    assert is_news(again, [Decision(MODEL, "promoted", "Promoted v3", at=BEGIN), ROW])


def test_what_moves_something_is_always_news():
    row = replace(ROW, kind="decided")

    assert is_news(row, [row])


def test_a_fit_learns_up_to_the_last_window_that_is_believed():
    model = served()
    model.live(1)
    model.live(1, outcomes={"no": 400})
    start = model.state().matured[-1].start
    record = {"act": "set_aside", "details": {"since": start.isoformat()}}
    model.store.done.append(Step(MODEL, "action", "aside", record, model.now))

    job = job_of(model.state(), model.hands(), "retrain", "look", again=False)

    assert (job.until, job.aside, job.shadow) == (start, (start.isoformat(),), True)


def test_windows_set_aside_are_left_out_wholly_when_windows_grew_shorter():
    model = served()
    model.live(1, outcomes={"no": 400})
    start = model.state().matured[-1].start
    record = {"act": "set_aside", "details": {"since": start.isoformat()}}
    model.store.done.append(Step(MODEL, "action", "aside", record, model.now))
    model.upkeep = replace(model.upkeep, window_s=6 * 3600.0)

    job = job_of(model.state(), model.hands(), "retrain", "look", again=False)

    assert job.aside == tuple((start + timedelta(hours=h)).isoformat() for h in (0, 6, 12, 18))


def test_recalibration_reads_the_newest_outcomes_alone():
    model = served()
    for _ in range(6):
        model.live(1, n=400)

    job = job_of(model.state(), model.hands(), "recalibrate", "look", again=True)

    assert job.since == BEGIN + 2 * DAY  # 1,500 outcomes are in the last four days
    assert not job.shadow


def test_a_step_keeps_what_was_said():
    model = served()

    step = action_step(model.state(), "look", Action("nothing", "v1: nothing", values={"a": 1.0}))

    assert (step.kind, step.key, step.record["headline"]) == ("action", "look", "v1: nothing")
