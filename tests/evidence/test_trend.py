"""A rise is told from no order, and its p-value is what it says."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from everfit.errors import UsageError
from everfit.evidence.trend import rising


def test_p_is_the_share_of_orders_that_rise_as_much() -> None:
    seen = [0.1, 0.3, 0.2, 0.5, 0.4]
    mine = rising(seen)
    others = [rising(order).tau for order in permutations(seen)]
    assert mine.p == pytest.approx(np.mean([tau >= mine.tau - 1e-12 for tau in others]), abs=1e-9)


def test_values_in_no_order_are_called_a_rise_no_more_often_than_allowed() -> None:
    rng = np.random.default_rng(3)
    found = [rising(rng.normal(size=12)).p <= 0.05 for _ in range(1_000)]
    assert np.mean(found) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 1_000)


def test_a_curve_that_flattens_out_still_rises() -> None:
    rng = np.random.default_rng(1)
    rows = np.arange(1, 16) * 500
    curve = 0.87 - 1.0 / np.sqrt(rows) + rng.normal(0.0, 0.001, 15)
    assert rising(curve).p < 1e-4
    assert rising(-curve).p > 0.99


def test_equal_values_and_ties_have_an_answer_and_too_few_have_an_error() -> None:
    assert rising([1.0, 1.0, 1.0, 1.0]).p == 1.0
    assert rising([1.0, 1.0, 2.0, 2.0, 3.0]).p < 0.05
    with pytest.raises(UsageError):
        rising([1.0, 2.0, 3.0])
    with pytest.raises(UsageError):
        rising([1.0, float("nan"), 3.0, 4.0])
