"""Ranges of bounded means at every row: brute force, coverage over all looks, width."""

from __future__ import annotations

import math

import numpy as np
import pytest

from everfit.errors import UsageError
from everfit.evidence.bounds import betting
from everfit.evidence.bounds.betting import bernstein_band, hedged_band, plug_in_bets


def test_bets_only_know_the_values_before():
    x = np.random.default_rng(0).random(50)
    other = x.copy()
    other[30:] = 0.0

    one, two = (plug_in_bets(values, 0.05, cut=math.inf) for values in (x, other))

    assert one[0][:31].tolist() == two[0][:31].tolist()
    assert one[1][:31].tolist() == two[1][:31].tolist()
    assert one[0][31:].tolist() != two[0][31:].tolist()


def test_the_closed_form_is_its_formula():
    x = np.random.default_rng(1).random(40)
    means, variances, bets = [0.5], [0.25], []
    total = weighted = cost = squares = 0.0
    for t, value in enumerate(x, 1):
        bet = min(math.sqrt(2 * math.log(40) / (variances[-1] * t * math.log(1 + t))), 0.5)
        bets.append(bet)
        total, weighted = total + bet, weighted + bet * value
        cost += 4 * (value - means[-1]) ** 2 * (-math.log(1 - bet) - bet) / 4
        means.append((0.5 + x[:t].sum()) / (t + 1))
        squares += (value - means[-1]) ** 2
        variances.append((0.25 + squares) / (t + 1))

    found = bernstein_band(x, alpha=0.05).at()

    reach = (math.log(40) + cost) / total
    assert found.low == pytest.approx(max(weighted / total - reach, 0.0))
    assert found.high == pytest.approx(min(weighted / total + reach, 1.0))


def test_the_hedged_range_is_the_search_over_all_means():
    x = (np.random.default_rng(2).random(120) < 0.3).astype(float)
    bets, _ = plug_in_bets(x, 0.05, cut=math.inf)
    alive = []
    for m in np.arange(101) / 100:
        up = np.cumprod(1 + np.minimum(bets, 0.5 / max(m, 1e-12)) * (x - m))
        down = np.cumprod(1 - np.minimum(bets, 0.5 / max(1 - m, 1e-12)) * (x - m))
        if (np.maximum(up, down) / 2 < 20).all():
            alive.append(m)

    found = hedged_band(x, alpha=0.05, grid=100).at()

    assert found.low == pytest.approx(alive[0] - 0.01)
    assert found.high == pytest.approx(alive[-1] + 0.01)


def test_long_data_is_worked_on_in_parts_with_the_same_ranges(monkeypatch):
    x = np.random.default_rng(3).random(300)
    whole = hedged_band(x, grid=200)

    monkeypatch.setattr(betting, "CHUNK", 37)
    parts = hedged_band(x, grid=200)

    assert parts.low.tolist() == whole.low.tolist()
    assert parts.high.tolist() == whole.high.tolist()


@pytest.mark.parametrize("make", [bernstein_band, lambda x: hedged_band(x, grid=200)])
def test_ranges_hold_the_truth_at_every_look_at_once(make):
    rng = np.random.default_rng(4)
    missed = 0
    for _ in range(150):
        band = make((rng.random(500) < 0.2).astype(float))
        missed += bool(((band.low > 0.2) | (band.high < 0.2)).any())

    assert missed / 150 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 150)


def test_betting_is_narrower_than_the_closed_form_and_both_shrink():
    x = np.random.default_rng(5).beta(2, 30, 2000)

    closed, hedged = bernstein_band(x), hedged_band(x)

    for look in (200, 1999):
        wide, narrow = closed.at(look), hedged.at(look)
        assert narrow.high - narrow.low <= wide.high - wide.low + 2e-3
    assert closed.at(1999).high - closed.at(1999).low < 0.03
    assert (np.diff(hedged.high - hedged.low) <= 1e-12).all()


@pytest.mark.parametrize("x", [[1.0] * 50, [0.0] * 50])
def test_equal_values_leave_a_range_at_the_edge(x):
    found = hedged_band(x).at()

    assert found.low <= x[0] <= found.high
    assert found.high - found.low < 0.5


def test_nothing_seen_and_bad_values():
    assert len(bernstein_band([])) == 0
    assert len(hedged_band([])) == 0
    for values in ([0.5, 1.5], [0.5, math.nan]):
        with pytest.raises(UsageError, match="must lie in"):
            bernstein_band(values)
        with pytest.raises(UsageError, match="must lie in"):
            hedged_band(values)
    with pytest.raises(UsageError, match="too coarse"):
        hedged_band([0.5], grid=1)
