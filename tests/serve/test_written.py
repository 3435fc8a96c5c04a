"""Plans as one expression each: the same features as step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from everfit.encoders import steps as st
from everfit.serve.vector import Vector
from tests.serve.test_vector import PLANS, TRAINING, reader_of, row

WRITTEN = (st.Take, st.Missing, st.Scale, st.OneHot, st.Lookup, st.Arithmetic, st.Gap)


def some_steps(view: str) -> tuple[st.Step, ...]:
    """The steps of a plan that have expressions."""
    return tuple(
        step for step in PLANS[view].steps
        if isinstance(step, WRITTEN) and getattr(step, "column", "size") not in ("since", "note")
    )  # fmt: skip


def made(view: str) -> tuple[Any, Vector, Any]:
    """A reader, a vector, and what reads a row and writes the vector."""
    plan = PLANS[view]
    reader = reader_of(plan)
    inputs = [item for item in plan.inputs if item.kind not in ("date", "text")]
    vector = Vector(some_steps(view), inputs, plan.vocabularies, reader.positions)
    known = {at: reader.known.get(name, frozenset()) for name, at in reader.positions.items()}
    write = vector.plain(known)
    assert write is not None
    return reader, vector, reader.filling([write])


MADE = {view: made(view) for view in PLANS}


@pytest.mark.parametrize("view", PLANS)
@settings(deadline=None, max_examples=200)
@given(given_row=row)
def test_what_is_written_is_what_is_filled(view: str, given_row: dict[str, Any]) -> None:
    reader, vector, read = MADE[view]
    whole = dict.fromkeys(reader.positions) | given_row

    try:
        found = read(whole)
    except (KeyError, TypeError, OverflowError):
        found = None
    if found is None:
        return  # an odd row, which the slow way takes
    wrote = vector.view.copy()
    vector.fill(found)

    np.testing.assert_array_equal(wrote, vector.view)


@pytest.mark.parametrize("view", PLANS)
def test_rows_of_the_training_data_are_not_odd(view: str) -> None:
    reader, _, read = MADE[view]
    whole = [
        dict.fromkeys(reader.positions)
        | {name: value for name, value in one.items() if name in reader.positions}
        for one in TRAINING[:50]
    ]
    taken = 0
    for one in whole:
        try:
            taken += read(one) == reader(one)[0] or "nan" in repr(reader(one)[0])
        except KeyError:
            continue  # a level that one row alone had

    assert taken >= 40


def test_every_step_that_has_an_expression_is_compared_here() -> None:
    assert {type(step) for view in PLANS for step in some_steps(view)} == set(WRITTEN)


@pytest.mark.parametrize("step", [st.DatePart("since", "year", 0.0), st.Lookup(
    ("town", "plan", "grade"), (2, 2, 2), (0.0,), np.arange(1), np.zeros((1, 1)))])  # fmt: skip
def test_a_step_without_an_expression_leaves_its_plan_to_be_filled(step: st.Step) -> None:
    plan = PLANS["codes"]
    reader = reader_of(plan)
    vector = Vector((step,), plan.inputs, plan.vocabularies, reader.positions)

    assert vector.plain({at: frozenset() for at in range(len(reader.positions))}) is None
