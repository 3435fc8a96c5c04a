"""BCa ranges against scipy's, DeLong's and true values; strata and groups."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from everfit.errors import UsageError
from everfit.evidence.auc import auc, auc_gain, auc_interval
from everfit.evidence.offline.bootstrap import auc_bootstrap, bootstrap_interval


def mean_of(x):
    return lambda counts: float(counts @ x / counts.sum())


def test_the_range_of_a_skewed_mean_is_scipys_bca():
    x = np.random.default_rng(0).gamma(1.0, size=80)

    found = bootstrap_interval(mean_of(x), 80, draws=8000)

    expected = stats.bootstrap(
        (x,), np.mean, n_resamples=8000, method="BCa", rng=np.random.default_rng(1)
    ).confidence_interval
    half = (expected.high - expected.low) / 2
    assert found.low == pytest.approx(expected.low, abs=0.05 * half)
    assert found.high == pytest.approx(expected.high, abs=0.05 * half)
    # and not the plain percentile range, which is shifted to the left
    assert found.high - x.mean() > 1.1 * (x.mean() - found.low)


def test_the_same_seed_gives_the_same_range():
    x = np.random.default_rng(2).normal(size=30)

    assert bootstrap_interval(mean_of(x), 30, draws=200, seed=4) == bootstrap_interval(
        mean_of(x), 30, draws=200, seed=4
    )


def test_strata_keep_their_sizes_in_every_draw():
    classes = np.repeat([0, 1, 2], [3, 10, 17])
    sizes = set()

    def statistic(counts):
        sizes.add(tuple(np.bincount(classes, weights=counts)))
        return 1.0

    bootstrap_interval(statistic, 30, strata=classes, draws=50)

    # the draws and the data; blocks that are left out are smaller
    assert (3.0, 10.0, 17.0) in sizes
    assert all(a == (3.0, 10.0, 17.0) or sum(a) < 30 for a in sizes)


def test_rows_of_a_group_are_drawn_together_and_widen_the_range():
    rng = np.random.default_rng(3)
    group = np.repeat(np.arange(25), 8)
    x = rng.normal(size=25)[group] + 0.1 * rng.normal(size=200)
    seen = []

    def statistic(counts):
        seen.append(counts.reshape(25, 8))
        return float(counts @ x / counts.sum())

    together = bootstrap_interval(statistic, 200, groups=group, draws=500)
    alone = bootstrap_interval(mean_of(x), 200, draws=500)

    assert all((c == c[:, :1]).all() for c in seen)
    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_the_area_is_ours_and_its_range_agrees_with_delong():
    rng = np.random.default_rng(4)
    up = rng.random(400) < 0.3
    scores = np.round(rng.normal(size=400) + up, 1)

    found, expected = auc_bootstrap(scores, up, draws=1000), auc_interval(scores, up)

    half = (expected.high - expected.low) / 2
    assert found.mid == pytest.approx(auc(scores, up))
    assert found.low == pytest.approx(expected.low, abs=0.2 * half)
    assert found.high == pytest.approx(expected.high, abs=0.2 * half)


def test_the_gain_of_an_area_is_paired_and_agrees_with_delong():
    rng = np.random.default_rng(5)
    up = rng.random(500) < 0.4
    old = rng.normal(size=500) + up
    new = old + 0.2 * rng.normal(size=500) + 0.2 * up

    found, expected = auc_bootstrap(new, up, scores_old=old, draws=4000), auc_gain(new, old, up)

    half = (expected.high - expected.low) / 2
    assert found.mid == pytest.approx(expected.mid)
    assert found.low == pytest.approx(expected.low, abs=0.25 * half)
    assert found.high == pytest.approx(expected.high, abs=0.25 * half)


def test_groups_of_one_class_and_of_both_are_drawn_whole():
    rng = np.random.default_rng(6)
    group = np.repeat(np.arange(60), 5)
    own = rng.normal(size=60)[group]
    # of both classes, a group's own level moves both sides of a pair: less is lost
    for up, wider in ((rng.random(60)[group] < 0.4, 1.5), (rng.random(300) < 0.4, 1.05)):
        scores = own + 0.3 * rng.normal(size=300) + up

        together = auc_bootstrap(scores, up, groups=group, draws=300)
        alone = auc_bootstrap(scores, up, draws=300)

        assert together.mid == alone.mid
        assert together.high - together.low > wider * (alone.high - alone.low)


def test_one_unit_is_refused_and_one_class_leaves_the_range_open():
    with pytest.raises(UsageError, match="resampled"):
        bootstrap_interval(lambda counts: 1.0, 9, groups=np.zeros(9))

    found = auc_bootstrap([0.1, 0.2, 0.3], [1, 1, 1], draws=20)
    assert (found.low, found.high) == (-math.inf, math.inf)
    assert math.isnan(found.mid)


def test_a_statistic_that_never_changes_gives_a_point():
    found = bootstrap_interval(lambda counts: 2.5, 20, draws=50)

    assert (found.low, found.mid, found.high) == (2.5, 2.5, 2.5)


def test_the_range_of_an_area_holds_the_true_one():
    rng = np.random.default_rng(7)
    truth = float(stats.norm.cdf(1 / math.sqrt(2)))
    runs, held = 200, 0
    for run in range(runs):
        up = np.arange(80) < 30
        scores = rng.normal(size=80) + up
        held += auc_bootstrap(scores, up, draws=300, seed=run).contains(truth)

    assert held / runs >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / runs) - 0.01
    assert held / runs <= 0.99
