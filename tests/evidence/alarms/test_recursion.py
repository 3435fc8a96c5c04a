"""The recursion of alarms: its formulas, its promises, and its state as plain values."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from everfit.errors import UsageError
from everfit.evidence.alarms.recursion import (
    TOP,
    Calibration,
    Watched,
    planned_delay,
    started,
    step,
)
from everfit.evidence.multiple import gamma_series


def _run(gains: np.ndarray, calibration: Calibration) -> Watched:
    state = started(gains.shape[1], gains.shape[2])
    for gain in gains:
        state = step(state, gain, calibration)
    return state


def _gains(looks: int, detectors: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.5, 1.5, (looks, detectors, 3))


def test_shiryaev_roberts_is_the_sum_over_all_starts():
    gains = _gains(30, 2)

    state = _run(gains, Calibration(looks=30))

    products = [np.prod(gains[start:], axis=0) for start in range(30)]
    assert state.wealth == pytest.approx(np.sum(products, axis=0))
    assert state.statistic == pytest.approx(np.sum(products, axis=0).mean(axis=1))


def test_cusum_is_the_best_start():
    gains = _gains(30, 2)

    state = _run(gains, Calibration(looks=30, rule="cusum"))

    products = [np.prod(gains[start:], axis=0) for start in range(30)]
    assert state.wealth == pytest.approx(np.max(products, axis=0))


def test_never_weighs_each_start_and_keeps_what_has_not_started():
    gains = _gains(30, 2)

    state = _run(gains, Calibration(looks=30, promise="never"))

    weights = np.array([gamma_series(k) for k in range(1, 31)])
    products = np.array([np.prod(gains[start:], axis=0) for start in range(30)])
    expected = np.tensordot(weights, products, axes=1).mean(axis=1) + 1 - weights.sum()
    assert state.statistic == pytest.approx(expected)


def test_the_thresholds_are_those_of_the_promises():
    assert Calibration(looks=1000, alpha=0.05).threshold == pytest.approx(20_000)
    assert Calibration(looks=1000, alpha=0.05, promise="run_length").threshold == 1000
    assert Calibration(looks=1000, alpha=0.05, promise="never").threshold == pytest.approx(20)


def test_the_first_alarm_is_kept_and_never_taken_back():
    calibration = Calibration(looks=10, alpha=0.5)  # threshold 20
    gains = np.array([[[4.0]], [[5.0]], [[0.0]], [[1.0]]])

    state = _run(gains, calibration)

    assert state.first.tolist() == [2]
    assert state.alarmed.tolist() == [True]
    assert state.highest.tolist() == [25.0]
    assert state.statistic.tolist() == [1.0]


def test_wealth_without_end_is_cut_and_not_infinite():
    state = _run(np.full((2000, 1, 1), 10.0), Calibration(looks=10))

    assert state.wealth[0, 0] == TOP


def test_the_mean_of_the_evidence_is_at_most_the_number_of_looks():
    # two-point gains of mean 1: E[R_t] = t exactly, and E[R_t]/T is an e-value
    rng = np.random.default_rng(1)
    gains = rng.choice([0.6, 1.4], (50, 20_000, 1))

    state = _run(gains, Calibration(looks=50))

    values = state.e_values(Calibration(looks=50))
    assert values.mean() == pytest.approx(1.0, abs=4 * values.std() / math.sqrt(20_000))


@pytest.mark.parametrize("promise", ["horizon", "never"])
@pytest.mark.parametrize("rule", ["sr", "cusum"])
def test_calm_detectors_seldom_give_any_alarm_in_the_whole_horizon(promise, rule):
    if promise == "never" and rule == "cusum":
        with pytest.raises(UsageError, match="cannot be calibrated"):
            Calibration(looks=10, promise=promise, rule=rule)
        return
    rng = np.random.default_rng(2)
    gains = rng.choice([0.7, 1.3], (400, 2000, 1))

    alarmed = _run(gains, Calibration(400, 0.05, promise, rule)).alarmed.mean()

    assert alarmed <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 2000)


def test_the_mean_time_to_a_false_alarm_is_as_promised_but_alarms_do_come():
    rng = np.random.default_rng(3)
    gains = rng.choice([0.5, 1.5], (3000, 400, 1))

    first = _run(gains, Calibration(looks=200, promise="run_length")).first

    # those without an alarm in 3,000 looks count as 3,000: the mean can only be larger
    assert (first > 0).mean() > 0.9
    assert np.where(first > 0, first, 3000).mean() >= 200


def test_states_survive_the_ledger_bit_for_bit():
    gains = _gains(40, 5)
    calibration = Calibration(looks=40)
    whole = _run(gains, calibration)

    half = _run(gains[:17], calibration)
    half = Watched.from_dict(json.loads(json.dumps(half.as_dict())))
    for gain in gains[17:]:
        half = step(half, gain, calibration)

    assert half.as_dict() == whole.as_dict()


@pytest.mark.parametrize("wrong", [{"looks": 0}, {"looks": 10, "alpha": 0.0}])
def test_promises_of_nonsense_are_refused(wrong):
    with pytest.raises(UsageError, match="cannot be calibrated"):
        Calibration(**wrong)


def test_the_planned_delays_are_those_of_the_anchor():
    # C2: rank means, margin .02, A = 2e6, 24 bets: 888 rows predicted at 0.25 sd, 181 at 0.5 sd
    assert planned_delay(0.0702 - 0.02, 1 / 12, 2e6, 24) == pytest.approx(888, rel=0.02)
    assert planned_delay(0.138 - 0.02, 1 / 12, 2e6, 24) == pytest.approx(181, rel=0.02)
    assert planned_delay(0.0, 1.0, 100) is None
    assert planned_delay(1e-9, 1.0, 100) is None
