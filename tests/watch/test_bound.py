"""Above the bound or not: quiet while nothing changes, whatever the season; quick when it does."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from everfit.evidence.alarms.maps import Look, log_gains, within
from everfit.watch.bound import evidence, ringing
from tests.watch.matured_traffic import MONDAY

HOUR, DAY = 3_600.0, 86_400.0
MEAN = 0.12
ALPHA = 0.05


def iid(rng, n, at):
    return (rng.random(n) < MEAN).astype(float)


def heavy(rng, n, at):
    return np.abs(rng.standard_t(3, n)) ** 2 / 10


def remembering(rng, n, at):
    from scipy.signal import lfilter

    return np.exp(0.5 * lfilter([1], [1, -0.6], rng.normal(size=n + 50))[50:])


def by_key(rng, n, at):
    return np.repeat((rng.random(n // 5) < MEAN).astype(float), 5)


def weekly(rng, n, at):
    return (rng.random(n) < MEAN * (1.3 if at.weekday() >= 5 else 0.88)).astype(float)


def daily(rng, n, at):
    return (rng.random(n) < MEAN * (1 + 0.5 * np.sin(2 * np.pi * at.hour / 24))).astype(float)


STREAMS = {
    "independent rows": (iid, DAY, 100),
    "heavy tails": (heavy, DAY, 100),
    "rows that remember": (remembering, DAY, 100),
    "five rows a key": (by_key, DAY, 100),
    "weekends, small windows": (weekly, DAY, 100),
    "weekends, large windows": (weekly, DAY, 2000),
    "nights, windows of an hour": (daily, HOUR, 200),
}


def starts_of(n, window_s):
    return [MONDAY + timedelta(seconds=window_s * t) for t in range(n)]


def bound_of(draw, rng, window_s):
    """As at a release: 95% upper end of the loss on 5,000 rows or more of whole weeks, plus 5%."""
    n = int(7 * DAY / window_s) * 2
    seen = np.concatenate([draw(rng, -(-5000 // n // 5) * 5, at) for at in starts_of(n, window_s)])
    return (seen.mean() + 1.96 * seen.std() / np.sqrt(len(seen))) * 1.05, np.quantile(seen, 0.99)


def looks_of(draw, rng, starts, rows, bound, top, *, changed=None, since=10**9):
    looks = []
    for t, at in enumerate(starts):
        x = draw(rng, rows, at) if changed is None or t < since else changed(rng, rows)
        x = np.minimum(x, 4 * max(top, bound))
        groups = np.arange(rows) // 5 if draw is by_key else None
        looks.append(Look(log_gains(x, bound), rows, x.mean(), x.std(), within(x, groups)))
    return looks


def e_of(starts, looks, expected=0.0, window_s=DAY):
    return evidence(starts, [looks], [expected], window_s=window_s, alpha=ALPHA)[:, 0]


def rang(starts, looks, window_s=DAY):
    return ringing(e_of(starts, looks, window_s=window_s), 1 / ALPHA)


def alarmed(name, seeds, n_windows):
    draw, window_s, rows = STREAMS[name]
    starts = starts_of(n_windows, window_s)
    rung = 0
    for seed in seeds:
        rng = np.random.default_rng(seed)
        bound, top = bound_of(draw, rng, window_s)
        looks = looks_of(draw, rng, starts, rows, bound, top)
        rung += bool((e_of(starts, looks, 0.05 * bound, window_s) >= 1 / ALPHA).any())
    return rung


@pytest.mark.parametrize("name", STREAMS)
def test_nothing_rings_while_nothing_changes(name):
    assert alarmed(name, range(4), 120) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["independent rows", "heavy tails", "rows that remember", "nights, windows of an hour"],
)
def test_over_a_thousand_looks_few_of_four_hundred_streams_ring(name):
    limit = 400 * ALPHA + 3 * np.sqrt(400 * ALPHA * (1 - ALPHA))

    assert alarmed(name, range(400), 1000) <= limit


def test_without_a_tolerance_a_loss_above_its_bound_does_ring():
    starts = starts_of(120, DAY)
    rng = np.random.default_rng(0)
    looks = looks_of(iid, rng, starts, 2000, 0.9 * MEAN, 1.0)

    assert (e_of(starts, looks) >= 1 / ALPHA).any()


def test_a_rise_is_seen_within_the_planned_rows():
    starts = starts_of(120, DAY)
    rows = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        worse = looks_of(
            iid, rng, starts, 100, MEAN, 1.0,
            changed=lambda rng, n: (rng.random(n) < 0.18).astype(float), since=60,
        )  # fmt: skip
        found = rang(starts, worse)
        assert found is None or found >= 60
        rows.append(100 * (found - 59) if found is not None else np.inf)

    # planned: 2 s2 (ln(A g) + ln 12)/gap^2 is about 660 rows, and windows are of 100 rows
    assert np.median(rows) <= 800


def test_a_loss_that_doubles_in_the_first_week_rings_at_once():
    starts = starts_of(5, DAY)
    rng = np.random.default_rng(0)
    looks = looks_of(
        iid, rng, starts, 2000, 1.05 * MEAN, 1.0,
        changed=lambda rng, n: (rng.random(n) < 2.5 * MEAN).astype(float), since=2,
    )  # fmt: skip

    assert rang(starts, looks) == 2


def test_a_rise_in_every_hour_of_a_seasonal_stream_is_seen():
    starts = starts_of(24 * 28, HOUR)
    rng = np.random.default_rng(0)
    looks = looks_of(daily, rng, starts[: 24 * 21], 200, 1.08 * MEAN, 1.0)
    for at in starts[24 * 21 :]:
        x = np.minimum(daily(rng, 200, at) + (rng.random(200) < 0.06), 1.0)
        looks.append(Look(log_gains(x, 1.08 * MEAN), 200, x.mean(), x.std()))

    found = rang(starts, looks, HOUR)

    assert found is not None
    assert 24 * 21 <= found < 24 * 28


def test_windows_of_a_month_have_no_weeks_to_average_over():
    starts = starts_of(24, 30 * DAY)
    rng = np.random.default_rng(0)
    looks = looks_of(
        iid, rng, starts, 500, 1.1 * MEAN, 1.0,
        changed=lambda rng, n: (rng.random(n) < 0.3).astype(float), since=12,
    )  # fmt: skip

    assert rang(starts, looks, 30 * DAY) == 12


def test_the_past_is_not_rewritten_by_what_comes_later():
    starts = starts_of(60, DAY)
    looks = looks_of(weekly, np.random.default_rng(0), starts, 300, 0.11, 1.0)

    whole = e_of(starts, looks)

    for t in (1, 6, 7, 8, 30, 59):
        # a week is whole only when its last window is there, whenever it is replayed
        assert np.array_equal(e_of(starts[:t], looks[:t]), whole[:t])


def test_an_alarm_is_over_some_time_after_the_loss_is_sound_again():
    starts = starts_of(120, DAY)
    rng = np.random.default_rng(0)
    looks = looks_of(iid, rng, starts[:40], 500, 1.1 * MEAN, 1.0)
    looks += looks_of(lambda rng, n, at: np.ones(n), rng, starts[40:60], 500, 1.1 * MEAN, 1.0)
    looks += looks_of(iid, rng, starts[60:], 500, 1.1 * MEAN, 1.0)

    assert rang(starts[:60], looks[:60]) == 40
    assert rang(starts, looks) is None


def test_gaps_in_the_traffic_are_no_evidence():
    starts = starts_of(40, DAY)
    looks = looks_of(iid, np.random.default_rng(0), starts, 100, 0.13, 1.0)
    with_gap = [*looks[:10], *([None] * 20), *looks[30:]]

    found = e_of(starts, with_gap)

    # the week in which the gap begins still ends; from then on nothing moves
    assert (found[14:30] == found[14]).all()
    assert ringing(found, 1 / ALPHA) is None
