"""Strange windows: exact ranks, seasons, replays, and errors on calm streams of four kinds."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy import integrate, signal, special, stats

from everfit.errors import UsageError
from everfit.evidence.alarms.recursion import Calibration
from everfit.evidence.alarms.strange import (
    StrangeAlarm,
    StrangeState,
    conformal_p,
    finest_seasons,
    power_gain,
)
from everfit.evidence.multiple import e_bh

YEAR = Calibration(looks=500, alpha=0.05)


def test_the_gain_is_the_mixture_of_power_bets():
    for p in (1e-6, 0.01, 0.3, 0.9999, 0.99995, 1.0):
        expected, _ = integrate.quad(lambda k, p=p: k * p ** (k - 1), 0, 1)
        assert power_gain(np.array([p]))[0] == pytest.approx(expected, rel=1e-6)


def test_the_gain_is_fair_on_uniform_ranks():
    # substituted p = exp(-s): most of the mean lies at tiny p
    total, _ = integrate.quad(
        lambda s: power_gain(np.array([math.exp(-s)]))[0] * math.exp(-s), 0, 27.6, limit=200
    )
    rest = 1 / 27.6  # what lies below 1e-12: -1/ln p

    assert total == pytest.approx(1 - rest, abs=0.01)


def test_the_rank_is_its_definition():
    rng = np.random.default_rng(0)
    before, x, u = rng.integers(0, 9, (50, 6)).astype(float), np.arange(6.0), rng.random(6)

    found = conformal_p(before, x, u)

    for column in range(6):
        greater = (before[:, column] > x[column]).sum()
        equal = (before[:, column] == x[column]).sum()
        assert found[column] == pytest.approx((greater + u[column] * (equal + 1)) / 51)


def test_ranks_of_a_calm_stream_are_uniform_and_independent():
    rng = np.random.default_rng(1)
    x = rng.integers(0, 4, (80, 500)).astype(float)  # many ties
    p = np.array([conformal_p(x[:t], x[t], rng.random(500)) for t in range(20, 80)])

    assert stats.kstest(p.ravel(), "uniform").pvalue > 0.01
    assert abs(np.corrcoef(p[:-1].ravel(), p[1:].ravel())[0, 1]) < 0.02


def test_missing_scores_have_no_rank_bet_nothing_and_are_not_counted():
    before = np.array([[1.0, math.nan], [2.0, 3.0]])

    p = conformal_p(before, np.array([math.nan, 4.0]), np.array([0.5, 0.5]))

    assert math.isnan(p[0])
    assert p[1] == pytest.approx(0.25)
    assert power_gain(p)[0] == 1.0


def _calm(kind: str, windows: int, runs: int, rows: int = 24) -> np.ndarray:
    """The mean rank of windows of rows (windows, runs) of a stream that does not change."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(runs, windows * rows))
    if kind == "heavy tails":
        x = rng.standard_t(3, size=x.shape)
    if kind == "autocorrelated":
        x = signal.lfilter([0.8], [1, -0.6], x, axis=1)
    x = x.reshape(runs, windows, rows)
    if kind == "seasonal":
        x = x + np.sin(2 * np.pi * np.arange(windows) / 7)[None, :, None]
    return np.asarray(special.ndtr(x).mean(axis=2).T)


@pytest.mark.parametrize("kind", ["independent", "heavy tails", "autocorrelated", "seasonal"])
@pytest.mark.parametrize("side", ["both", "high"])
def test_calm_streams_of_four_kinds_seldom_give_any_alarm(kind, side):
    x = _calm(kind, 620, 300)
    seasons = [t % 7 for t in range(620)]
    alarm = StrangeAlarm(YEAR, side=side)

    state = alarm.replay(alarm.start(x[:120], seasons[:120]), x[120:], seasons[120:])

    assert state.watched.alarmed.mean() <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 300)


