"""What was done so far is read from steps and windows: money, tries, back-tests, versions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from everfit.loop.backtest import Aged
from everfit.loop.turn.moves import close_challenge
from everfit.loop.turn.past import history_of
from everfit.maintain import History
from everfit.plain import as_plain
from everfit.records import Finding, Health, Step
from tests.loop.turn.fakes import DAY, MODEL, Model, served
from tests.loop.turn.test_moves import on_trial


def read(model: Model, **health) -> History:
    fine = Health(MODEL, "v1", "healthy", "fine", **health)
    return history_of(model.state(), model.hands(), fine)


def acted(model: Model, act: str) -> None:
    key = f"action-{len(model.store.done)}"
    record = {"act": act, "details": {}, "values": {}}
    model.store.done.append(Step(MODEL, "action", key, record, model.now))


def test_money_is_what_fits_searches_and_calls_of_a_year_cost():
    model = served(fit_cost=3.0, search_cost=50.0, call_cost=7.0)
    model.fitted("retrain", 2, 1)  # of the year before
    model.now += 370 * DAY
    model.fitted("retrain", 3, 1)
    model.fitted("retrain", None, 1)  # nothing came of it
    model.fitted("search", 4, 1)
    for act in ("call_person", "call_person", "nothing", "call_person"):
        acted(model, act)

    found = read(model)

    assert found.spent == pytest.approx(3.0 + 50.0 + 2 * 7.0)
    assert (found.fits_left, found.searches_left) == (364, 11)


def test_the_newest_back_test_tells_how_the_model_ages():
    model = served()
    old = [as_plain(Aged(0, 0.0, 86_400.0, 0.5, 1.0, 90))]
    new = [as_plain(Aged(0, 0.0, 172_800.0, 0.5, 1.0, 90)),
           as_plain(Aged(0, 172_800.0, 400 * 86_400.0, 0.6, 1.2, 80))]  # fmt: skip
    model.fitted("retrain", 2, 1, aged=old)
    model.fitted("retrain", 3, 1, aged=new)
    model.fitted("recalibrate", 4, 1)

    found = read(model).staleness

    assert found[:3] == ((0.5, 1.0), (1.5, 1.0), (2.5, 1.2))
    assert len(found) == 256


def test_outcomes_since_the_last_try_count_whatever_came_of_it():
    model = served()
    model.live(1)
    assert read(model).since_recalibrated == 400
    model.fitted("recalibrate", None, 1)
    model.live(1)
    model.live(1)

    assert read(model).since_recalibrated == 800


def test_a_version_that_is_tried_anew_is_still_on_trial():
    model = on_trial(0.0, days=3)
    model.fitted("retrain", 2, 1)
    model.add(9)
    model.by_hand(champion=9)
    model.do(close_challenge)

    found = read(model)

    assert (found.on_trial, found.made[0].became) == ("v2", "on_trial")


def test_what_became_of_a_version_is_told_by_its_trial():
    model = on_trial(-0.1)
    model.fitted("retrain", 2, 1)

    (made,) = read(model).made
    assert (made.version, made.became) == ("v2", "kept")


def test_the_champion_itself_is_no_version_to_go_back_to():
    model = served()
    model.add(2)
    model.by_hand(fallback=1, previous=2)

    assert read(model).fallback == "v2"


def test_windows_set_aside_count_for_nothing():
    model = served()
    model.live(1)
    model.live(1, outcomes={"no": 400})
    start = model.state().matured[-1].start.isoformat()
    record = {"act": "set_aside", "details": {"since": start}}
    model.store.done.append(Step(MODEL, "action", "aside", record, model.now))

    found = read(model)

    assert (found.new_rows, found.aside) == (400, (start,))
    assert len(model.state().judged) == 1


def test_broken_inputs_are_told_in_words():
    model = served()
    odd = Finding("schema", "fail", "`age` no longer comes")

    assert read(model, findings=(odd,)).broken == "`age` no longer comes"
    assert read(model, findings=(replace(odd, severity="warn"),)).broken == ""


def test_rows_since_the_newest_fit_count_whatever_became_of_it():
    model = served()
    for _ in range(4):
        model.live(1)
    assert read(model).since_tried is None
    model.fitted("retrain", None, 1)  # refused
    for _ in range(2):
        model.live(1)
    model.fitted("recalibrate", None, 1)  # learns nothing, so it does not count
    model.live(1)

    found = read(model)
    assert found.since_tried is not None
    assert found.since_tried == found.new_rows * 3 // 7


@pytest.mark.parametrize("act", ["retrain", "recalibrate"])
def test_a_fit_that_only_a_pause_refused_was_no_try(act):
    model = served()
    for _ in range(4):
        model.live(1)
    before = read(model)
    model.fitted(act, None, 1, paused=True)

    found = read(model)

    assert (found.since_tried, found.made) == (None, ())
    assert found.since_recalibrated == before.since_recalibrated > 0
