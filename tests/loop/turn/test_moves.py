"""What trials decide: promote, keep, go on, go back; each window read once, on its own terms."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import pytest

from everfit.evidence.online.levels import Decision as Earlier
from everfit.evidence.online.levels import e_lord
from everfit.loop.turn import trials
from everfit.loop.turn.moves import close_challenge, close_guard, close_procedure, stand_by
from everfit.loop.turn.trials import challenge, guard, procedure
from everfit.records import Because, Decision, Step
from tests.loop.turn.fakes import BEGIN, DAY, HOLD, MODEL, Model, served


def on_trial(gain: float, days: int = 21, champion: int = 1, challenger: int = 2,
             model: Model | None = None, **rules) -> Model:  # fmt: skip
    """A challenger in the shadow for some days, looked at each day."""
    model = model or served(champion, **rules)
    model.add(challenger, until=model.now)
    model.by_hand(shadow=challenger)
    for _ in range(days):
        model.live(champion, pairs={challenger: gain})
        model.do(close_challenge)
    return model


def test_a_better_challenger_is_promoted_and_the_champion_before_stands_by():
    model = on_trial(0.1)

    state = model.state()
    assert state.champion.number == 2
    assert {name: a.number for name, a in state.aliases.items()} == {
        "champion": 2, "previous": 1, "fallback": 1, "shadow": None, "base": None,
    }  # fmt: skip
    (closed,) = model.closed("trial")
    assert (closed.record["closed"], closed.record["looks"]) == ("promoted", 14)
    assert closed.record["e"] >= -math.log(closed.record["level"])


def test_a_better_challenger_that_cannot_serve_is_kept_out():
    model = served()
    model.checks = (Because("loads", False),)

    model = on_trial(0.1, model=model)

    assert model.state().champion.number == 1
    assert [s.record["closed"] for s in model.closed("trial")] == ["kept"]


def test_a_worse_challenger_leaves_the_shadow_and_the_next_is_held_to_a_lower_level():
    model = on_trial(-0.1)
    first = model.closed("trial")[0].record
    model = on_trial(-0.1, challenger=3, model=model)
    model = on_trial(-0.1, challenger=4, model=model)

    closed = [s.record for s in model.closed("trial")]
    assert [r["closed"] for r in closed] == ["kept"] * 3
    assert model.state().aliases["shadow"].number is None
    assert first["level"] == e_lord([], 0.1)
    second = e_lord([Earlier(first["level"], False, math.exp(first["e"]))], 0.1)
    assert closed[1]["level"] == pytest.approx(second)
    assert closed[0]["level"] > closed[1]["level"] > closed[2]["level"]


def test_the_level_of_a_trial_stays_as_it_began_whatever_the_policy_says_later():
    model = on_trial(0.0, days=3)
    model.upkeep = replace(model.upkeep, margin=0.5)
    model.live(1, pairs={2: 0.0})
    model.do(close_challenge)

    records = [s.record for s in model.store.steps(MODEL, "trial")]
    assert len({(r["level"], r["margin"], r["number"]) for r in records}) == 1


def test_a_trial_ends_when_its_time_is_over_though_no_window_came_any_more():
    model = on_trial(0.0, days=3, trial_s=20 * 86_400.0)
    model.now += 18 * DAY

    assert model.do(close_challenge) is not None
    assert model.closed("trial")[0].record["closed"] == "kept"
    assert model.state().aliases["shadow"].number is None
    assert model.do(close_challenge) is None


def test_a_trial_gives_the_outcomes_of_its_last_days_time_to_come():
    model = on_trial(0.0, days=2, trial_s=20 * 86_400.0, label_delay_s=30 * 86_400.0)
    model.now = BEGIN + 49 * DAY
    assert model.do(close_challenge) is None
    model.now = BEGIN + 51 * DAY

    assert model.do(close_challenge) is not None


def test_an_old_version_that_somebody_puts_into_the_shadow_has_its_whole_time():
    model = served()
    model.add(2)  # made before the first day
    model.now = BEGIN + 200 * DAY
    model.by_hand(shadow=2)

    assert model.do(close_challenge) is None
    model.now += 61 * DAY
    assert model.do(close_challenge) is not None
    assert model.closed("trial")[0].record["closed"] == "not_evaluable"


def test_windows_beside_another_champion_do_not_count_and_the_trial_begins_anew():
    model = on_trial(-0.05, days=9)
    model.add(9)
    model.by_hand(champion=9)
    kind = model.do(close_challenge)

    assert kind is not None
    row = model.store.decisions(MODEL)[0]
    assert (row.kind, model.state().aliases["shadow"].number) == ("inconclusive", 2)
    assert "against v1 begins anew: v9 serves now" in row.headline
    model.live(9, pairs={2: 0.0})
    found = challenge(model.state(), model.hands())
    assert found is not None
    assert (found.verdict.looks, found.terms.number) == (1, 2)
    assert found.terms.level < model.closed("trial")[0].record["level"]


def test_the_same_challenger_again_is_judged_on_new_windows_alone():
    model = on_trial(-0.1, days=14)
    model.by_hand(shadow=2)
    model.live(1, pairs={2: 0.1})

    found = challenge(model.state(), model.hands())

    assert found is not None
    assert (found.verdict.looks, found.terms.number) == (1, 2)


def test_recalibration_that_begins_mid_trial_begins_the_trial_anew_under_its_other_name():
    model = on_trial(0.1, days=9)
    model.store.done.append(proven(model))
    model.live(1, pairs={2: 0.1}, adapted={2: 0.1})
    ended = model.do(close_challenge)

    assert ended is not None
    assert ended[1].endswith("/ended")
    model.live(1, pairs={2: 0.1}, adapted={2: 0.1})
    found = challenge(model.state(), model.hands())
    assert found is not None
    assert (found.root.name, found.verdict.looks) == ("v2 recalibrated", 2)


def proven(model: Model, version: int = 1):
    record = {
        "root": f"v{version} recalibrated", "version": version, "champion": version, "e": 9.0,
        "level": 0.01, "until": model.now.isoformat(), "closed": "proven", "n": 9, "looks": 14,
        "gain_share": 0.1,
    }  # fmt: skip
    return Step(MODEL, "procedure", f"proven@{model.now.isoformat()}", record, model.now)


def test_windows_before_the_data_cut_of_a_challenger_do_not_count():
    model = served()
    model.add(2, until=BEGIN + 3 * DAY)
    model.by_hand(shadow=2)
    for _ in range(5):
        model.live(1, pairs={2: 0.1})

    found = challenge(model.state(), model.hands())

    assert found is not None
    assert (found.began, found.verdict.looks) == (BEGIN + 3 * DAY, 2)


def test_outcomes_that_are_about_to_be_set_aside_decide_no_trial():
    model = on_trial(0.0, days=5)
    for _ in range(9):
        model.live(1, pairs={2: 0.19}, outcomes={"no": 400})
        model.do(close_challenge)

    assert model.state().champion.number == 1
    assert len(model.store.steps(MODEL, "trial")) == 5


def test_recalibration_is_tried_on_windows_of_its_own_version_alone():
    model = served()
    model.add(2, until=BEGIN)
    for _ in range(5):  # while v2 was in the shadow of v1
        model.live(1, pairs={2: 0.1}, adapted={1: 0.0, 2: 0.2})
    model.by_hand(champion=2)
    model.live(2, adapted={2: 0.0})

    found = procedure(model.state(), model.hands())

    assert found is not None
    assert found.verdict.looks == 1


def test_recalibration_that_would_have_been_better_is_proven_once():
    model = served()
    for _ in range(16):
        model.live(1, adapted={1: 0.1})
        model.do(close_procedure)

    assert [s.record["closed"] for s in model.closed("procedure")] == ["proven"]
    assert model.store.decisions(MODEL)[0].kind == "proven"
    assert model.state().adaptive
    assert model.do(close_procedure) is None


def promoted(model: Model | None = None, **rules) -> Model:
    """v2 serves since it was promoted, with v1 as its fallback."""
    model = model or served(1, **rules)
    model.add(2, until=model.now)
    model.by_hand(champion=2, fallback=1, previous=1)
    return model


def test_a_champion_before_that_is_better_after_all_serves_again():
    model = promoted(rollback_window_s=30 * 86_400.0)
    for _ in range(15):
        model.live(2, pairs={1: 0.1})
        model.do(close_guard)

    state = model.state()
    assert (state.champion.number, state.aliases["fallback"].number) == (1, None)
    assert model.store.decisions(MODEL)[0].kind == "rolled_back"


def test_a_guard_ends_when_its_time_is_over_with_outcomes_or_without():
    plain, silent = promoted(), promoted()
    for _ in range(16):
        plain.live(2, pairs={1: 0.0})
        plain.do(close_guard)
        silent.live(2)
        silent.do(close_guard)

    for model in (plain, silent):
        assert model.state().aliases["fallback"].number is None
        assert model.state().champion.number == 2
        assert next(d.kind for d in model.store.decisions(MODEL)) == "did_nothing"


def test_a_guard_whose_outcomes_come_late_lasts_until_they_have_come():
    model = promoted(label_delay_s=30 * 86_400.0)
    model.live(2, pairs={1: 0.0})
    model.now += 30 * DAY
    model.do(close_guard)

    assert model.state().aliases["fallback"].number == 1


def test_a_policy_with_a_margin_does_not_blind_the_guard():
    model = promoted(rollback_window_s=60 * 86_400.0, margin=0.2)
    for _ in range(30):
        model.live(2, pairs={1: 0.0})
        model.do(close_guard)

    assert {s.record["kind"] for s in model.store.steps(MODEL, "guard")} == {"undecided"}


def test_all_guards_of_a_year_share_its_budget():
    model = served()
    levels = []
    for number in range(2, 8):
        promoted(model) if number == 2 else model.add(number, until=model.now)
        model.by_hand(champion=number, fallback=number - 1)
        for _ in range(16):
            model.live(number, pairs={number - 1: 0.0})
            model.do(close_guard)
        levels.append(model.store.steps(MODEL, "guard", last=1)[0].record["level"])

    assert levels == sorted(levels, reverse=True)
    assert len(set(levels)) == 6
    assert sum(levels) <= 0.005


def recalibrated() -> Model:
    """v2, a recalibration of v1 that proved itself, serves; v1 stands by as its base."""
    model = served()
    model.store.done.append(proven(model))
    model.add(2, until=model.now)
    model.fitted("recalibrate", 2, 1)
    model.by_hand(champion=2, base=1)
    return model


def test_a_base_that_is_better_after_all_ends_recalibration():
    model = recalibrated()
    assert model.state().adaptive
    for _ in range(15):
        model.live(2, pairs={1: 0.1})
        model.do(close_guard)

    state = model.state()
    assert (state.champion.number, state.aliases["base"].number) == (1, None)
    assert not state.adaptive


def test_a_base_guard_that_found_recalibration_better_still_sees_when_it_turns_bad():
    model = recalibrated()
    for _ in range(30):
        model.live(2, pairs={1: -0.1})
        model.do(close_guard)
    assert model.state().champion.number == 2
    for _ in range(30):
        model.live(2, pairs={1: 0.1})
        model.do(close_guard)

    assert model.state().champion.number == 1


def test_a_base_that_nobody_recalibrates_any_more_leaves_the_shadow():
    model = recalibrated()
    model.add(3)
    model.by_hand(champion=3)
    model.live(3, pairs={1: 0.0})

    assert model.do(close_guard) is not None
    assert model.state().aliases["base"].number is None
    assert model.do(close_guard) is None


def test_a_recalibrated_champion_before_is_judged_as_it_was_packed():
    model = recalibrated()
    model.add(3, until=model.now)
    model.by_hand(champion=3, fallback=2, base=None)
    model.live(3, pairs={2: 0.0}, adapted={3: 0.0})

    found = guard(model.state(), model.hands(), "fallback")

    assert found is not None
    assert (found.challenger.number, found.verdict.looks) == (2, 1)


def test_shares_of_the_policy_are_those_of_the_tests():
    shares = {"promotion": 0.4, "rollback": 0.4, "degradation": 0.1, "drift": 0.1}
    wide, usual = promoted(shares=shares), promoted()
    for model in (wide, usual):
        model.live(2, pairs={1: 0.0})
        model.do(close_guard)

    one, other = (m.store.steps(MODEL, "guard")[0].record["level"] for m in (wide, usual))
    assert one == pytest.approx(2 * other)


def test_nothing_is_moved_while_the_model_is_paused():
    model = on_trial(0.1, days=13)
    model.store.commit(Decision(MODEL, "paused", "Paused", at=model.now))
    model.live(1, pairs={2: 0.1})

    assert model.do(close_challenge) is None
    model.store.commit(Decision(MODEL, "resumed", "Resumed", at=model.now))
    assert model.do(close_challenge) is not None
    assert model.state().champion.number == 2


def test_a_person_who_pauses_while_the_winner_is_verified_is_obeyed():
    model = on_trial(0.1, days=13)
    model.live(1, pairs={2: 0.1})

    def checks(version):
        model.store.commit(Decision(MODEL, "paused", "Paused", at=model.now))
        return (Because("loads", True),)

    done = close_challenge(model.state(), replace(model.hands(), checks=checks), HOLD)

    assert done is None
    assert (model.state().champion.number, model.state().aliases["shadow"].number) == (1, 2)
    model.store.commit(Decision(MODEL, "resumed", "Resumed", at=model.now))
    assert model.do(close_challenge) is not None
    assert model.state().champion.number == 2


@pytest.mark.parametrize("days", [1, 7])
def test_a_trial_lasts_until_it_can_be_read_once_however_long_windows_are(days):
    model = served(window_s=days * 86_400.0, trial_s=10 * 86_400.0)
    model.add(2, until=BEGIN)
    model.by_hand(shadow=2)
    for _ in range(14):
        model.live(1, pairs={2: 0.1}, days=days)
        model.do(close_challenge)

    assert [s.record["closed"] for s in model.closed("trial")] == ["promoted"]


def test_a_guard_lasts_until_it_can_be_read_once_however_long_windows_are():
    model = promoted(window_s=7 * 86_400.0)
    for _ in range(10):
        model.live(2, pairs={1: 0.1}, days=7)
        model.do(close_guard)

    assert model.state().champion.number == 1


def by_a_person(model: Model, version: int, before: int) -> None:
    """A person promotes, as ``House.promote`` writes it."""
    model.add(version, until=model.now)
    row = Decision(
        MODEL, "promoted", "by hand", by="ann", version=f"v{version}", at=model.now,
        id=len(model.store.rows) + 1,
    )  # fmt: skip
    model.store.rows.append(row)
    model.store.point("champion", version)
    model.store.point("previous", before)


def test_what_a_person_promoted_is_guarded_too_and_gone_back_from_within_two_weeks():
    model = served()
    by_a_person(model, 2, before=1)

    assert model.do(stand_by)[0] == "stand_by"
    assert model.state().aliases["fallback"].number == 1
    for _ in range(14):
        model.live(2, pairs={1: 0.15})
        model.now += timedelta(minutes=2)  # the turn comes a little after the window is in
        model.do(close_guard)
        model.now -= timedelta(minutes=2)

    assert model.state().champion.number == 1
    assert next(d.kind for d in model.store.decisions(MODEL)) == "rolled_back"


def test_who_served_before_a_promotion_by_hand_takes_the_place_of_who_stood_by_until_then():
    model = promoted()  # v2 serves, v1 stands by
    by_a_person(model, 3, before=2)

    assert model.do(stand_by)[0] == "stand_by"
    assert model.state().aliases["fallback"].number == 2
    for _ in range(14):
        model.live(3, pairs={2: 0.15, 1: 0.0})
        model.now += timedelta(minutes=2)
        model.do(close_guard)
        model.now -= timedelta(minutes=2)

    assert model.state().champion.number == 2


def test_a_champion_before_stands_by_once_for_each_promotion_by_hand():
    model = served()
    by_a_person(model, 2, before=1)
    model.do(stand_by)
    model.store.point("fallback", None)  # its guard ended

    assert model.do(stand_by) is None
    by_a_person(model, 3, before=2)
    assert model.do(stand_by)[0] == "stand_by"


def test_the_loops_own_promotion_needs_nobody_to_stand_by_again():
    model = on_trial(0.1)
    model.store.point("fallback", None)  # its guard ended

    assert model.do(stand_by) is None


def test_a_look_that_was_seen_is_not_worked_out_again(monkeypatch):
    model = on_trial(0.0, days=5)
    asked = []
    judge = trials.trial_verdict
    monkeypatch.setattr(trials, "trial_verdict", lambda *a, **k: asked.append(1) or judge(*a, **k))

    assert model.do(close_challenge) is None
    assert not asked
    model.live(1, pairs={2: 0.0})
    model.do(close_challenge)

    assert len(asked) == 1
