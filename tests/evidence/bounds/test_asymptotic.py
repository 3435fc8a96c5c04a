"""Ranges without a bound: formulas, coverage over looks, batches with their own errors."""

from __future__ import annotations

import math

import numpy as np
import pytest

from everfit.errors import UsageError
from everfit.evidence.bounds.asymptotic import (
    BURN_IN,
    asymptotic_band,
    asymptotic_batches,
    robbins_band,
)


def _rate(at: float, alpha: float = 0.05) -> float:
    return (-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / at


def test_the_range_is_its_formula():
    x = np.random.default_rng(0).normal(3.0, 2.0, 700)

    found = asymptotic_band(x, alpha=0.05, tightest_at=500).at()

    r, t = _rate(500), 700
    reach = x.std() * math.sqrt(
        2 * (t * r + 1) / (t**2 * r) * math.log(math.sqrt(t * r + 1) / 0.05)
    )
    assert found.mid == pytest.approx(x.mean())
    assert found.high - found.mid == pytest.approx(reach)
    assert found.mid - found.low == pytest.approx(reach)


def test_the_range_is_narrowest_for_its_size_where_it_was_asked_to_be():
    def width(tightest_at: int) -> float:
        band = asymptotic_band([0.0, 1.0] * 1000, tightest_at=tightest_at)
        return band.at(999).high - band.at(999).low

    assert width(1000) < min(width(200), width(5000))


def test_the_first_rows_tell_nothing():
    band = asymptotic_band(np.arange(200.0))

    assert np.isinf(band.high[: BURN_IN - 1]).all()
    assert np.isfinite(band.high[BURN_IN - 1 :]).all()


@pytest.mark.parametrize("kind", ["normal", "t5", "losses"])
def test_the_mean_is_held_at_every_look_and_a_z_range_is_not(kind):
    rng = np.random.default_rng(1)
    draw = {
        "normal": lambda: rng.normal(size=1000),
        "t5": lambda: rng.standard_t(5, size=1000),
        "losses": lambda: rng.exponential(size=1000) - 1.0,
    }[kind]
    missed = peeked = 0
    for _ in range(300):
        x = draw()
        band = asymptotic_band(x)
        missed += bool(((band.low > 0) | (band.high < 0)).any())
        n = np.arange(1, 1001)
        mean = np.cumsum(x) / n
        z = np.sqrt(n) * mean / np.sqrt(np.maximum(np.cumsum(x**2) / n - mean**2, 1e-9))
        peeked += bool((np.abs(z[BURN_IN:]) > 1.96).any())

    assert missed / 300 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 300)
    assert peeked / 300 > 0.15


def test_batches_are_their_formula():
    rng = np.random.default_rng(2)
    x, v = rng.normal(size=20), rng.uniform(0.5, 1.5, 20)

    found = asymptotic_batches(x, v, tightest_at=10, units=[7] * 20).at()

    r, nu = _rate(10 * v[0]), v.sum()
    reach = math.sqrt(2 * (nu * r + 1) / r * math.log(math.sqrt(nu * r + 1) / 0.05)) / 20
    assert found.mid == pytest.approx(x.mean())
    assert found.high - found.mid == pytest.approx(reach)
    assert found.n == 140


def test_batches_of_other_sizes_hold_the_truth_at_every_look():
    rng = np.random.default_rng(3)
    missed = 0
    for _ in range(400):
        v = rng.uniform(0.2, 3.0, 200)
        band = asymptotic_batches(rng.normal(0.0, np.sqrt(v)), v)
        missed += bool(((band.low > 0) | (band.high < 0)).any())

    assert missed / 400 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)


def test_a_batch_without_an_estimate_changes_nothing():
    with_gap = asymptotic_batches([math.nan, 0.1, math.nan, 0.3], [math.nan, 0.1, math.nan, 0.2])
    without = asymptotic_batches([0.1, 0.3], [0.1, 0.2])

    assert (with_gap.at(0).low, with_gap.at(0).high) == (-math.inf, math.inf)
    assert with_gap.at(3).low == without.at(1).low
    assert with_gap.at(2).high == without.at(0).high
    assert with_gap.at(3).n == 2


def test_batches_without_any_spread_tell_no_range():
    band = asymptotic_batches([0.1, 0.1], [0.0, 0.0])

    assert (band.at().low, band.at().high) == (-math.inf, math.inf)


def test_the_normal_mixture_is_its_formula_and_holds():
    x = np.random.default_rng(4).choice([0.0, 1.0], 400)
    found = robbins_band(x, 0.5, tightest_at=200).at()

    prior = 1 / _rate(200 * 0.25)
    variance = 0.25 * 400
    reach = math.sqrt((variance + prior) * math.log((variance + prior) / (prior * 0.05**2))) / 400
    assert found.high - found.mid == pytest.approx(reach)

    rng = np.random.default_rng(5)
    missed = sum(
        bool(((band.low > 0.5) | (band.high < 0.5)).any())
        for band in (robbins_band(rng.choice([0.0, 1.0], 1000), 0.5) for _ in range(300))
    )
    assert missed / 300 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 300)


def test_what_cannot_be_read_is_refused():
    with pytest.raises(UsageError, match="needs numbers"):
        asymptotic_band([1.0, math.nan])
    with pytest.raises(UsageError, match="cannot be tuned"):
        asymptotic_band([1.0], tightest_at=0)
    with pytest.raises(UsageError, match="batches cannot be read"):
        asymptotic_batches([1.0], [0.1, 0.1])
    with pytest.raises(UsageError, match="batches cannot be read"):
        asymptotic_batches([1.0], [-0.1])
    with pytest.raises(UsageError, match="scale is none"):
        robbins_band([1.0], 0.0)
