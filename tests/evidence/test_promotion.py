"""Verdicts on challengers: total, consistent, and with the stated error over the years."""

from __future__ import annotations

import math

import numpy as np
import pytest

from everfit.errors import UsageError
from everfit.evidence.multiple import gamma_series
from everfit.evidence.promotion import loss_bound, verdict

NAN = float("nan")


def test_a_clearly_better_challenger_is_better():
    rng = np.random.default_rng(0)
    old = rng.gamma(2.0, size=2000)

    found = verdict(0.9 * old, old, alpha=0.05, bound=loss_bound(rng.gamma(2.0, size=500)))

    assert found.answer == "better"
    assert found.gain.low > 0
    assert found.gain.mid == pytest.approx(0.1 * old.mean())
    assert found.log_e >= found.needed_log_e
    assert found.needs is None


def test_a_clearly_worse_challenger_is_not_better():
    old = np.random.default_rng(1).gamma(2.0, size=2000)

    found = verdict(1.1 * old, old, alpha=0.05)

    assert found.answer == "not better"
    assert found.gain.high < 0


def test_a_small_gain_is_inconclusive_and_says_how_many_more():
    rng = np.random.default_rng(2)
    old = rng.gamma(2.0, size=300)

    found = verdict(old + rng.normal(-0.01, 0.1, 300), old, alpha=0.05, bound=10.0)

    assert found.answer == "inconclusive"
    assert found.needs is not None
    assert found.needs > 100
    assert f"{found.needs:,} more" in found.why


def test_the_rows_it_asks_for_are_about_enough():
    rng = np.random.default_rng(3)
    new, old = _pair(400, 0.0, rng)
    new -= 0.03 + (new - old).mean()  # the gain seen is exactly the true one
    first = verdict(new, old, alpha=0.05, bound=5.0)
    assert first.needs is not None

    more = 2 * (400 + first.needs)
    shown = [verdict(*_pair(more, 0.03, rng), alpha=0.05, bound=5.0).answer for _ in range(20)]

    assert shown.count("better") >= 15


def test_a_limit_and_a_total_loss_still_say_how_many_more():
    new = np.array([0.0] * 40 + [1.0] * 10)
    old = np.array([1.0] * 40 + [0.0] * 10)

    found = verdict(new, old, alpha=0.05, bound=1.0, min_gain=0.5)

    assert found.answer == "inconclusive"
    assert found.needs is not None
    assert found.needs > 50


def test_the_same_model_again_is_not_better():
    losses = np.random.default_rng(4).random(100)

    found = verdict(losses, losses, alpha=0.05)

    assert found.answer == "not better"
    assert found.gain.mid == 0.0
    assert found.log_e == pytest.approx(0.0)
    assert "exactly the same" in found.why


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_too_few_units_cannot_be_judged(n):
    found = verdict([0.0] * n, [1.0] * n, alpha=0.05)

    assert found.answer == "cannot be judged"
    assert (found.n, found.gain.high) == (n, math.inf)
    assert found.needs is not None
    assert found.needs > 0
    assert "even a perfect challenger" in found.why


def test_as_many_units_as_it_asks_for_are_enough_for_a_perfect_challenger():
    needs = verdict([], [], alpha=0.05).needs

    assert verdict([0.0] * needs, [1.0] * needs, alpha=0.05).answer == "better"


def test_failed_answers_of_the_challenger_count_as_the_worst_loss():
    old = np.full(400, 0.5)
    new = np.full(400, 0.45)
    new[:100] = NAN

    found = verdict(new, old, alpha=0.05, bound=1.0)

    assert found.answer == "not better"
    assert found.n_failed == 100
    assert "100 answers of the challenger are missing" in found.why


@pytest.mark.parametrize("fill", [NAN, math.inf, 0.0, 1e300])
def test_all_failed_or_odd_losses_still_get_a_verdict(fill):
    for new, old in ((np.full(50, fill), np.zeros(50)), (np.zeros(50), np.full(50, fill))):
        found = verdict(new, old, alpha=0.05)

        assert found.answer in ("better", "not better", "inconclusive", "cannot be judged")
        assert not math.isnan(found.log_e)


