from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from everfit.encoders import steps as st
from everfit.encoders.engineered import OPERATIONS
from everfit.encoders.table import VIEWS, FeaturePlan, fit_features
from everfit.serve.row import Asked, RowReader
from everfit.serve.vector import Vector
from tests.encoders.mixed import COLUMNS, WORDS, as_table, mixed_rows, target_of

TRAINING = mixed_rows(500)
TARGET = target_of(TRAINING)
PLANS = {
    view: fit_features(as_table(TRAINING), TARGET, "probabilities", 2, view=view) for view in VIEWS
}
PLANS["made"] = FeaturePlan(
    "engineered",
    PLANS["codes"].inputs,
    PLANS["codes"].vocabularies,
    (
        *(st.Arithmetic(operation, "size", "income") for operation in OPERATIONS),
        st.Gap("income", "town", np.arange(len(PLANS["codes"].vocabularies["town"]) + 1.0)),
        st.Lookup(
            ("town", "plan"),
            (len(PLANS["codes"].vocabularies["town"]), 3),
            (0.5, 0.25),
            np.arange(0, 30, 2),
            np.random.default_rng(0).random((15, 2)),
        ),
        st.Take("size"),
    ),
    ("a", "b", "c", "d", "e", "f", "g"),
)
number = some.one_of(
    some.none(),
    some.floats(allow_nan=True, allow_infinity=True),
    some.integers(-(2**40), 2**40).map(float),
    some.sampled_from([0.0, -0.0, 1e-300, 1e300]),
)
row = some.fixed_dictionaries(
    {},
    optional={
        "size": number,
        "income": number,
        "rooms": number,
        "paid": some.sampled_from([None, True, False]),
        "town": some.sampled_from([None, "t0", "t1", "t30", "new"]),
        "plan": some.sampled_from([None, "basic", "pro", "PRO"]),
        "grade": some.sampled_from([None, "low", "high", "top"]),
        "since": some.one_of(
            some.none(), some.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1))
        ),
        "note": some.one_of(
            some.none(),
            some.text(max_size=40),
            some.lists(some.sampled_from(WORDS), max_size=9).map(" ".join),
        ),
    },
)


def reader_of(plan: FeaturePlan) -> RowReader:
    used = {item.name for item in plan.inputs}
    known = {n: frozenset(w for w in v if w) for n, v in plan.vocabularies.items()}
    return RowReader([Asked(c) for c in COLUMNS if c.name in used], known)


@pytest.mark.parametrize("view", PLANS)
@settings(deadline=None, max_examples=150)
@given(rows=some.lists(row, min_size=1, max_size=5))
def test_one_row_and_a_table_of_rows_have_exactly_the_same_features(
    view: str, rows: list[dict[str, Any]]
) -> None:
    plan = PLANS[view]
    reader = reader_of(plan)
    vector = Vector(plan.steps, plan.inputs, plan.vocabularies, reader.positions)
    # a table is conformed before: texts come without blanks around and without words for missing
    read = [reader(r)[0] for r in rows]
    clean = [r | {"note": read[i][reader.positions["note"]]} for i, r in enumerate(rows)]

    with np.errstate(all="ignore"):
        expected = plan.transform(as_table(clean, COLUMNS[:9]))

    for values, features in zip(read, expected, strict=True):
        vector.fill(values)
        np.testing.assert_array_equal(vector.view, features)


def test_every_kind_of_step_is_compared_here() -> None:
    assert {type(step) for plan in PLANS.values() for step in plan.steps} == set(st.STEPS.values())


def test_a_row_leaves_nothing_behind_for_the_next() -> None:
    plan = PLANS["dense"]
    reader = reader_of(plan)
    vector = Vector(plan.steps, plan.inputs, plan.vocabularies, reader.positions)
    vector.fill(reader(TRAINING[0])[0])
    first = vector.view.copy()

    vector.fill(reader({})[0])
    vector.fill(reader(TRAINING[0])[0])

    np.testing.assert_array_equal(vector.view, first)
