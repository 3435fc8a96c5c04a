"""Is a mean loss above its bound? Two detectors together: one by window, one by whole weeks.

Losses have seasons: nights, weekends. A whole week averages over them, so that the slow detector
needs to know nothing about seasons. The fast one looks at every window, and knows which hours and
weekdays were worse in the weeks before; in the first week, when nothing is known yet, it lets
losses be worse by 60%. A weighted mean of the two e-values is an e-value.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from everfit.evidence.alarms.maps import (
    N_BETS,
    RAISED,
    Look,
    dispersions,
    merged,
    replay,
    shares,
)
from everfit.evidence.alarms.recursion import Calibration
from everfit.records import Array

WEEK = timedelta(days=7)
MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
UNKNOWN = 1.6  # how much worse an hour or weekday may be before one whole week was seen
CHANCE = 0.01  # of taking a season for one where there is none
YEAR_S = 365.25 * 86_400
FAST = 0.9  # of the evidence is that of single windows
OVER = 0.01  # of what rang an alarm; when less is left, it is over


def evidence(
    starts: Sequence[datetime],
    looks: Sequence[Sequence[Look | None]],
    expected: Sequence[float],
    *,
    window_s: float,
    alpha: float,
) -> Array:
    """What windows, oldest first, say against "the mean is at most its bound".

    Parameters
    ----------
    starts : of the windows (n_windows,)
    looks : one row per detector, one look or None per window
    expected : per detector, a difference between neighbouring windows that is no surprise
    window_s : length of a window
    alpha : chance of a false alarm in a year, all detectors together; wealth beyond what it needs
        is not kept, so that an alarm is over soon after the loss is below its bound again

    Returns
    -------
    Array : e-values (n_windows, n_detectors), with a mean of at most 1 at any stopping time within
    a year while nothing is above its bound
    """
    n_windows, n_detectors = len(starts), len(looks)
    a_year = max(1, math.ceil(YEAR_S / window_s))
    most = N_BETS * n_detectors / alpha  # one bet alone can ring the alarm
    fast = np.full((n_windows, n_detectors, N_BETS), np.nan)
    seasonal = window_s <= WEEK.total_seconds() / 2
    weeks = _whole_weeks(starts, window_s) if seasonal else []
    for d, row in enumerate(looks):
        tempers = dispersions(row, expected[d])
        allowed = _allowed(starts, row, weeks) if seasonal else [1.0] * n_windows
        for t, look in enumerate(row):
            if look is not None and allowed[t] <= RAISED[-1]:
                fast[t, d] = look.log[bisect_left(RAISED, allowed[t])]
        fast[:, d] /= tempers[:, None]
    starts_of = np.stack([shares(row) for row in looks], axis=1)
    quick = replay(fast, Calibration(looks=a_year), most / FAST * a_year, starts_of) / a_year
    if not seasonal:
        return quick
    return FAST * quick + (1 - FAST) * _weekly(looks, weeks, most / (1 - FAST))


def ringing(e: Array, need: float | Array) -> int | None:
    """The window at which an alarm rang that is not over, None without one.

    ``e`` (n_windows,) of one detector rings at ``need``, and is over when 99% of that are gone.
    """
    begun = None
    for t, rings in enumerate(e >= need):
        if begun is None and rings:
            begun = t
        elif begun is not None and e[t] < OVER * np.broadcast_to(need, e.shape)[t]:
            begun = None
    return begun


def _weekly(
    looks: Sequence[Sequence[Look | None]], blocks: Sequence[Sequence[int]], most: float
) -> Array:
    """The e-value of the weekly detector after each window: that of the last whole week."""
    weeks = math.ceil(YEAR_S / WEEK.total_seconds())
    logs = np.full((len(blocks), len(looks), N_BETS), np.nan)
    begun = np.ones(logs.shape)
    for d, row in enumerate(looks):
        seen = [[look for t in block if (look := row[t]) is not None] for block in blocks]
        wholes = [merged(some) if some else None for some in seen]
        tempers, begun[:, d] = dispersions(wholes), shares(wholes)
        for w, whole in enumerate(wholes):
            if whole is not None:
                logs[w, d] = whole.log[0]
        logs[:, d] /= tempers[:, None]
    path = replay(logs, Calibration(looks=weeks), most * weeks, begun) / weeks
    out = np.zeros((len(looks[0]), len(looks)))
    for w, block in enumerate(blocks):
        out[block[-1] :] = path[w]
    return out


def _whole_weeks(starts: Sequence[datetime], window_s: float) -> list[list[int]]:
    """Positions of the windows of each week that was seen from its first to its last window."""
    weeks: dict[int, list[int]] = {}
    for t, start in enumerate(starts):
        weeks.setdefault(_week(start), []).append(t)
    length = timedelta(seconds=window_s)
    whole = []
    for week, block in weeks.items():
        begin = MONDAY + week * WEEK
        first, last = starts[block[0]], starts[block[-1]]
        if first < begin + length and last + 2 * length > begin + WEEK:
            whole.append(block)
    return whole


def _allowed(
    starts: Sequence[datetime], looks: Sequence[Look | None], blocks: Sequence[Sequence[int]]
) -> list[float]:
    """How many times its bound a window may lose, for each, given the weeks before its own.

    What is known of seasons is taken anew after 1, 2, 4, 8, ... weeks.
    """
    out = [UNKNOWN] * len(starts)
    days, hours = _Phases(), _Phases()
    for number, block in enumerate(blocks, start=1):
        for t in block:
            days.add(starts[t].weekday(), looks[t])
            hours.add(starts[t].hour, looks[t])
        if number & (number - 1):
            continue
        by_day, by_hour = days.factors(), hours.factors()
        for t in range(block[-1] + 1, len(starts)):
            out[t] = by_day.get(starts[t].weekday(), 1.0) * by_hour.get(starts[t].hour, 1.0)
    return out


class _Phases:
    """Losses by hour or weekday: rows, sum, and sum of squares around each window's mean."""

    def __init__(self) -> None:
        self._sums: dict[int, list[float]] = {}

    def add(self, phase: int, look: Look | None) -> None:
        """Count one window."""
        if look is not None:
            held = self._sums.setdefault(phase, [0.0, 0.0, 0.0])
            held[0] += look.n
            held[1] += look.n * look.mean
            held[2] += look.n * look.sd**2 * look.within

    def factors(self) -> dict[int, float]:
        """For each phase, how many times the mean it lost, where phases differ beyond chance."""
        from scipy.special import chdtrc

        if len(self._sums) < 2:
            return {}
        n, total, square = np.array(list(self._sums.values())).T
        mean, variance = total.sum() / n.sum(), square.sum() / n.sum()
        if not (variance > 0 and mean > 0):
            return {}
        own = total / n
        differ = float((n * (own - mean) ** 2).sum() / variance)
        if chdtrc(len(n) - 1, differ) > CHANCE:
            return {}
        high = np.maximum((own + 2 * np.sqrt(variance / n)) / mean, 1.0)
        return dict(zip(self._sums, high.tolist(), strict=True))


def _week(start: datetime) -> int:
    return (start - MONDAY) // WEEK
