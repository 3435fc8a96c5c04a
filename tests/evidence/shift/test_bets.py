"""Newton bets: the recursion by hand, the error over all looks, and growth when there is a gain."""

from __future__ import annotations

import math

import numpy as np
import pytest

from everfit.errors import UsageError
from everfit.evidence.shift.bets import NewtonBets


def test_three_bets_by_hand():
    bets = NewtonBets()

    bets.update([0.5, -0.2, 1.0])

    step = 2 / (2 - math.log(3))
    # the first bet is 0; after it z = -0.5 and A = 1.25
    second = min(step * 0.5 / 1.25, 0.5)
    won = 1 - 0.2 * second
    z = 0.2 / won
    third = min(max(second - step * z / (1.25 + z * z), 0), 0.5)
    assert bets.log_wealth == pytest.approx(math.log(won) + math.log(1 + third))
    assert bets.n == 3


def test_parts_and_the_whole_give_the_same_wealth_to_the_last_bit():
    f = np.random.default_rng(0).uniform(-1, 1, 500)
    whole, parts = NewtonBets(), NewtonBets()

    whole.update(f)
    for part in np.array_split(f, 7):
        parts.update(part)

    assert whole == parts


def test_growth_gives_the_factors_of_the_wealth():
    f = np.random.default_rng(1).uniform(-0.5, 1, 200)
    bets, other = NewtonBets(), NewtonBets()

    factors = bets.growth(f)

    assert np.log(factors).sum() == pytest.approx(other.update(f))
    assert factors[0] == 1.0


def test_fair_payoffs_seldom_ever_make_wealth_of_twenty():
    rng = np.random.default_rng(2)
    runs, false = 400, 0
    for _ in range(runs):
        bets = NewtonBets()
        bets.update(rng.choice([-1.0, 1.0], 500) * rng.random(500))
        false += bets.decided(0.05)

    assert false / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


def test_a_small_gain_is_found_and_never_taken_back():
    rng = np.random.default_rng(3)
    bets = NewtonBets()
    bets.update(rng.normal(0.1, 0.3, 1000).clip(-1, 1))
    assert bets.decided(0.05)

    bets.update(np.full(200, -1.0))

    assert bets.decided(0.05)
    assert bets.p < 0.05
    assert bets.bet == 0.0


@pytest.mark.parametrize("payoff", [1.1, -2.0, math.nan])
def test_payoffs_beyond_one_are_refused(payoff):
    with pytest.raises(UsageError, match="payoff"):
        NewtonBets().update([payoff])