@pytest.mark.parametrize(("shift", "windows"), [(0.25, 8), (0.5, 4)])
def test_shifts_are_found_within_a_quarter_more_windows_than_the_anchor(shift, windows):
    # windows of 100 normal rows, changed at window 200 after 100 calibration windows
    rng = np.random.default_rng(3)
    x = special.ndtr(rng.normal(size=(340, 60, 100))).mean(axis=2)
    x[300:] = special.ndtr(rng.normal(shift, size=(40, 60, 100))).mean(axis=2)
    alarm = StrangeAlarm(Calibration(looks=1000, alpha=0.05))

    state = alarm.replay(alarm.start(x[:100]), x[100:])

    first = state.watched.first
    assert (first[first > 0] > 200).all()
    assert np.median(np.where(first > 0, first - 200.0, np.inf)) <= 1.25 * windows


def test_a_season_hides_a_shift_that_its_strata_show():
    x = _calm("seasonal", 520, 60, rows=50)
    x[320:] += 0.07
    seasons = [t % 7 for t in range(520)]
    alarm = StrangeAlarm(YEAR)

    blind = alarm.replay(alarm.start(x[:160]), x[160:])
    seeing = alarm.replay(alarm.start(x[:160], seasons[:160]), x[160:], seasons[160:])

    assert seeing.watched.alarmed.mean() > 0.9 > blind.watched.alarmed.mean() + 0.3


def test_replay_is_the_same_as_step_by_step_through_the_ledger():
    x = np.random.default_rng(4).integers(0, 6, (90, 5)).astype(float)
    x[70, 2] = math.nan
    seasons = [t % 3 for t in range(90)]
    alarm = StrangeAlarm(YEAR, seed=9)
    begun = alarm.start(x[:60], seasons[:60])

    whole = alarm.replay(begun, x[60:], seasons[60:])
    state = begun
    for row, season in zip(x[60:], seasons[60:], strict=True):
        state = alarm.step(state, row, season)
        state = StrangeState.from_dict(json.loads(json.dumps(state.as_dict())))

    assert state.as_dict() == whole.as_dict()


def test_another_seed_breaks_ties_otherwise():
    x = np.zeros((60, 3))

    one, same, other = (
        StrangeAlarm(YEAR, seed=seed).replay(StrangeAlarm(YEAR).start(x[:30]), x[30:]).watched
        for seed in (1, 1, 2)
    )

    assert one.as_dict() == same.as_dict()
    assert one.as_dict() != other.as_dict()


def test_a_season_never_seen_starts_without_evidence():
    alarm = StrangeAlarm(Calibration(looks=1, alpha=0.05))
    state = alarm.start(np.arange(50.0)[:, None], ["weekday"] * 50)

    strange = alarm.step(state, [1e9], "holiday")

    assert strange.watched.statistic[0] < 20
    assert strange.seen["holiday"].tolist() == [[1e9]]


def test_the_e_values_name_the_shifted_columns_and_no_other():
    # evidence.md B4(a): 2 of 20 columns shifted by 0.5 sd
    rng = np.random.default_rng(5)
    x = special.ndtr(rng.normal(size=(320, 20, 100))).mean(axis=2)
    x[300:, :2] = special.ndtr(rng.normal(0.5, size=(20, 2, 100))).mean(axis=2)
    calibration = Calibration(looks=1000, alpha=0.1)
    alarm = StrangeAlarm(calibration)

    before = alarm.replay(alarm.start(x[:100]), x[100:300])
    after = alarm.replay(before, x[300:])

    assert not e_bh(before.watched.e_values(calibration), 0.1).any()
    assert np.flatnonzero(e_bh(after.watched.e_values(calibration), 0.1)).tolist() == [0, 1]


def test_seasons_are_as_fine_as_their_calibration_windows_allow():
    weekday = [day % 7 for day in range(150)]
    hourly = [(day % 7, day % 24) for day in range(150)]

    assert finest_seasons([hourly, weekday]) == 1
    assert finest_seasons([hourly, weekday], least=22) == 2
    assert finest_seasons([weekday], least=21) == 0
    assert finest_seasons([[]]) == 1


def test_windows_that_do_not_fit_are_refused():
    alarm = StrangeAlarm(YEAR)
    state = alarm.start(np.zeros((30, 2)))

    with pytest.raises(UsageError, match="other columns"):
        alarm.step(state, [1.0, 2.0, 3.0])
    with pytest.raises(UsageError, match="seasons do not fit"):
        alarm.start(np.zeros((30, 2)), ["a"])
