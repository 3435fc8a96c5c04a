"""A whole window of losses as one look: kept as a few numbers, replayed exactly for ever after.

The Shiryaev-Roberts recursion ``R' = (1 + R) L`` is affine in R. When evidence may start anew at
the beginning of a window, all rows of the window together are one gain L per bet: its logarithm is
all that has to be kept. The order of rows inside a window then does not matter, so that hours of
the day with larger losses are no alarm; what is tested is the mean of the window.

Rows that hang together (keys with several rows, a memory from row to row) make the mean of a window
vary more than independent rows would. With a variance that is d times as large, ``L^(1/d)`` is a
gain again: exactly for groups of d equal rows (Hoelder), nearly for sums that are nearly normal.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from everfit.errors import UsageError
from everfit.evidence.alarms.recursion import TOP, Calibration, started, step
from everfit.evidence.interval import Floats

N_BETS = 12
BETS = np.geomspace(0.01, 0.9, N_BETS)  # of the bound; small ones see small rises of many rows
RAISED = (1.0, 1.25, 1.6, 2.5)  # times the bound, for hours and days that are known to be worse
BLOCKS = 40  # stretches into which a window is cut to see how far rows hang together
PRIOR = 4  # pairs of windows that the guess from inside the windows counts for
MEMORY = 60  # pairs of windows that are remembered
MOST = 8.0  # one pair counts for at most so much times what was known: a change is no noise


def log_gains(values: ArrayLike, high: float) -> Floats:
    """The log gain of each bet on "the mean of the window is at most ``high``": (4, 12).

    ``sum_i log(1 + bet (x_i / high - 1))`` over values x_i >= 0 (n,), which need no upper bound;
    capping them beforehand makes the bets less wild and never makes an alarm less valid. One row
    for each of the raised bounds ``RAISED * high``.

    Raises
    ------
    UsageError : a value below 0 or not finite, or ``high`` not above 0

    Examples
    --------
    >>> round(float(log_gains([2.0] * 10, 1.0)[0].max()), 2)
    6.42
    """
    x = np.asarray(values, dtype=np.float64).ravel()
    if not (math.isfinite(high) and high > 0) or not (np.isfinite(x) & (x >= 0)).all():
        raise UsageError(
            "losses cannot be held against a bound",
            got=f"bound {high}, losses from {x.min() if len(x) else 0:g}",
            expected="a bound above 0, and finite losses from 0",
        )
    seen, counts = np.unique(x, return_counts=True)
    raised = [counts @ np.log1p(np.outer(seen / (high * k) - 1.0, BETS)) for k in RAISED]
    return np.asarray(raised, dtype=np.float64)


def within(values: ArrayLike, groups: ArrayLike | None = None) -> float:
    """How many times larger than for independent rows the variance of the mean is; 1 or more.

    The larger of two guesses from inside one window: from the groups (n,) of its rows, and from 40
    stretches of rows in time order. A guess counts only where it is beyond chance (2.5 sd).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> within(rng.random(2000)), within(np.repeat(rng.random(500), 4), np.arange(2000) // 4) > 3
    (1.0, True)
    """
    x = np.asarray(values, dtype=np.float64).ravel()
    stretches = np.arange(len(x)) * BLOCKS // max(len(x), 1)
    found = _clustered(x, stretches) if len(x) >= 5 * BLOCKS else 1.0
    if groups is not None:
        found = max(found, _clustered(x, np.asarray(groups).ravel()))
    return found


def _clustered(x: Floats, groups: ArrayLike) -> float:
    _, codes, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    n_groups = len(sizes)
    if n_groups == len(x) or n_groups < 2:
        return 1.0
    pull = np.bincount(codes, weights=x - x.mean())
    alone = float(((x - x.mean()) ** 2).sum())
    if not alone > 0:
        return 1.0
    ratio = n_groups / (n_groups - 1) * float(pull @ pull) / alone
    return ratio if ratio > 1 + 2.5 * math.sqrt(2 / n_groups) else 1.0


@dataclass(frozen=True, slots=True)
class Look:
    """What one window said about one mean: log gains of the bets, and how spread its values were.

    ``log`` is that of :func:`log_gains`, ``within`` that of :func:`within`.
    """

    log: Sequence[Sequence[float]]
    n: int
    mean: float
    sd: float
    within: float = 1.0


def merged(looks: Sequence[Look]) -> Look:
    """Several windows as one, for example those of a week; against the bound that is not raised."""
    n = sum(look.n for look in looks)
    mean = sum(look.n * look.mean for look in looks) / n
    square = sum(look.n * (look.sd**2 + (look.mean - mean) ** 2) for look in looks) / n
    inner = sum(look.n * look.within for look in looks) / n
    log = [sum(bet) for bet in zip(*(look.log[0] for look in looks), strict=True)]
    return Look([log], n, mean, math.sqrt(square), inner)


def dispersions(looks: Sequence[Look | None], expected: float = 0.0) -> Floats:
    """By how much to temper each look (n_looks,): from what was known BEFORE it; 1 or more.

    How much more the means of neighbouring windows differ than their rows explain,
    ``mean((m_t - m_{t-1})^2 / (s^2/n_t + s^2/n_{t-1}))`` over the last 60 pairs, to which the guess
    from inside the windows adds four pairs, with differences of ``expected`` (in the unit of the
    mean) that would be no surprise. Neighbours differ by a lasting change only once.
    """
    out = np.ones(len(looks))
    pairs: deque[float] = deque(maxlen=MEMORY)
    inner: list[float] = []
    squares, rows = 0.0, 0
    last: Look | None = None
    for t, look in enumerate(looks):
        if look is None or look.n < 1:
            continue
        inner = [*inner[-4:], look.within]
        squares, rows = squares + look.n * look.sd**2, rows + look.n
        variance = squares / rows
        guess = sum(inner) / len(inner)
        if variance > 0:
            guess += expected**2 / (2 * variance / look.n)
        out[t] = max(1.0, (PRIOR * guess + sum(pairs)) / (PRIOR + len(pairs)))
        if last is not None and variance > 0:
            gap = (look.mean - last.mean) ** 2 / (variance / look.n + variance / last.n)
            pairs.append(min(gap, MOST * float(out[t])))
        last = look
    return out


def replay(logs: Floats, calibration: Calibration, most: float = TOP) -> Floats:
    """The statistic R of each detector after each look, (n_looks, n_detectors).

    ``logs`` (n_looks, n_detectors, n_bets) are tempered log gains, NaN where a detector saw
    nothing. Evidence starts anew after ``calibration.looks`` looks, the next year. The wealth of a
    bet is cut at ``most``, which can only lower it: more than an alarm needs would only make it
    last longer. The same looks give the same bits, replayed at once or more at each turn.

    Examples
    --------
    >>> looks = np.log([[[0.5]], [[4.0]]])
    >>> replay(looks, Calibration(looks=365, alpha=0.01))[:, 0].tolist()
    [0.5, 6.0]
    """
    n_looks, n_detectors, n_bets = logs.shape
    gains = np.exp(np.minimum(logs, 100.0))
    silent = np.isnan(gains)
    out = np.zeros((n_looks, n_detectors))
    state = started(n_detectors, n_bets)
    for t in range(n_looks):
        if state.looks == calibration.looks:
            state = started(n_detectors, n_bets)
        # a window that tells nothing leaves the evidence as it was: a gain below 1
        still = state.wealth / (1.0 + state.wealth)
        state = step(state, np.where(silent[t], still, gains[t]), calibration)
        wealth = np.minimum(state.wealth, most)
        out[t] = wealth.mean(axis=1)
        state = replace(state, wealth=wealth)
    return out
