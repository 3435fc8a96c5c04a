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
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from everfit.errors import UsageError
from everfit.evidence.alarms.recursion import TOP, Calibration, started, step
from everfit.evidence.interval import Floats

N_BETS = 12
BETS = np.geomspace(0.01, 0.9, N_BETS)  # of the bound; small ones see small rises of many rows
RAISED = (1.0, 1.25, 1.6, 2.5)  # times the bound, for hours and days that are known to be worse
BLOCKS = 40  # stretches into which a window is cut to see how far rows hang together
SHORTEST, FEWEST = 5, 8  # rows of a stretch, and stretches that can tell
PRIOR = 4  # pairs of windows that the guess from inside the windows counts for
MEMORY = 240  # windows and their pairs that are remembered
SURE_INSIDE, SURE = 2.0, 1.0  # standard errors beyond which windows differ more than by chance
# the newest windows show rows that begin to hang together, which a year of calm ones would hide
NEWEST, SURE_NEWEST = 5, 2.5
MOST = 8.0  # one pair counts for at most so much times what was known: a change is no noise
USUAL_RISE, ABOUT = 1.5, 0.7  # standard errors of a window's mean, seen after about nine windows
LEAST_SHARE = 1e-3


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
    """How many times larger than for independent rows the variance of the mean seems to be.

    From up to 40 stretches of rows in time order, of 5 rows or more: 1 on average for independent
    rows, and as chance has it above or below in one window; 1 below 40 rows. From the groups (n,)
    of the rows instead where that is larger and beyond chance (2.5 sd).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> within(rng.random(30)), within(np.repeat(rng.random(500), 4), np.arange(2000) // 4) > 3
    (1.0, True)
    """
    x = np.asarray(values, dtype=np.float64).ravel()
    cut = _stretches(len(x))
    found = _clustered(x, np.arange(len(x)) * cut // len(x), cut) if cut else 1.0
    if groups is not None:
        _, codes = np.unique(np.asarray(groups).ravel(), return_inverse=True)
        n_groups = int(codes.max()) + 1 if len(codes) else 0
        ratio = _clustered(x, codes, n_groups)
        if ratio > 1 + 2.5 * math.sqrt(2 / max(n_groups, 1)):
            found = max(found, ratio)
    return found


def _stretches(n: int) -> int:
    """Into how many stretches a window of so many rows is cut; 0 when they could not tell."""
    cut = min(BLOCKS, n // SHORTEST)
    return cut if cut >= FEWEST else 0


def _clustered(x: Floats, codes: NDArray[np.int64], n_groups: int) -> float:
    """The variance of the mean over groups, in that of independent rows."""
    if n_groups == len(x) or n_groups < 2:
        return 1.0
    off = x - x.mean()
    alone = float(off @ off)
    if not alone > 0:
        return 1.0
    pull = np.bincount(codes, weights=off)
    return n_groups / (n_groups - 1) * float(pull @ pull) / alone


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
    ``mean((m_t - m_{t-1})^2 / (s^2/n_t + s^2/n_{t-1}))`` over the last 240 pairs, to which the mean
    guess from inside these windows, or the newest five, adds four pairs, with differences of
    ``expected`` (in the unit of the mean) that would be no surprise. Either counts where it is
    beyond chance: it would else only make alarms late. Neighbours differ by a lasting change only
    once.
    """
    out = np.ones(len(looks))
    pairs: deque[float] = deque(maxlen=MEMORY)
    inner: deque[tuple[float, int]] = deque(maxlen=MEMORY)
    newest: deque[tuple[float, int]] = deque(maxlen=NEWEST)
    squares, rows = 0.0, 0
    last: Look | None = None
    for t, look in enumerate(looks):
        if look is None or look.n < 1:
            continue
        # without stretches the guess is 1, or that of groups, which is beyond chance already
        for kept in (inner, newest):
            kept.append((look.within, _stretches(look.n) or FEWEST))
        squares, rows = squares + look.n * look.sd**2, rows + look.n
        variance = squares / rows
        inside = max(_inside(inner, SURE_INSIDE), _inside(newest, SURE_NEWEST))
        guess = inside
        if variance > 0:
            guess += expected**2 / (2 * variance / look.n)
        known = PRIOR + len(pairs)
        between = (PRIOR * guess + sum(pairs)) / known
        out[t] = max(inside, between if between > 1 + SURE * math.sqrt(3 / known) else 1.0)
        if last is not None and variance > 0:
            gap = (look.mean - last.mean) ** 2 / (variance / look.n + variance / last.n)
            pairs.append(min(gap, MOST * float(out[t])))
        last = look
    return out


def _inside(guesses: Collection[tuple[float, int]], sure: float) -> float:
    """The mean of guesses from so many stretches each, 1 where chance explains it."""
    mean = sum(found for found, _ in guesses) / len(guesses)
    stretches = sum(cut for _, cut in guesses)
    return mean if mean > 1 + sure * math.sqrt(2 / stretches) else 1.0


def shares(looks: Sequence[Look | None]) -> Floats:
    """How much of the evidence that starts at each look falls to each bet (n_looks, 12); mean 1.

    A bet b suits a rise of ``b sd sqrt(n) / mean`` standard errors of a window's mean. Rises far
    below 1.5 would take a year, those far above are seen at once by smaller bets as well; so bets
    in between get more (log-normal). From windows BEFORE the look, all alike at the first.

    Examples
    --------
    >>> day = Look((), n=100, mean=0.12, sd=0.325)
    >>> shares([day, day]).round(1)[:, [0, 5, 11]].tolist()
    [[1.0, 1.0, 1.0], [0.1, 2.5, 0.0]]
    """
    held = [(look.n, look.mean, look.sd) if look else (0, 0.0, 0.0) for look in looks]
    n, mean, sd = np.array(held, dtype=np.float64).reshape(-1, 3).T
    rows, seen = np.cumsum(n), np.cumsum(n > 0)
    total, squares = np.cumsum(n * mean), np.cumsum(n * sd**2)
    known = (total > 0) & (squares > 0)
    # rows per window times variance over squared mean, all of them of the windows so far
    spread = np.sqrt(np.where(known, squares * rows**2 / np.maximum(seen, 1), 1.0))
    rises = np.outer(spread / np.where(known, total, 1.0), BETS)
    weights = np.exp(-0.5 * (np.log(rises / USUAL_RISE) / ABOUT) ** 2) + LEAST_SHARE
    weights /= weights.mean(axis=1, keepdims=True)
    out = np.ones((len(held), N_BETS))
    out[1:] = np.where(known[:-1, None], weights[:-1], 1.0)
    return out


def replay(
    logs: Floats, calibration: Calibration, most: float = TOP, starts: Floats | None = None
) -> Floats:
    """The statistic R of each detector after each look, (n_looks, n_detectors).

    ``logs`` (n_looks, n_detectors, n_bets) are tempered log gains, NaN where a detector saw
    nothing; ``starts``, of the same shape, are the :func:`shares` of bets in new evidence, all
    alike without. Evidence starts anew after ``calibration.looks`` looks, the next year. The wealth
    of a bet is cut at ``most``, which can only lower it: more than an alarm needs would only make
    it last longer. The same looks give the same bits, replayed at once or more at each turn.

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
        fresh = 1.0 if starts is None else starts[t]
        # a window that tells nothing leaves the evidence as it was: a gain below 1
        still = state.wealth / (fresh + state.wealth)
        state = step(state, np.where(silent[t], still, gains[t]), calibration, fresh)
        wealth = np.minimum(state.wealth, most)
        out[t] = wealth.mean(axis=1)
        state = replace(state, wealth=wealth)
    return out
