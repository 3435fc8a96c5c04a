"""Tests over repeated folds, against their formulas, scipy and the error that they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from everfit.errors import UsageError
from everfit.evidence.offline.folds import corrected_hotelling, five_by_two, repeated_gain
from everfit.evidence.paired import corrected_gain


def test_repeated_folds_are_the_corrected_t_of_all_of_them():
    d = np.random.default_rng(0).normal(0.01, 0.02, (10, 10))

    found = repeated_gain(d)

    error = d.std(ddof=1) * math.sqrt(1 / 100 + 1 / 9)
    assert found.t == pytest.approx(d.mean() / error)
    assert found.p == pytest.approx(stats.t.sf(d.mean() / error, 99))
    assert found == corrected_gain(d.ravel(), 0.1)


def test_a_list_of_differences_without_repeats_is_refused():
    with pytest.raises(UsageError, match="repeated folds") as caught:
        repeated_gain([0.1, 0.2, 0.3])

    assert "(3,)" in caught.value.got


def test_five_by_two_is_its_two_formulas():
    d = np.random.default_rng(1).normal(0.02, 0.03, (5, 2))

    found = five_by_two(d)

    s2 = np.array([(a - (a + b) / 2) ** 2 + (b - (a + b) / 2) ** 2 for a, b in d])
    assert found.t == pytest.approx(d[0, 0] / math.sqrt(s2.mean()))
    assert found.p == pytest.approx(stats.t.sf(found.t, 5))
    assert found.f == pytest.approx((d**2).sum() / (2 * s2.sum()))
    assert found.p_f == pytest.approx(stats.f.sf(found.f, 10, 5))


def test_five_by_two_of_equal_and_of_constant_differences_has_a_defined_answer():
    nothing, always = five_by_two(np.zeros((5, 2))), five_by_two(np.full((5, 2), 0.1))

    assert (nothing.t, nothing.f, nothing.p, nothing.p_f) == (0.0, 0.0, 0.5, 1.0)
    assert (always.t, always.p, always.p_f) == (math.inf, 0.0, 0.0)


@pytest.mark.parametrize("d", [np.zeros((2, 5)), np.full((5, 2), math.nan)])
def test_five_by_two_wants_five_rows_of_two_numbers(d):
    with pytest.raises(UsageError, match="five times two"):
        five_by_two(d)


def test_one_contrast_is_the_corrected_t_squared():
    d = np.random.default_rng(2).normal(0.01, 0.02, 20)

    f, q, rest, p = corrected_hotelling(d[:, None], 0.2)

    one = corrected_gain(d, 0.2)
    assert (f, q, rest) == (pytest.approx(one.t**2), 1, 19)
    assert p == pytest.approx(2 * min(one.p, 1 - one.p))


def test_without_shared_training_rows_it_is_hotellings_test():
    # statsmodels is not needed: T2 by hand with a solve
    c = np.random.default_rng(3).normal(0.2, 1.0, (40, 3))

    f, q, rest, p = corrected_hotelling(c, 0.0)

    t2 = 40 * c.mean(axis=0) @ np.linalg.solve(np.cov(c.T), c.mean(axis=0))
    assert f == pytest.approx(t2 * 37 / (39 * 3))
    assert (q, rest) == (3, 37)
    assert p == pytest.approx(stats.f.sf(f, 3, 37))


def test_other_contrasts_of_the_same_factor_give_the_same_answer():
    c = np.random.default_rng(4).normal(0.1, 1.0, (30, 2))
    mixed = c @ np.array([[1.0, 0.5], [-3.0, 2.0]])

    assert corrected_hotelling(c, 0.1) == pytest.approx(corrected_hotelling(mixed, 0.1))


def test_too_few_folds_and_folds_without_spread_have_a_defined_answer():
    equal = np.zeros((10, 2))
    sure = np.column_stack([np.full(10, 0.3), np.random.default_rng(5).normal(size=10)])

    assert corrected_hotelling(np.eye(2), 0.1) == (0.0, 2, 0, 1.0)
    assert corrected_hotelling(equal, 0.1) == (0.0, 2, 8, 1.0)
    assert corrected_hotelling(sure, 0.1)[::3] == (math.inf, 0.0)


def test_the_corrected_t_keeps_its_error_and_five_by_two_too_where_the_plain_t_does_not():
    # two features of equal worth: a threshold between class means, fitted on each of them
    rng = np.random.default_rng(6)
    runs, rejected = 300, np.zeros(3)
    for _ in range(runs):
        y = rng.random(120) < 0.5
        x = rng.normal(size=(120, 2)) + 0.8 * y[:, None]
        d = _repeats(x, y, 5, 5, rng)
        rejected += [
            _two_sided(repeated_gain(d).p) < 0.05,
            _two_sided(five_by_two(_repeats(x, y, 5, 2, rng)).p) < 0.05,
            stats.ttest_1samp(d.ravel(), 0).pvalue < 0.05,
        ]

    limit = 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)
    assert rejected[0] / runs <= limit
    assert rejected[1] / runs <= limit
    assert rejected[2] / runs > 0.25


def _two_sided(p: float) -> float:
    return 2 * min(p, 1 - p)


def _repeats(x, y, repeats: int, n_folds: int, rng) -> np.ndarray:
    d = np.zeros((repeats, n_folds))
    for i in range(repeats):
        fold = rng.permutation(len(y)) % n_folds
        for k in range(n_folds):
            inside, outside = fold != k, fold == k
            middle = (x[inside & y].mean(axis=0) + x[inside & ~y].mean(axis=0)) / 2
            wrong = (x[outside] > middle) != y[outside, None]
            d[i, k] = wrong[:, 0].mean() - wrong[:, 1].mean()
    return d
