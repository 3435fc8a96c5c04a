"""Corrections for many tests, against statsmodels and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from everfit.errors import UsageError
from everfit.evidence.multiple import benjamini_hochberg, e_bh, gamma_series, holm

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@given(P_VALUES)
def test_holm_is_that_of_statsmodels(p):
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-12)


@given(P_VALUES)
def test_benjamini_hochberg_is_that_of_statsmodels(p):
    assert benjamini_hochberg(p) == pytest.approx(multipletests(p, method="fdr_bh")[1], abs=1e-12)


def test_no_tests_give_no_answers():
    assert len(holm([])) == len(benjamini_hochberg([])) == len(e_bh([], 0.1)) == 0


def test_a_missing_value_is_no_evidence():
    assert holm([0.001, math.nan]).tolist() == [0.002, 1.0]
    assert e_bh([math.nan, math.inf], 0.1).tolist() == [False, True]


def test_e_bh_rejects_by_its_definition():
    e = np.array([50.0, 3.0, 25.0, 1.0, 0.0])

    # k e_(k) >= n/alpha = 50: 1*50 and 2*25 hold, 3*3 does not, so the threshold is 50/2
    assert e_bh(e, 0.1).tolist() == [True, False, True, False, False]


def test_e_bh_keeps_its_false_share_under_full_dependence():
    rng = np.random.default_rng(0)
    # 20 copies of one e-value: it is exp(2 z - 2), mean 1 under the null
    false = [bool(e_bh(np.full(20, math.exp(2 * z - 2)), 0.1).any()) for z in rng.normal(size=4000)]

    assert np.mean(false) <= 0.1


def test_the_gamma_series_never_spends_more_than_everything():
    first = sum(gamma_series(k) for k in range(1, 100_001))
    # the rest is at most the integral of 1/(2.11 x ln^2 x)
    rest = 1 / (2.11 * math.log(100_001))

    assert 0.95 < first + rest <= 1.0
    assert all(gamma_series(k) > gamma_series(k + 1) for k in range(1, 50))


def test_decisions_are_counted_from_one():
    with pytest.raises(UsageError, match="counted from 1"):
        gamma_series(0)
