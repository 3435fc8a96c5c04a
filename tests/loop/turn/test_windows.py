"""Windows are closed once each, in order, whatever the clock or the policy does meanwhile."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest

from everfit.loop.turn.windows import next_window
from everfit.records import Step
from tests.loop.turn.fakes import BEGIN, DAY, MODEL, Model, served


class Span:
    """A record that knows when it was asked first and last."""

    def __init__(self, first, last) -> None:
        self.ends = first, last

    def span(self, model):
        return self.ends


def close_all(model: Model, record: Span, most: int = 100) -> list[tuple]:
    """Close all that is due, and see that it comes to an end."""
    found = []
    for _ in range(most):
        hands = replace(model.hands(), record=record)
        due = next_window(model.state(), "asked", hands, wait_s=60.0)
        if due is None:
            return found
        start, end = due
        plain = {"kind": "asked", "start": start.isoformat(), "end": end.isoformat(),
                 "version": 1, "n": 0, "facts": {}}  # fmt: skip
        step = Step(MODEL, "asked", start.isoformat(), plain, model.now)
        assert model.store.note(None, [step]), "a window was closed twice"
        found.append(due)
    raise AssertionError("it does not end")


def after(days: float) -> Model:
    model = served()
    model.now = BEGIN + days * DAY + timedelta(hours=1)
    return model


def test_a_clock_that_jumps_years_ahead_closes_what_is_due_once_and_ends():
    model, record = after(3), Span(BEGIN, BEGIN + 2.5 * DAY)
    assert len(close_all(model, record)) == 3
    model.now += 3 * 365 * DAY

    assert len(close_all(model, record)) == 1
    assert close_all(model, record) == []


def test_a_clock_that_is_set_right_again_goes_on_where_it_was():
    model = after(3)
    close_all(model, Span(BEGIN, BEGIN + 2.5 * DAY))
    right = model.now
    model.now += 3 * 365 * DAY
    close_all(model, Span(BEGIN, BEGIN + 2.5 * DAY))
    model.now = right + 2 * DAY

    found = close_all(model, Span(BEGIN, BEGIN + 4.5 * DAY))

    assert [start for start, _ in found] == [BEGIN + 3 * DAY, BEGIN + 4 * DAY]
    assert len(model.state().asked) == 5


def test_a_clock_that_was_set_back_a_year_closes_nothing_twice_when_time_goes_on():
    model, record = after(3), Span(BEGIN, BEGIN + 2.5 * DAY)
    close_all(model, record)
    model.now -= 365 * DAY
    assert close_all(model, record) == []
    model.now += 364 * DAY

    assert close_all(model, record) == []


@pytest.mark.parametrize("days", [7, 0.25])
def test_a_window_of_another_length_leaves_no_gap_and_no_overlap(days):
    model = after(3)
    found = close_all(model, Span(BEGIN, BEGIN + 2.5 * DAY))
    model.upkeep = replace(model.upkeep, window_s=days * 86_400.0)
    model.now += 16 * DAY

    found += close_all(model, Span(BEGIN, BEGIN + 18 * DAY))

    assert all(one[1] == two[0] for one, two in itertools.pairwise(found))
    assert found[-1][1] > BEGIN + 16 * DAY
