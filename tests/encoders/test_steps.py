from __future__ import annotations

import json

import numpy as np
import pytest

from everfit.encoders import steps as st

STEPS = [
    st.Take("a"),
    st.Missing("a"),
    st.Scale("a", 1.0, 2.0, 3.0),
    st.Quantile("a", 1.0, (0.0, 1.0), (-1.0, 1.0)),
    st.OneHot("a", 3, True),
    st.DatePart("a", "hour", 5.0),
    st.Cycle("a", "month", np.ones((12, 2))),
    st.Lookup(("a", "b"), (3, 4), (0.5,), np.array([1, 2]), np.array([[0.1], [0.2]])),
    st.Arithmetic("ratio", "a", "b"),
    st.Gap("a", "b", np.arange(4.0)),
    st.Words("a", ("x", "y"), np.ones(2), np.ones((2, 1)), np.empty(0), np.empty(0)),
]


def test_every_kind_of_step_is_tried_here() -> None:
    assert {type(step) for step in STEPS} == set(st.STEPS.values())


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.kind)
def test_a_step_comes_back_from_json_and_arrays(step: st.Step) -> None:
    plain, arrays = st.split_step(step)

    again = st.join_step(json.loads(json.dumps(plain)), arrays)

    assert again == step
    assert again.size == step.size
    for name, value in arrays.items():
        np.testing.assert_array_equal(getattr(again, name), value)
