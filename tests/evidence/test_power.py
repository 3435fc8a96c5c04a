"""Power of the paired t-test, against statsmodels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.stats.power import TTestPower

from everfit.evidence.paired import paired_gain
from everfit.evidence.power import power_of, smallest_gain, units_needed


@pytest.mark.parametrize(("gain", "sd", "n"), [(0.5, 1.0, 20), (0.1, 0.4, 300), (0.0, 1.0, 10)])
def test_power_is_that_of_statsmodels(gain, sd, n):
    expected = TTestPower().power(gain / sd, n, 0.05, alternative="two-sided")

    assert power_of(gain, sd, n) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("n", [5, 40, 1000, 200_000])
def test_the_smallest_gain_is_that_of_statsmodels(n):
    expected = TTestPower().solve_power(nobs=n, alpha=0.05, power=0.8)

    assert smallest_gain(2.0, n) == pytest.approx(2.0 * expected, rel=1e-4)


@pytest.mark.parametrize("gain", [0.01, 0.1, 0.5, 2.0])
def test_units_needed_is_the_inverse_of_the_smallest_gain(gain):
    n = units_needed(gain, 1.0)

    assert smallest_gain(1.0, n) <= gain < smallest_gain(1.0, n - 1)


def test_the_power_is_what_a_simulation_finds():
    rng = np.random.default_rng(0)
    gain = smallest_gain(1.0, 50)

    seen = [paired_gain(np.zeros(50), rng.normal(gain, 1.0, 50)).low > 0 for _ in range(2000)]

    assert abs(np.mean(seen) - 0.8) < 3 * math.sqrt(0.8 * 0.2 / 2000)


def test_what_cannot_be_shown_is_said():
    assert smallest_gain(1.0, 1) == math.inf
    assert smallest_gain(math.nan, 100) == math.inf
    assert smallest_gain(0.0, 100) == 0.0
    assert units_needed(0.0, 1.0) is None
    assert units_needed(0.1, math.inf) is None
    assert units_needed(1e-9, 1.0) is None
    assert power_of(0.1, 0.0, 10) == 1.0
    assert power_of(0.1, 1.0, 1) == 0.0
