"""What now? Every answer is total, has its reasons, and never does what a person kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from everfit.evidence.interval import Interval
from everfit.maintain import History, Made, maintain
from everfit.records import Alarm, Finding, Health, Performance, Upkeep

NOW = datetime(2026, 3, 1, tzinfo=UTC)
UPKEEP = Upkeep()


def health(**changes):
    range_ = Interval(0.3, 0.31, 0.32, n=500)
    fine = Health(
        "churn", "v3", "healthy", "fine", measured=(Performance(3, NOW, NOW, 500, 500, range_),),
        bound=0.315, asked=1000, matured=1000,
    )  # fmt: skip
    return replace(fine, **changes)


def history(**changes):
    told = History(
        NOW, age=20, learnt_rows=3000, new_rows=2000, losses=((20.0, 1.0),), fits_left=300,
        searches_left=12,
    )  # fmt: skip
    return replace(told, **changes)


def test_nothing_is_done_about_a_model_that_is_as_certified():
    assert maintain(health(), history(new_rows=300), UPKEEP).act == "nothing"


def test_a_loss_far_above_what_was_certified_is_answered_by_a_fit_with_all_costs_shown():
    found = maintain(health(), history(losses=tuple((20.0 + i, 1.6) for i in range(20))), UPKEEP)

    assert found.act in ("retrain", "search")
    assert set(found.values) == {"nothing", "recalibrate", "retrain", "search"}
    assert found.values[found.act] == min(found.values.values())
    assert found.because[0].passed is False


def test_a_proven_rise_of_the_loss_leads_to_a_fit_though_the_running_level_is_calm():
    alarm = Alarm("loss", "", "degradation", 9.0, 8.0, 40, NOW)

    assert maintain(health(alarms=(alarm,)), history(new_rows=700), UPKEEP).act == "retrain"


def test_an_alarm_of_drift_alone_leads_to_no_fit():
    alarm = Alarm("data drift", "age", "drift", 9.0, 8.0, 40, NOW)

    assert maintain(health(alarms=(alarm,)), history(new_rows=300), UPKEEP).act == "nothing"


def test_one_challenger_at_a_time():
    losses = tuple((20.0 + i, 1.6) for i in range(20))

    found = maintain(health(), history(losses=losses, on_trial="v4"), UPKEEP)

    assert (found.act, found.details) == ("nothing", {"waits_for": "v4"})


def test_a_fit_waits_for_rows_that_no_version_has_seen():
    losses = tuple((20.0 + i, 1.6) for i in range(20))

    found = maintain(health(), history(losses=losses, new_rows=150), UPKEEP)

    assert found.act == "nothing"
    assert "waits for 1,350 more outcomes" in found.headline


def test_what_the_policy_keeps_for_a_person_becomes_a_call():
    losses = tuple((20.0 + i, 1.6) for i in range(20))
    rules = replace(UPKEEP, acts=())

    found = maintain(health(), history(losses=losses), rules)

    assert found.act == "call_person"
    assert found.details["act"] in ("retrain", "search")


def test_a_paused_model_is_left_alone_whatever_happens():
    found = maintain(health(), history(paused=True, broken="no outcomes"), UPKEEP)

    assert found.act == "nothing"


def test_broken_inputs_call_a_person():
    assert maintain(health(), history(broken="`age` no longer comes"), UPKEEP).act == "call_person"


def test_a_broken_floor_rolls_back_when_a_sound_version_stands_by_and_else_weighs():
    floor = Finding("floor", "fail", "accuracy 0.7 is below the floor 0.8", number=0.7)

    assert maintain(health(findings=(floor,)), history(fallback="v2"), UPKEEP).act == "roll_back"
    assert maintain(health(findings=(floor,)), history(), UPKEEP).act != "roll_back"


def test_outcomes_that_do_not_come_are_asked_for():
    found = maintain(health(matured=20), history(unlabelled=2000), UPKEEP)

    assert found.act == "ask_labels"
    assert found.details["wanted"] == 200


def test_outcomes_that_are_not_believed_are_set_aside_once_and_then_a_person_is_called():
    odd = Finding(
        "outcomes",
        "fail",
        "All 500 outcomes are no",
        evidence={"since": "2026-02-20T00:00:00+00:00"},
    )
    first = maintain(health(findings=(odd,)), history(broken=odd.headline), UPKEEP)
    aside = history(broken=odd.headline, aside=("2026-02-20T00:00:00+00:00",))

    assert (first.act, first.details["since"]) == ("set_aside", "2026-02-20T00:00:00+00:00")
    assert maintain(health(findings=(odd,)), aside, UPKEEP).act == "call_person"


def test_recalibration_that_proved_itself_goes_on_beside_a_trial():
    told = history(adaptive=True, since_recalibrated=250, on_trial="v9")

    assert maintain(health(), told, UPKEEP).act == "recalibrate"
    assert maintain(health(), replace(told, since_recalibrated=10), UPKEEP).act == "nothing"


def test_without_outcomes_nothing_is_weighed():
    found = maintain(health(measured=(), matured=0), history(), UPKEEP)

    assert found.act == "nothing"
    assert "no outcomes yet" in found.headline


@pytest.mark.parametrize("left", [0, 5])
def test_the_yearly_allowance_is_kept(left):
    losses = tuple((20.0 + i, 1.6) for i in range(20))
    made = tuple(Made("retrain", f"v{i}", NOW, "kept", 0.0) for i in range(3))

    found = maintain(
        health(), history(losses=losses, made=made, fits_left=left, searches_left=0), UPKEEP
    )

    assert found.act == ("retrain" if left else "nothing")


STALE = tuple((20.0 + i, 1.6) for i in range(20))


def test_when_the_money_of_a_year_is_spent_a_person_is_called_with_that_reason():
    rules = replace(UPKEEP, money_a_year=10.0)

    within = maintain(health(), history(losses=STALE, searches_left=0, spent=9.0), rules)
    beyond = maintain(health(), history(losses=STALE, searches_left=0, spent=9.5), rules)

    assert within.act == "retrain"
    assert (beyond.act, beyond.details["act"]) == ("call_person", "retrain")
    assert "no money is left this year" in beyond.headline
    assert (beyond.because[0].measured, beyond.because[0].limit) == (10.5, 10.0)


def test_without_a_limit_money_keeps_nobody_from_acting():
    assert maintain(health(), history(losses=STALE, searches_left=0, spent=1e9), UPKEEP).act == (
        "retrain"
    )


def test_what_costs_nothing_is_done_when_the_money_is_spent():
    rules = replace(UPKEEP, money_a_year=0.0)
    floor = Finding("floor", "fail", "accuracy 0.7 is below the floor 0.8", number=0.7)

    assert maintain(health(findings=(floor,)), history(fallback="v2"), rules).act == "roll_back"


def test_a_line_that_cannot_be_recalibrated_stands_in_the_way_of_nothing():
    failed = Made("recalibrate", "", NOW, "refused")
    told = history(adaptive=True, since_recalibrated=250, losses=STALE, made=(failed,))

    assert maintain(health(), told, UPKEEP).act in ("retrain", "search")
    assert maintain(health(), replace(told, since_recalibrated=800), UPKEEP).act == "recalibrate"
    worked = replace(told, made=(Made("recalibrate", "v4", NOW, "on_trial"), failed))
    assert maintain(health(), worked, UPKEEP).act == "recalibrate"


def test_a_challenger_from_before_the_world_changed_does_not_keep_a_degraded_champion():
    alarm = Alarm("loss", "", "degradation", 9.0, 8.0, 40, NOW)
    ill = health(alarms=(alarm,))
    told = history(losses=STALE, on_trial="v4")

    before = maintain(ill, replace(told, trial_cut=NOW), UPKEEP)
    later = maintain(ill, replace(told, trial_cut=NOW.replace(month=4)), UPKEEP)
    by_hand = maintain(ill, replace(told, trial_cut=None), UPKEEP)

    assert before.act in ("retrain", "search")
    assert before.details["replaces"] == "v4"
    assert (later.act, by_hand.act) == ("nothing", "nothing")
    assert maintain(health(), replace(told, trial_cut=NOW), UPKEEP).act == "nothing"


def test_what_replaces_a_challenger_and_does_not_pay_leaves_it_on_trial():
    alarm = Alarm("loss", "", "degradation", 9.0, 8.0, 40, NOW)
    told = history(losses=STALE, on_trial="v4", trial_cut=NOW, new_rows=10)

    assert maintain(health(alarms=(alarm,)), told, UPKEEP).act == "nothing"


def test_another_fit_waits_until_rows_have_grown_by_half_since_the_newest_one():
    losses = tuple((20.0 + i, 1.6) for i in range(20))
    soon = history(losses=losses, learnt_rows=1000, new_rows=2000, since_tried=900)
    grown = replace(soon, new_rows=2200, since_tried=1100)

    assert maintain(health(), soon, UPKEEP).act == "nothing"
    assert maintain(health(), grown, UPKEEP).act == "retrain"


def test_a_proven_rise_of_the_loss_is_answered_when_rows_have_grown_by_a_fifth():
    alarm = Alarm("loss", "", "degradation", 9.0, 8.0, 40, NOW)
    ill = health(alarms=(alarm,))
    tried = history(learnt_rows=1000, new_rows=1450, since_tried=450)

    assert maintain(ill, tried, UPKEEP).act == "retrain"
    assert maintain(health(), tried, UPKEEP).act == "nothing"
    assert maintain(ill, replace(tried, new_rows=1100, since_tried=100), UPKEEP).act == "nothing"


def test_a_model_of_many_rows_does_not_wait_for_a_share_of_them():
    alarm = Alarm("loss", "", "degradation", 9.0, 8.0, 40, NOW)
    told = history(learnt_rows=3_000_000, new_rows=20_000)

    assert maintain(health(alarms=(alarm,)), told, UPKEEP).act == "retrain"


def test_what_the_users_own_table_says_does_not_wait_for_growth():
    losses = tuple((20.0 + i, 1.6) for i in range(20))
    rules = replace(UPKEEP, table={"17 to 32 windows, beyond": "search"})

    assert maintain(health(), history(losses=losses, new_rows=300), rules).act == "search"
