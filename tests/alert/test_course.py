from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everfit.alert.course import Look, Patience, next_messages, still_open
from everfit.alert.message import Message, message_of
from tests.alert.looks import DAY, DAY0, cause

BAD = (cause(),)


def course(
    days: list[tuple[object, ...]], patience: Patience, muted: set[int] | None = None
) -> list[Message]:
    """All messages of a course of looks, told day by day."""
    told: list[Message] = []
    looks: list[Look] = []
    for day, causes in enumerate(days):
        at = DAY0 + day * DAY
        looks.append(Look(at, causes))  # type: ignore[arg-type]
        told += next_messages("churn", looks, told, at, patience, muted=day in (muted or ()))
    return told


def events(told: list[Message]) -> list[str]:
    return [f"{m.key} {m.event}" for m in told]


def test_an_alert_fires_once_and_is_over_after_quiet_looks() -> None:
    told = course([BAD, BAD, (), (), ()], Patience(1, 3))

    assert events(told) == ["loss#1.0 firing", "loss#1.1 resolved"]
    assert told[1].fired_at == DAY0
    assert told[1].at == DAY0 + 4 * DAY


def test_what_comes_and_goes_stays_one_alert() -> None:
    told = course([BAD, (), BAD, (), (), BAD, (), ()], Patience(1, 3))

    assert events(told) == ["loss#1.0 firing"]


def test_it_fires_only_when_it_held_for_so_many_looks() -> None:
    assert events(course([BAD, BAD, (), BAD, BAD], Patience(3, 3))) == []
    assert events(course([BAD, BAD, BAD], Patience(3, 3))) == ["loss#1.0 firing"]


def test_it_is_told_again_only_when_it_got_worse() -> None:
    worse = [(cause(worse=w),) for w in (1.0, 1.1, 1.2, 1.3, 1.2, 1.5, 1.7)]

    told = course(worse, Patience())

    assert events(told) == ["loss#1.0 firing", "loss#1.1 updated", "loss#1.2 updated"]
    assert [m.cause.worse for m in told] == [1.0, 1.3, 1.7]


def test_a_state_that_rises_is_told_and_one_that_falls_is_not() -> None:
    watch, needs = (cause(state="watch"),), (cause(state="needs_you"),)

    assert events(course([watch, needs, watch, needs], Patience())) == [
        "loss#1.0 firing",
        "loss#1.1 updated",
    ]


def test_a_second_time_has_a_number_of_its_own() -> None:
    told = course([BAD, (), BAD, ()], Patience(1, 1))

    assert events(told) == [
        "loss#1.0 firing", "loss#1.1 resolved", "loss#2.0 firing", "loss#2.1 resolved",
    ]  # fmt: skip


def test_a_look_that_could_not_judge_ends_nothing() -> None:
    told = course([BAD], Patience(1, 2))
    blind = [Look(DAY0 + day * DAY, (), judged=False) for day in range(1, 6)]
    looks = [Look(DAY0, BAD), *blind]

    assert next_messages("churn", looks, told, DAY0 + 6 * DAY, Patience(1, 2)) == ()


def test_every_cause_has_a_course_of_its_own() -> None:
    both = (cause("loss"), cause("drift", "watch"))

    told = course([both, (cause("drift", "watch"),), ()], Patience(1, 1))

    assert events(told) == [
        "drift#1.0 firing", "loss#1.0 firing", "loss#1.1 resolved", "drift#1.1 resolved",
    ]  # fmt: skip


def test_what_still_holds_when_a_silence_ends_is_told_then() -> None:
    told = course([BAD, BAD, BAD], Patience(), muted={0, 1})

    assert events(told) == ["loss#1.0 firing", "loss#1.1 updated"]
    assert [m.muted for m in told] == [True, False]


def test_nobody_hears_of_the_end_of_what_nobody_heard_of() -> None:
    told = course([BAD, (), ()], Patience(1, 2), muted={0})

    assert [(m.event, m.muted) for m in told] == [("firing", True), ("resolved", True)]


def test_the_same_looks_give_the_same_messages() -> None:
    days: list[tuple[object, ...]] = [BAD, (), BAD, (), (), (), BAD]

    assert course(days, Patience(1, 2)) == course(days, Patience(1, 2))


def test_asking_twice_tells_nothing_new() -> None:
    looks = [Look(DAY0, BAD)]
    told = next_messages("churn", looks, [], DAY0, Patience())

    assert next_messages("churn", looks, told, DAY0 + timedelta(hours=1), Patience()) == ()


def test_no_look_tells_nothing() -> None:
    assert next_messages("churn", [], [], DAY0, Patience()) == ()


def test_a_message_comes_back_from_its_step() -> None:
    (message,) = next_messages("churn", [Look(DAY0, BAD)], [], DAY0, Patience())

    assert message_of(message.step()) == message


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from([(), BAD, (cause("drift", "watch"),), (*BAD, cause("drift"))])),
    st.integers(1, 3),
    st.integers(1, 4),
)
def test_every_alert_fires_before_it_ends_and_ends_at_most_once(
    days: list[tuple[object, ...]], hold: int, quiet: int
) -> None:
    told = course(days, Patience(hold, quiet))

    by_alert: dict[str, list[Message]] = {}
    for message in told:
        by_alert.setdefault(message.alert, []).append(message)
    for own in by_alert.values():
        assert [m.part for m in own] == list(range(len(own)))
        assert own[0].event == "firing"
        assert "resolved" not in {m.event for m in own[:-1]}
    assert len({m.key for m in told}) == len(told)
    # never two of one cause open at once
    assert len({m.cause.name for m in still_open(told)}) == len(still_open(told))


@pytest.mark.parametrize("quiet", [1, 2, 5])
def test_it_is_never_over_sooner_than_after_the_quiet_looks(quiet: int) -> None:
    told = course([BAD, *[()] * 8], Patience(1, quiet))

    assert told[-1].at - told[0].at == quiet * DAY
