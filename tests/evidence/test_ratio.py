"""The split is tested before any arm is read: exact values, and the error over all looks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

from everfit.errors import UsageError
from everfit.evidence.ratio import ALPHA, ratio_test

TWO = {"champion": 0.9, "canary": 0.1}
THREE = {"champion": 0.81, "canary": 0.09, "holdout": 0.1}


def test_the_e_value_of_two_arms_is_the_integral_over_all_shares():
    # Jeffreys prior over the canary's share, likelihood against that of the share asked for
    def grown(share: float) -> float:
        return stats.beta.pdf(share, 0.5, 0.5) * (share / 0.1) ** 7 * ((1 - share) / 0.9) ** 23

    expected, _ = integrate.quad(grown, 0, 1)
    found = ratio_test({"champion": 23, "canary": 7}, TWO)

    assert math.exp(found.log_e) == pytest.approx(expected, rel=1e-6)


def test_unit_by_unit_the_wealth_is_the_product_of_its_predictions():
    arms = list(THREE)
    drawn = np.random.default_rng(3).choice(3, size=60, p=list(THREE.values()))

    wealth, counts = 0.0, np.zeros(3)
    for arm in drawn:
        predicted = (counts[arm] + 0.5) / (counts.sum() + 1.5)
        wealth += math.log(predicted / THREE[arms[arm]])
        counts[arm] += 1

    found = ratio_test({arm: int(n) for arm, n in zip(arms, counts, strict=True)}, THREE)
    assert found.log_e == pytest.approx(wealth)


def test_one_more_unit_neither_wins_nor_loses_when_the_split_is_sound():
    counts = {"champion": 41, "canary": 3, "holdout": 6}
    now = math.exp(ratio_test(counts, THREE).log_e)

    after = sum(
        share * math.exp(ratio_test(counts | {arm: counts[arm] + 1}, THREE).log_e)
        for arm, share in THREE.items()
    )

    assert after == pytest.approx(now)


@pytest.mark.parametrize("shares", [[0.9, 0.1], [0.81, 0.09, 0.1], [0.5, 0.5], [0.99, 0.01]])
def test_a_sound_split_that_is_watched_after_every_unit_is_seldom_called_broken(shares):
    runs, units, alpha = 1_000, 2_000, 0.05
    q = np.array(shares)
    drawn = np.random.default_rng(11).choice(len(q), size=(runs, units), p=q)
    log_e = np.zeros((runs, units))
    counts = np.zeros((runs, len(q)))
    for at in range(units):
        arm = drawn[:, at]
        predicted = (counts[np.arange(runs), arm] + 0.5) / (at + 0.5 * len(q))
        log_e[:, at] = np.log(predicted / q[arm])
        counts[np.arange(runs), arm] += 1
    ever = (np.cumsum(log_e, axis=1).max(axis=1) >= -math.log(alpha)).mean()

    # Ville: at most alpha over all looks together; three standard errors of the simulation above
    assert ever <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / runs)
    last = ratio_test(
        {str(i): int(n) for i, n in enumerate(counts[0])}, {str(i): s for i, s in enumerate(shares)}
    )
    assert last.log_e == pytest.approx(log_e[0].sum())


def test_a_canary_that_loses_a_fifth_of_its_keys_is_found():
    rng = np.random.default_rng(5)
    found = 0
    for _ in range(200):
        canary = int(rng.binomial(20_000, 0.08 / 0.98))
        found += ratio_test({"champion": 20_000 - canary, "canary": canary}, TWO).broken

    assert found == 200


def test_nothing_seen_is_no_evidence():
    found = ratio_test({}, TWO)

    assert (found.n, found.log_e, found.p, found.broken) == (0, 0.0, 1.0, False)
    assert math.isnan(found.seen["canary"])


def test_one_unit_in_an_arm_that_should_get_none_is_proof():
    found = ratio_test({"champion": 50, "canary": 1}, {"champion": 1.0, "canary": 0.0})

    assert found.broken
    assert found.p == 0.0


def test_an_arm_that_nobody_asked_for_is_proof_too():
    assert ratio_test({"champion": 50, "shadow": 1}, {"champion": 1.0}).broken


def test_an_error_rate_of_one_percent_is_the_usual():
    at_limit = ratio_test({"champion": 50}, {"champion": 1.0})

    assert at_limit.alpha == ALPHA == 0.01
    assert at_limit.seen == {"champion": 1.0}


@pytest.mark.parametrize(
    ("counts", "shares"),
    [({"a": 1}, {"a": 0.5}), ({"a": -1}, {"a": 1.0}), ({"a": 1}, {"a": 1.5, "b": -0.5})],
)
def test_shares_that_do_not_add_up_and_counts_below_nothing_are_refused(counts, shares):
    with pytest.raises(UsageError, match="split cannot be tested"):
        ratio_test(counts, shares)
