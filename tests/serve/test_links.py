from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import special

from everfit.evidence.affine import apply_affine
from everfit.evidence.calibration import apply_calibration
from everfit.learners.link import to_answers
from everfit.serve.links import calibrated, row_calibration, row_link, table_link

RAW = np.random.default_rng(0).normal(0.0, 3.0, (200, 3))
LINKS: list[dict[str, Any]] = [
    {"kind": "softmax", "scale": 1.0, "shift": 0.0, "inverse": "none"},
    {"kind": "sigmoid", "scale": 1.0, "shift": 0.0, "inverse": "none"},
    {"kind": "identity", "scale": 1.0, "shift": 0.0, "inverse": "none"},
    {"kind": "identity", "scale": 2.0, "shift": -1.0, "inverse": "none"},
    {"kind": "identity", "scale": 0.5, "shift": 1.0, "inverse": "expm1"},
]


@pytest.mark.parametrize("link", LINKS, ids=str)
@pytest.mark.parametrize("bounds", [None, (-0.5, 2.0)])
def test_both_links_equal_the_learners_to_the_last_bit(
    link: dict[str, Any], bounds: tuple[float, float] | None
) -> None:
    raw = RAW if link["kind"] == "softmax" else RAW[:, :1]

    table = table_link(link, bounds)(raw)
    rows = [list(row_link(link, bounds)(row)) for row in raw.tolist()]

    np.testing.assert_array_equal(table, to_answers(raw, link, bounds))
    np.testing.assert_array_equal(rows, table)


@pytest.mark.parametrize("k", [2, 7, 8, 20])
def test_a_softmax_of_any_width_is_the_same_for_one_row_and_for_many(k: int) -> None:
    raw = np.random.default_rng(k).normal(0.0, 30.0, (300, k))

    rows = [row_link(LINKS[0])(row) for row in raw.tolist()]

    np.testing.assert_array_equal(rows, table_link(LINKS[0])(raw))


def test_extreme_scores_stay_finite() -> None:
    for value in (-1e6, 1e6):
        assert np.isfinite(row_link(LINKS[1])([value])).all()
        assert np.isfinite(row_link(LINKS[4])([value])).all()


@pytest.mark.parametrize(
    "calibration", [{}, {"temperature": 0.7}, {"temperature": 1.4, "bias_1": 0.3}, {"bias_0": 1.0}]
)
def test_calibration_is_that_of_the_tasks(calibration: dict[str, float]) -> None:
    values = special.softmax(RAW, axis=1)

    np.testing.assert_allclose(
        calibrated(values, calibration), apply_calibration(values, calibration), rtol=1e-14
    )


@pytest.mark.parametrize("k", [2, 3, 7, 8, 20])
def test_one_row_is_calibrated_as_many_are_to_the_last_bit(k: int) -> None:
    values = special.softmax(np.random.default_rng(k).normal(0.0, 4.0, (500, k)), axis=1)
    values[:3] = np.eye(k)[0]  # probabilities of 0 and 1
    calibration = {"temperature": 1.3, "bias_0": 0.2, "bias_1": -0.1}

    one = row_calibration(calibration, k)

    assert one is not None
    rows = [one(row) for row in values.tolist()]
    np.testing.assert_array_equal(rows, calibrated(values, calibration))
    assert row_calibration({}, k) is None


@pytest.mark.parametrize("calibration", [{"scale": 1.2, "shift": -3.0}, {"shift": 2.0}])
def test_numbers_are_set_right_by_a_line_for_one_row_as_for_many(
    calibration: dict[str, float],
) -> None:
    values = np.array([[0.0], [1.5], [-7.25]])
    one = row_calibration(calibration, 1)
    assert one is not None
    rows = [list(one(row.tolist())) for row in values]
    np.testing.assert_array_equal(rows, calibrated(values, calibration))
    np.testing.assert_array_equal(rows, apply_affine(values, calibration))
