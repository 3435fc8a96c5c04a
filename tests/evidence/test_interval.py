"""Ranges of a mean, plain, weighted and by group, against scipy and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from everfit.evidence.interval import Interval, spread, t_quantile, t_tail


def test_the_range_of_a_mean_is_students():
    values = np.random.default_rng(0).gamma(2.0, size=30)

    found = spread(values).interval(0.9)

    expected = stats.t.interval(0.9, 29, values.mean(), stats.sem(values))
    assert (found.low, found.high) == pytest.approx(expected)
    assert (found.n, found.level) == (30, 0.9)


def test_the_one_sided_p_is_that_of_the_t_test():
    values = np.random.default_rng(1).normal(0.2, 1.0, 25)

    p = spread(values).p_above(0.1)

    expected = stats.ttest_1samp(values, 0.1, alternative="greater").pvalue
    assert p == pytest.approx(expected)


def test_equal_weights_change_nothing():
    values = np.random.default_rng(2).normal(size=40)

    assert spread(values, weight=np.full(40, 7.0)).error == pytest.approx(spread(values).error)


def test_rows_of_weight_zero_do_not_count():
    values = np.array([1.0, 2.0, 4.0, 1e6])

    found = spread(values, weight=[1, 1, 1, 0])

    assert found.mean == pytest.approx(7 / 3)
    assert found.error == pytest.approx(stats.sem([1.0, 2.0, 4.0]))
    assert found.freedom == pytest.approx(2)


def test_copies_of_a_row_in_one_group_add_no_certainty():
    values = np.random.default_rng(3).normal(size=20)

    copied = spread(np.repeat(values, 5), groups=np.repeat(np.arange(20), 5))

    assert copied.error == pytest.approx(spread(values).error)
    assert copied.freedom == pytest.approx(19)


def test_weighted_range_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(4)

    held = []
    for _ in range(1000):
        weight = rng.gamma(1.0, size=60)
        held.append(spread(rng.normal(3.0, 1.0, 60), weight=weight).interval().contains(3.0))

    assert abs(np.mean(held) - 0.95) < 3 * math.sqrt(0.95 * 0.05 / 1000) + 0.01


@pytest.mark.parametrize(
    ("values", "low", "mid", "high"),
    [([], -math.inf, math.nan, math.inf), ([2.0], -math.inf, 2.0, math.inf), ([3.0] * 4, 3, 3, 3)],
)
def test_few_or_equal_values_have_a_defined_range(values, low, mid, high):
    found = spread(values).interval()

    assert (found.low, found.mid, found.high) == pytest.approx((low, mid, high), nan_ok=True)


def test_nothing_known_is_no_evidence():
    assert spread([]).p_above() == 1.0
    assert spread([5.0]).p_above() == 1.0
    assert spread([5.0, 5.0]).p_above() == 0.0
    assert spread([0.0, 0.0]).p_above() == 1.0


def test_rounding_noise_is_not_a_spread():
    assert spread(np.full(1000, 0.1)).error == 0.0


@pytest.mark.parametrize("freedom", [1.0, 4.0, 30.5, 1e6])
def test_tail_and_quantile_are_inverses(freedom):
    assert t_tail(t_quantile(0.975, freedom), freedom) == pytest.approx(0.025)
    assert t_quantile(0.9, freedom) == pytest.approx(stats.t.ppf(0.9, freedom))


def test_an_interval_contains_its_ends():
    interval = Interval(0.1, 0.2, 0.3)

    assert interval.contains(0.1)
    assert interval.contains(0.3)
    assert not interval.contains(0.31)
    assert str(interval) == "0.2 (0.1 to 0.3)"
