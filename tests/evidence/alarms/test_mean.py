"""Alarms for means that leave their range: formulas, windows as looks, errors and delays."""

from __future__ import annotations

import math

import numpy as np
import pytest

from everfit.errors import UsageError
from everfit.evidence.alarms.mean import GRID, MeanAlarm, loss_alarm, window_counts
from everfit.evidence.alarms.recursion import Calibration

YEAR = Calibration(looks=1000, alpha=0.05)


def test_the_statistic_is_that_of_the_reference_code():
    # evidence.md B1(g), SRDetector: 12 bets upwards, 12 downwards
    x = np.random.default_rng(0).random(50)
    bets = np.geomspace(0.05, 0.9, 12)
    up, down = np.zeros(12), np.zeros(12)
    for value in x:
        up = (1 + up) * (1 + bets / 0.52 * (value - 0.52))
        down = (1 + down) * (1 - bets / (1 - 0.48) * (value - 0.48))

    state = MeanAlarm(YEAR, high=0.52, low=0.48).replay(x[:, None])

    assert state.statistic[0] == pytest.approx(np.mean([up, down]))
    assert state.looks == 50


@pytest.mark.parametrize("high", [0.001, 0.3, 0.999])
def test_bets_are_fair_at_the_edge_and_never_lose_more_than_they_have(high):
    alarm = MeanAlarm(Calibration(looks=1), high=high, low=high)

    on_one = alarm.step(alarm.start(), [1.0]).wealth[0]
    on_zero = alarm.step(alarm.start(), [0.0]).wealth[0]

    assert high * on_one + (1 - high) * on_zero == pytest.approx(np.ones(24))
    assert (on_zero >= 0).all()
    assert (on_one >= 0).all()


def test_columns_do_not_know_each_other():
    x = np.random.default_rng(1).random((60, 4))
    alarm = MeanAlarm(YEAR, high=0.52, low=0.48)

    together = alarm.replay(x)

    for column in range(4):
        assert alarm.replay(x[:, [column]]).statistic[0] == together.statistic[column]


def test_replay_is_the_same_as_step_by_step():
    x = np.random.default_rng(2).random((60, 4))
    alarm = MeanAlarm(YEAR, high=0.52)
    state = alarm.start(4)

    for row in x:
        state = alarm.step(state, row)

    assert state.as_dict() == alarm.replay(x).as_dict()


def test_a_missing_value_bets_nothing():
    alarm = MeanAlarm(Calibration(looks=10), high=0.5)

    state = alarm.replay([[math.nan], [math.nan]])

    assert state.wealth[0].tolist() == [2.0] * 12


def test_a_window_is_the_product_of_its_values():
    x = np.round(np.random.default_rng(3).random(30), 3)
    alarm = MeanAlarm(YEAR, high=0.5, low=0.5)

    state = alarm.step_window(alarm.start(), window_counts(x)[None, :])

    bets = np.geomspace(0.05, 0.9, 12)
    up = [np.prod(1 + bet / 0.5 * (x - 0.5)) for bet in bets]
    down = [np.prod(1 - bet / 0.5 * (x - 0.5)) for bet in bets]
    assert state.wealth[0] == pytest.approx(np.array(up + down))


def test_values_between_two_steps_never_bet_better_than_exactly():
    x = np.random.default_rng(4).random(500)
    alarm = MeanAlarm(YEAR, high=0.45, low=0.44)
    bets = np.geomspace(0.05, 0.9, 12)

    kept = alarm.step_window(alarm.start(), window_counts(x)[None, :]).wealth[0]

    exact = np.concatenate([
        [np.prod(1 + bet * (x / 0.45 - 1)) for bet in bets],
        [np.prod(1 - bet / 0.56 * (x - 0.44)) for bet in bets],
    ])  # fmt: skip
    assert (kept <= exact * (1 + 1e-12)).all()
    assert kept == pytest.approx(exact, rel=1e-2)