def test_everything_failed_on_both_sides_is_not_better():
    assert verdict([NAN] * 50, [NAN] * 50, alpha=0.05).answer == "not better"


def test_a_gain_below_the_smallest_worth_is_not_enough():
    rng = np.random.default_rng(5)
    new, old = _pair(3000, 0.05, rng)

    assert verdict(new, old, alpha=0.05, bound=5.0).answer == "better"
    assert verdict(new, old, alpha=0.05, bound=5.0, min_gain=0.1).answer == "not better"
    assert verdict(new, old, alpha=0.05, bound=5.0, min_gain=9.0).answer == "cannot be judged"


def test_the_low_end_is_above_the_limit_exactly_when_better():
    rng = np.random.default_rng(6)
    for gain in np.linspace(0.0, 0.08, 25):
        found = verdict(*_pair(800, gain, rng), alpha=0.05, bound=5.0, min_gain=0.01)

        assert (found.answer == "better") == (found.gain.low >= 0.01)
        assert found.gain.low <= found.gain.mid <= found.gain.high


def test_rare_huge_losses_beyond_the_bound_stop_a_promotion():
    old = np.random.default_rng(7).random(2000)
    new = old - 0.2
    new[:5] = 1e6

    found = verdict(new, old, alpha=0.05, bound=1.0)

    assert found.answer == "inconclusive"
    assert "very large losses" in found.why


def test_later_challengers_need_more_evidence_and_promotions_give_some_back():
    new, old = _pair(300, 0.05, np.random.default_rng(8))

    first, tenth = (verdict(new, old, alpha=0.05, looks=k) for k in (1, 10))
    refunded = verdict(new, old, alpha=0.05, looks=10, promoted=3)

    assert first.needed_log_e == pytest.approx(-math.log(0.05 * gamma_series(1)))
    assert first.needed_log_e < refunded.needed_log_e < tenth.needed_log_e
    assert first.log_e == tenth.log_e


def test_losses_of_other_units_are_refused():
    with pytest.raises(UsageError, match="same units"):
        verdict([0.1], [0.1, 0.2], alpha=0.05)


def test_the_bound_comes_from_sound_losses():
    assert loss_bound([0.0, 1.0, 1.0]) == 1.0
    assert loss_bound([]) == 1.0
    assert loss_bound([NAN, math.inf]) == 1.0
    assert loss_bound([0.0] * 999 + [3.0]) == 3.0
    assert loss_bound(np.linspace(0, 2, 1001)) == pytest.approx(1.98)


def test_without_a_bound_the_verdict_says_where_it_took_one():
    new, old = _pair(100, 0.0, np.random.default_rng(9))

    assert "taken from these rows" in verdict(new, old, alpha=0.05).why
    assert "taken from these rows" not in verdict(new, old, alpha=0.05, bound=5.0).why


@pytest.mark.parametrize("known_bound", [True, False])
def test_years_of_worthless_challengers_keep_the_error_and_a_peeked_t_test_does_not(known_bound):
    # 3 challengers, each looked at twice while rows arrive; squared errors with heavy tails
    rng = np.random.default_rng(10)
    runs, wrong, wrong_t = 400, 0, 0
    for _ in range(runs):
        any_wrong = any_t = False
        for k in range(1, 4):
            shared = rng.standard_t(4, 300)
            new, old = ((shared + 0.3 * rng.normal(size=300)) ** 2 for _ in range(2))
            bound = loss_bound(rng.standard_t(4, 300) ** 2) if known_bound else None
            for seen in (150, 300):
                found = verdict(new[:seen], old[:seen], alpha=0.2, looks=k, bound=bound)
                any_wrong |= found.answer == "better"
                d = old[:seen] - new[:seen]
                any_t |= bool(d.mean() * math.sqrt(seen) > 1.28 * d.std(ddof=1))  # 10%, one-sided
        wrong += any_wrong
        wrong_t += any_t

    # one-sided t at 10% is half of the 20% that all challengers together may take
    assert wrong / runs <= 0.2 + 3 * math.sqrt(0.2 * 0.8 / runs)
    assert wrong_t / runs > 0.27


def _pair(n: int, gain: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    old = rng.gamma(2.0, size=n)
    return old - gain + rng.normal(0, 0.2, n), old
