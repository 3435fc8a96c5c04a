"""Each of the 28 tests: it holds on a sound model, and says what is wrong with a spoilt one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from everfit.evidence.interval import Interval
from everfit.records import Alarm, Because, Finding
from everfit.rubric import CHECKS, Facts, Graded, Refitted, score
from everfit.rubric.facts import Benefit
from tests.rubric.facts import CANDIDATE, HEALTH, SERVING, TRIALS, WHOLE

BY_HAND = ("D3", "D4", "D5", "D6")


def grade(code: str, facts: Facts) -> Graded:
    (found,) = [test for test in score(facts).tests if test.code == code]
    return found


def made(**changes: Any) -> Facts:
    return replace(WHOLE, made=replace(WHOLE.made, **changes))


def tried(**changes: Any) -> Facts:
    return replace(WHOLE, tried=replace(WHOLE.tried, **changes))


def lived(**changes: Any) -> Facts:
    return replace(WHOLE, lived=replace(WHOLE.lived, **changes))


def told(**changes: str) -> Facts:
    return replace(WHOLE, told={**WHOLE.told, **changes})


def test_there_are_seven_tests_in_each_of_four_sections() -> None:
    sections = [check.section for check in CHECKS]

    assert [sections.count(name) for name in dict.fromkeys(sections)] == [7, 7, 7, 7]
    assert len({check.code for check in CHECKS}) == 28


def test_a_sound_model_gets_all_but_what_only_people_can_do() -> None:
    found = score(WHOLE)

    assert {t.code: t.grade for t in found.tests if t.grade < 1} == dict.fromkeys(BY_HAND, 0.5)
    assert found.sums == {"Data": 5.0, "Model": 7, "Infrastructure": 7, "Monitoring": 7}
    assert found.total == 5.0


def test_the_score_is_that_of_the_weakest_section() -> None:
    found = score(replace(WHOLE, told={}))

    assert found.total == found.sums["Data"] == 3.0


def test_what_costs_a_line_comes_first_and_of_those_the_weakest_section() -> None:
    found = score(replace(WHOLE, told={}, lived=replace(WHOLE.lived, verified=(0, 0))))

    assert [test.code for test in found.cheapest()] == ["D3", "D4", "D5"]


SPOILT = {
    "D1": (made(described=1), "have no kind"),
    "D2": (tried(benefit=Benefit({"age": Interval(-0.3, -0.2, -0.1)}, 400)), "`age` made answers"),
    "D3": (replace(WHOLE, told={}), "nobody said"),
    "D7": (tried(reproduces=Because("golden", False, note="golden rows differ")), "differ"),
    "M1": (made(held=Because("files", False, note="plan.json changed")), "plan.json changed"),
    "M2": (
        lived(health=replace(HEALTH, measured=(
            replace(HEALTH.measured[0], loss=Interval(0.4, 0.5, 0.6, n=400)),))),
        "loss 0.5 on 400 outcomes",
    ),
    "M3": (made(trials=TRIALS[:1]), "1 trial came to an end"),
    "M4": (lived(ages=((0.0, 1.0), (9.0, 2.0))), "2 windows"),
    "M5": (
        made(candidate=replace(CANDIDATE, gain_on_simple=Interval(-0.1, 0.0, 0.1, n=500))),
        "against the simple model (-0.1 to 0.1)",
    ),
    "M6": (made(candidate=replace(CANDIDATE, harmed=CANDIDATE.segments)), "worse than the floor"),
    "M7": (replace(WHOLE, told={}, guarded=()), "nobody said"),
    "I1": (made(repeats=(1, 3)), "2 of 3 repeated trials"),
    "I2": (tried(loads=Because("loads", False, note="it ended with -9")), "it ended with -9"),
    "I3": (made(stages=("studied",)), "not in the ledger: assessed"),
    "I4": (made(serving=replace(SERVING, because=(Because("gap", False),))), "decision 7"),
    "I5": (tried(off=0.1), "off by 0.1"),
    "I6": (lived(tried_first=""), "served at once"),
    "I7": (tried(back=(Because("files as packed", False, note="gone"),)), "v1: files as packed"),
    "O1": (
        tried(libraries={"numpy": "3.0", "python": "3.12"},
              reproduces=Because("golden", False)),
        "numpy 2.0 -> 3.0",
    ),
    "O2": (
        lived(health=replace(HEALTH, findings=(Finding("schema", "fail", "`age` is gone."),))),
        "`age` is gone.",
    ),
    "O3": (lived(verified=(600, 2)), "2 of 600 answers"),
    "O4": (replace(WHOLE, stale_after_s=86_400.0), "3.0 days old, limit 1 days"),
    "O5": (lived(unanswered=3), "3 of 600 logged answers"),
    "O6": (tried(row_ms=80.0), "80 ms now, 0.2 ms at its release; limit 50 ms"),
    "O7": (
        lived(health=replace(HEALTH, headline="The loss rose.", alarms=(
            Alarm("degradation", "", "degradation", 9.0, 5.0, 3, HEALTH.until),))),
        "The loss rose.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("code", sorted(SPOILT))
def test_what_is_spoilt_gets_nothing_and_is_named_with_what_to_do(code: str) -> None:
    facts, said = SPOILT[code]

    found = grade(code, facts)

    assert (found.grade, said in found.checked, bool(found.do)) == (0.0, True, True), found


def test_every_test_that_is_no_plain_word_of_a_person_has_a_spoilt_case() -> None:
    assert {check.code for check in CHECKS} - set(SPOILT) == {"D4", "D5", "D6"}


HALF = {
    "D1": made(reference=False),
    "D7": replace(told(feature_tests="by hand"), made=replace(WHOLE.made, own=("my.Model",))),
    "M2": replace(WHOLE, told={}),
    "M7": replace(WHOLE, guarded=()),
    "I1": made(repeats=(0, 0)),
    "I4": made(serving=replace(SERVING, by="maria")),
    "I7": lived(rehearsed=""),
    "O3": lived(recomputed=(0, 0)),
    "O5": lived(answers=0),
    "O7": lived(health=replace(HEALTH, measured=(), estimated=HEALTH.measured)),
}


@pytest.mark.parametrize("code", sorted(HALF))
def test_what_is_done_by_hand_or_by_half_gets_half(code: str) -> None:
    assert grade(code, HALF[code]).grade == 0.5


def test_libraries_that_moved_are_told_where_golden_rows_still_come_out() -> None:
    found = grade("O1", tried(libraries={"numpy": "3.0", "python": "3.12"}))

    assert (found.grade, "numpy 2.0 -> 3.0" in found.checked) == (1.0, True)


def test_an_age_that_nobody_weighs_is_no_watch() -> None:
    found = grade("O4", lived(looked_s=30 * 86_400.0))

    assert (found.grade, found.effort) == (0.0, 1)


def test_a_trial_that_was_repeated_with_equal_losses_proves_that_training_repeats() -> None:
    assert grade("I1", made(repeats=(2, 2))).grade == 1.0
    assert grade("I1", made(seed=None, repeats=(2, 2))).grade == 0.0


def test_a_fit_that_was_repeated_now_proves_it_or_disproves_it() -> None:
    unknown = made(repeats=(0, 0))

    def refitted(found: Refitted) -> Facts:
        return replace(unknown, tried=replace(unknown.tried, refitted=found))

    assert grade("I1", refitted(Refitted("linear", equal=True, n=90))).grade == 1.0
    assert grade("I1", refitted(Refitted("linear", equal=False, n=90))).grade == 0.0
    failed = grade("I1", refitted(Refitted(error="the source is gone")))
    assert (failed.grade, "the source is gone" in failed.checked) == (0.5, True)


def test_fits_at_earlier_times_say_how_it_ages_before_windows_do() -> None:
    ages = tuple((float(i), 1.0 + 0.1 * i) for i in range(10))
    young = lived(ages=())

    found = grade("M4", replace(young, tried=replace(
        young.tried, refitted=Refitted("linear", ages=ages, fits=4))))  # fmt: skip

    assert found.grade == 1.0
    assert found.checked == "loss +10.0% per window of age (95% range +10.0% to +10.0%), " \
        "4 fits at earlier times"  # fmt: skip
    assert "--fit" in grade("M4", young).do