def test_windows_add_up_and_keep_their_mean():
    x = np.random.default_rng(5).random(100)

    counts = window_counts(x)

    assert counts.sum() == pytest.approx(100)
    assert counts @ np.arange(GRID + 1) / GRID == pytest.approx(x.sum())
    assert window_counts(x[:50]) + window_counts(x[50:]) == pytest.approx(counts)
    assert window_counts([math.nan, 1.0]).sum() == 1.0


def test_a_huge_window_of_bad_values_is_an_alarm_and_no_overflow():
    alarm = MeanAlarm(YEAR, high=0.1)

    state = alarm.step_window(alarm.start(), window_counts(np.ones(1_000_000))[None, :])

    assert state.first.tolist() == [1]
    assert np.isfinite(state.statistic).all()


def test_losses_at_the_certified_bound_seldom_ring_and_harm_rings_in_time():
    # evidence.md C6: at .12 1.7% of runs in 10,000 looks; 578 rows to see .18
    rng = np.random.default_rng(6)
    alarm = loss_alarm(0.10, 0.02, Calibration(looks=10_000, alpha=0.05))

    calm = alarm.replay((rng.random((10_000, 200)) < 0.12).astype(float))
    harmed = alarm.replay((rng.random((3000, 200)) < 0.18).astype(float))

    assert calm.alarmed.mean() <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 200)
    assert np.median(np.where(harmed.first > 0, harmed.first, np.inf)) <= 1.25 * 578


def test_years_of_good_losses_do_not_slow_the_alarm():
    rng = np.random.default_rng(7)
    alarm = loss_alarm(0.12, 0.0, Calibration(looks=10_000, alpha=0.05))
    good = alarm.replay((rng.random((5000, 50)) < 0.05).astype(float))

    late = alarm.replay((rng.random((2000, 50)) < 0.18).astype(float), good)

    delay = np.where(late.first > 0, late.first - 5000.0, np.inf)
    assert np.median(delay) <= 1.25 * 578


def test_windows_as_looks_keep_the_error_and_find_harm_as_fast_as_rows():
    rng = np.random.default_rng(8)
    alarm = loss_alarm(0.12, 0.0, Calibration(looks=100, alpha=0.05))

    def after(chance: float, looks: int) -> np.ndarray:
        state = alarm.start(300)
        for _ in range(looks):
            bad = rng.binomial(100, chance, 300).astype(float)
            counts = np.zeros((300, GRID + 1))
            counts[:, GRID], counts[:, 0] = bad, 100 - bad
            state = alarm.step_window(state, counts)
        return state.first

    calm, harmed = after(0.12, 100), after(0.18, 30)

    assert (calm > 0).mean() <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 300)
    assert np.median(np.where(harmed > 0, 100 * harmed, np.inf)) <= 1.25 * 578


@pytest.mark.parametrize(
    "wrong", [{}, {"high": 0.0}, {"high": 1.0}, {"low": 1.0}, {"low": 0.6, "high": 0.5}]
)
def test_a_range_that_is_none_is_refused(wrong):
    with pytest.raises(UsageError, match="cannot be watched"):
        MeanAlarm(YEAR, **wrong)


@pytest.mark.parametrize(("certified", "tolerance"), [(1.2, 0.0), (0.1, -0.1), (0.0, 0.0)])
def test_a_loss_without_a_bound_is_refused(certified, tolerance):
    with pytest.raises(UsageError, match="cannot be watched"):
        loss_alarm(certified, tolerance, YEAR)


def test_a_bound_that_cannot_be_exceeded_makes_a_silent_alarm():
    alarm = loss_alarm(0.95, 0.1, YEAR)

    assert not alarm.replay(np.ones((1000, 1))).alarmed.any()


def test_values_outside_the_bound_are_refused():
    with pytest.raises(UsageError, match="must lie in"):
        MeanAlarm(YEAR, high=0.5).replay([[1.5]])
