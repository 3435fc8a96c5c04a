"""Levels for decisions that never end: formulas, budgets, and the share of false ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from everfit.errors import UsageError
from everfit.evidence.multiple import gamma_series
from everfit.evidence.online import levels
from everfit.evidence.online.levels import Decision, e_lond, e_lord, lord_plus_plus, saffron

RULES = [e_lond, e_lord, lord_plus_plus, saffron]


def _g(m: int) -> float:
    return 0.0772 * math.log(max(m, 2)) / (m * math.exp(math.sqrt(math.log(m))))


def test_e_lond_is_its_formula():
    history = [Decision(0.1, False), Decision(0.1, True), Decision(0.1, True)]

    assert e_lond(history, 0.1) == pytest.approx(0.1 * gamma_series(4) * 3)


def test_e_lord_spends_a_share_of_what_is_left():
    history = [Decision(0.02, True), Decision(0.03, False), Decision(0.01, True)]

    spent = 0.02 / 1 + 0.03 / 2 + 0.01 / 2
    assert e_lord(history, 0.1) == pytest.approx(0.02 * (0.1 - spent) * 3)


def test_e_lord_pays_back_what_a_clear_answer_did_not_use():
    clear, near, above = (
        e_lord([Decision(0.05, False, e=e)], 0.1, share=0.5) for e in (0.0, 0.75, 3.0)
    )

    assert clear == pytest.approx(0.5 * (0.1 - 0.05))
    assert near == pytest.approx(0.5 * (0.1 - 0.05 * 0.25))
    assert above == pytest.approx(0.5 * 0.1)
    # a rejection has used its level, whatever its e-value
    assert e_lord([Decision(0.05, True, e=50.0)], 0.1, share=0.5) == pytest.approx(0.5 * 0.05 * 2)


def test_lord_is_its_formula():
    history = [Decision(0.1, rejected) for rejected in (False, True, False, True, True, False)]

    expected = _g(7) * 0.005 + 0.045 * _g(7 - 2) + 0.05 * (_g(7 - 4) + _g(7 - 5))
    assert lord_plus_plus(history, 0.05) == pytest.approx(expected)


def test_saffron_is_its_formula():
    p = [0.9, 0.001, 0.3, 0.002, 0.8, 0.45]
    history = [Decision(0.01, value < 0.01, p=value) for value in p]

    # candidates: 2nd, 3rd, 4th, 6th; after the first rejection (2nd) 3, after the second (4th) 1
    expected = 0.005 * _g(7 - 4) + (0.025 - 0.005) * _g(7 - 2 - 3) + 0.025 * _g(7 - 4 - 1)
    assert saffron(history, 0.05) == pytest.approx(expected)


def test_the_weights_sum_to_less_than_one():
    m = np.arange(2, 10_000_000, dtype=np.float64)
    terms = 0.0772 * np.log(m) / (m * np.exp(np.sqrt(np.log(m))))
    total = _g(1) + terms.sum()
    # the tail beyond n, with u = sqrt(ln m): .0772 * 2 exp(-u)(u^3 + 3u^2 + 6u + 6)
    u = math.sqrt(math.log(1e7))
    tail = 0.0772 * 2 * math.exp(-u) * (u**3 + 3 * u**2 + 6 * u + 6)

    assert total + tail <= 1.0


def test_weights_beyond_those_that_are_kept_are_the_same():
    assert levels._weight(3000) == pytest.approx(_g(3000))
    assert levels._weight(100) == pytest.approx(_g(100))


@pytest.mark.parametrize("rule", RULES)
def test_levels_are_levels_and_can_be_worked_out_again(rule):
    rng = np.random.default_rng(0)
    history: list[Decision] = []
    for _ in range(300):
        level = rule(history, 0.1)
        assert 0 <= level <= 1
        history.append(Decision(level, bool(rng.random() < 0.3), p=float(rng.random())))

    assert [rule(history[:t], 0.1) for t in range(300)] == [made.level for made in history]


@pytest.mark.parametrize("rule", RULES)
def test_the_level_falls_without_and_rises_with_a_rejection(rule):
    quiet = [Decision(0.0, False, p=0.9)] * 20
    if rule is e_lord:
        quiet = [Decision(0.002, False)] * 20

    won = [*quiet[:-1], quiet[-1]._replace(rejected=True, p=1e-9)]

    assert rule(quiet, 0.1) < rule([], 0.1)
    assert rule(won, 0.1) > rule(quiet, 0.1)


def _stream(rule, rng: np.random.Generator, n: int = 200) -> tuple[float, float]:
    """FDP and power over tests of which 10% have an effect; e = likelihood ratio of z."""
    history: list[Decision] = []
    true = rng.random(n) < 0.1
    z = rng.normal(size=n) + 4.5 * true
    e, p = np.exp(3.5 * z - 3.5**2 / 2), stats.norm.sf(z)
    for t in range(n):
        level = rule(history, 0.1)
        rejected = p[t] <= level if rule in (lord_plus_plus, saffron) else e[t] * level >= 1
        history.append(Decision(level, bool(rejected), e=float(e[t]), p=float(p[t])))
    found = np.array([made.rejected for made in history])
    return (found & ~true).sum() / max(found.sum(), 1), (found & true).sum() / max(true.sum(), 1)


@pytest.mark.parametrize("rule", RULES)
def test_few_of_those_rejected_are_false_and_many_true_ones_are_found(rule):
    rng = np.random.default_rng(1)

    results = np.array([_stream(rule, rng) for _ in range(60)])

    false, power = results.mean(axis=0)
    assert false <= 0.1 + 3 * results[:, 0].std() / math.sqrt(60)
    assert power > 0.4


def test_a_flat_level_would_not_keep_that_share():
    # the mutation of the test above
    rng = np.random.default_rng(1)

    assert np.mean([_flat(rng) for _ in range(60)]) > 0.2


def _flat(rng: np.random.Generator, n: int = 200) -> float:
    true = rng.random(n) < 0.1
    found = stats.norm.sf(rng.normal(size=n) + 4.5 * true) < 0.05
    return float((found & ~true).sum() / max(found.sum(), 1))


def test_nonsense_is_refused():
    for rule in RULES:
        with pytest.raises(UsageError, match="error rate"):
            rule([], 0.0)
    with pytest.raises(UsageError, match="share is none"):
        e_lord([], 0.1, share=1.0)
    with pytest.raises(UsageError, match="p-value of every earlier"):
        saffron([Decision(0.1, True)], 0.1)
