"""The Bayesian correlated t, against its density integrated by hand and its frequentist twin."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

from everfit.errors import UsageError
from everfit.evidence.offline.rope import correlated_rope
from everfit.evidence.paired import corrected_gain


def test_probabilities_are_the_integrals_of_the_posterior():
    d = np.random.default_rng(0).normal(0.01, 0.03, 100)

    found = correlated_rope(d, 0.1, margin=0.01)

    scale = math.sqrt((1 / 100 + 0.1 / 0.9) * d.var(ddof=1))
    density = stats.t(99, d.mean(), scale).pdf
    same = integrate.quad(density, -0.01, 0.01)[0]
    better = integrate.quad(density, 0.01, 1.0)[0]
    assert (found.same, found.better) == pytest.approx((same, better), abs=1e-6)
    assert found.better + found.same + found.worse == pytest.approx(1.0)


def test_without_a_margin_worse_is_the_p_of_the_corrected_t():
    d = np.random.default_rng(1).normal(0.01, 0.03, 25)

    assert correlated_rope(d, 0.2, margin=0.0).worse == pytest.approx(corrected_gain(d, 0.2).p)
    assert correlated_rope(d, 0.2).gain == corrected_gain(d, 0.2).gain


def test_swapping_the_learners_swaps_better_and_worse():
    d = np.random.default_rng(2).normal(0.01, 0.02, 30)

    there, back = correlated_rope(d, 0.1), correlated_rope(-d, 0.1)

    assert (there.better, there.worse) == pytest.approx((back.worse, back.better))


@pytest.mark.parametrize(
    ("d", "answer"),
    [([0.1] * 5, "better"), ([-0.1] * 5, "worse"), ([0.001] * 5, "same"), ([0.1], "open"),
     ([], "open"), ([0.1, math.nan], "open"), ([0.5, -0.5, 0.1], "open")],
)  # fmt: skip
def test_few_equal_and_missing_folds_have_a_defined_answer(d, answer):
    assert correlated_rope(d, 0.2).answer() == answer


def test_equal_learners_over_many_folds_are_called_the_same():
    d = np.random.default_rng(3).normal(0.0, 0.01, 100)

    assert correlated_rope(d, 0.1, margin=0.02).answer() == "same"


def test_a_margin_below_zero_is_refused():
    with pytest.raises(UsageError, match="the same"):
        correlated_rope([0.1, 0.2], 0.2, margin=-0.01)
