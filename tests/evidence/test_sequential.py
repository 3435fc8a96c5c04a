"""Tests that may be looked at for ever: their error over all looks, and their exact values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

from everfit.errors import UsageError
from everfit.evidence.sequential import (
    N_BETS,
    PairedEProcess,
    bets,
    log_e_value,
    lower_bound,
    mcnemar_log_e,
    planned_units,
)


def test_the_e_value_is_the_mean_of_the_bets_wealth():
    d = np.random.default_rng(0).uniform(-1, 1, 30)

    found = log_e_value(d, 0.02)

    wealth = [np.prod(1 + bet * (d + 0.02)) for bet in np.geomspace(0.005, 0.9, N_BETS)]
    assert found == pytest.approx(math.log(np.mean(wealth)))


def test_each_bet_is_fair_at_the_edge_of_the_null():
    # E[1 + bet (d + margin)] = 1 for a two-point d with mean -margin, so E[e] = 1 exactly
    margin, up = 0.1, 0.45
    down = 1 - up

    for bet in bets(margin):
        mean = up * (1 + bet * (1 + margin)) + down * (1 + bet * (-1 + margin))
        assert mean == pytest.approx(1.0)


@pytest.mark.parametrize("margin", [-0.9, -0.2, 0.0, 0.3, 0.9])
def test_no_row_can_make_the_wealth_negative(margin):
    assert (1 + bets(margin) * (-1 + margin) > 0).all()


@pytest.mark.parametrize("margin", [1.0, -1.0, math.nan])
def test_a_margin_outside_the_bound_is_refused(margin):
    with pytest.raises(UsageError, match="margin"):
        bets(margin)


def test_differences_beyond_the_bound_are_refused():
    with pytest.raises(UsageError, match=r"\[-1, 1\]"):
        log_e_value([0.1, 1.5])
    with pytest.raises(UsageError, match=r"\[-1, 1\]"):
        log_e_value([0.1, math.nan])


def test_looking_often_and_looking_once_give_the_same_wealth():
    d = np.random.default_rng(1).choice([-1.0, 0.0, 1.0], 200)
    process = PairedEProcess(0.05)

    for part in np.split(d, 20):
        process.update(part)

    assert process.log_e == pytest.approx(log_e_value(d))
    assert process.log_e == pytest.approx(PairedEProcess(0.05).update(d))
    assert process.n == 200
    assert process.p == pytest.approx(math.exp(-process.best))


def test_a_decision_is_never_taken_back():
    process = PairedEProcess(0.05)

    process.update(np.ones(20))
    process.update(-np.ones(200))

    assert process.decided
    assert process.log_e < 0


def test_ranges_of_process_and_function_agree_on_the_grid():
    d = np.random.default_rng(2).choice([-1.0, -0.5, 0.0, 1.0], 300)
    process = PairedEProcess(0.05)
    process.update(d)

    assert process.lower() == pytest.approx(lower_bound(d, 0.05), abs=1e-6)
    assert process.upper() == pytest.approx(-lower_bound(-d, 0.05), abs=1e-6)
    assert process.lower() < d.mean() < process.upper()


def test_rounding_to_the_grid_can_only_widen_the_range():
    d = np.random.default_rng(3).normal(0.05, 0.2, 400).clip(-1, 1)
    process = PairedEProcess(0.05)
    process.update(d)

    exact = lower_bound(d, 0.05)

    assert exact - 2e-4 <= process.lower() <= exact


@pytest.mark.parametrize("shift", [-0.6, -0.1, 0.0, 0.1, 0.3])
def test_the_lower_bound_inverts_the_test(shift):
    d = np.clip(np.random.default_rng(4).normal(shift, 0.3, 300), -1, 1)

    low = lower_bound(d, 0.05)

    assert log_e_value(d, -(low - 1e-4)) >= -math.log(0.05) > log_e_value(d, -(low + 1e-4))


def test_no_rows_know_nothing():
    assert log_e_value([]) == 0.0
    assert lower_bound([], 0.05) == -1.0
    assert PairedEProcess(0.05).p == 1.0


def test_the_error_holds_over_all_looks_and_a_peeked_t_test_does_not():
    rng = np.random.default_rng(5)
    process_wrong, t_wrong = 0, 0
    for _ in range(400):
        d = rng.choice([-1.0, 0.0, 1.0], 1500, p=[0.05, 0.9, 0.05])
        process = PairedEProcess(0.05)
        for part in np.split(d, 30):
            process.update(part)
        process_wrong += process.decided
        t_wrong += _peeked_t(d, 50)

    assert process_wrong / 400 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)
    assert t_wrong / 400 > 0.15


def test_the_range_holds_at_every_look_also_when_the_mean_moves():
    # the weak null: single rows may favour the new one, only the running mean matters
    rng = np.random.default_rng(6)
    missed = 0
    for _ in range(400):
        chance = 0.5 + 0.3 * np.sin(np.arange(1000) / 60)
        d = (rng.random(1000) < chance).astype(float)
        truth = np.cumsum(chance) / np.arange(1, 1001)
        missed += any(lower_bound(d[:n], 0.05) > truth[n - 1] for n in range(200, 1001, 200))

    assert missed / 400 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)


def test_a_real_gain_is_seen_about_when_it_was_planned():
    rng = np.random.default_rng(7)
    planned = planned_units(0.03, 0.08, 0.05)
    seen = []
    for _ in range(100):
        process = PairedEProcess(0.05)
        while not process.decided and process.n < 5000:
            process.update(rng.choice([-1.0, 0.0, 1.0], 20, p=[0.025, 0.92, 0.055]))
        seen.append(process.n)

    assert 0.6 * planned < np.median(seen) < 1.6 * planned


def test_mcnemar_is_its_integral():
    w, losses = 12, 5

    found = mcnemar_log_e(w, losses)

    prior = stats.beta(0.5, 0.5)

    def wealth(x: float) -> float:
        return (2 * x) ** w * (2 * (1 - x)) ** losses * prior.pdf(x) / 0.5

    assert found == pytest.approx(math.log(integrate.quad(wealth, 0.5, 1)[0]), rel=1e-6)


def test_mcnemar_has_mean_one_under_the_null():
    n = 40
    values = [math.exp(mcnemar_log_e(w, n - w)) for w in range(n + 1)]

    assert np.dot(stats.binom.pmf(range(n + 1), n, 0.5), values) == pytest.approx(1.0)


def test_mcnemar_with_hopeless_or_no_rows_is_defined():
    assert mcnemar_log_e(0, 0) == pytest.approx(0.0)
    assert mcnemar_log_e(0, 5000) < -1000
    assert mcnemar_log_e(5000, 0) > 3000


def test_planned_units_follow_the_formula_and_say_never():
    assert planned_units(0.01, 0.08, 0.05) == math.ceil(2 * 0.08 * (math.log(20) + 1) / 1e-4)
    assert planned_units(0.0, 0.08, 0.05) is None
    assert planned_units(-0.1, 0.08, 0.05) is None
    assert planned_units(0.1, math.nan, 0.05) is None
    assert planned_units(1.0, 0.0, 0.05) < 20


def _peeked_t(d: np.ndarray, step: int) -> bool:
    n = np.arange(1, len(d) + 1)
    mean = np.cumsum(d) / n
    sd = np.sqrt(np.maximum(np.cumsum(d * d) / n - mean**2, 1e-12))
    return bool((mean * np.sqrt(n) > 1.645 * sd)[step - 1 :: step].any())
