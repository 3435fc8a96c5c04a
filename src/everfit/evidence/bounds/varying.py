"""The running mean of differences whose means move with time, and its range at every row.

Choe & Ramdas, Comparing sequential forecasters, Operations Research 72, 2024.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from everfit.errors import UsageError
from everfit.evidence.bounds.band import Band, checked_alpha, running
from everfit.evidence.interval import Floats

RANGE = 2.0  # how far a difference in [-1, 1] can be from a guess in [-1, 1]
N_BETS = 24


def varying_log_e(values: ArrayLike, shift: float = 0.0) -> Floats:
    """The log e-value (n,) against "the running mean is at most ``shift``", after each value.

    Values lie in [-1, 1]. ``mean_k exp(lam_k S_t - psi(lam_k) V_t)`` with S_t the sum of
    d - shift, V_t the sum of (d_i - mean_{i-1})^2, psi(l) = (-ln(1 - 2l) - 2l)/4 and 24 geometric
    bets from 0.005 to 0.45.

    Raises
    ------
    UsageError : a value outside [-1, 1] or missing

    Examples
    --------
    >>> bool(varying_log_e([1.0, 0.0] * 100)[-1] > math.log(20))
    True
    """
    d = _signed(values)
    n, mid = running(d)
    sums, spread = np.cumsum(d), np.cumsum((d - _guesses(mid)) ** 2)
    return _mixed(sums - shift * n, spread)


def varying_band(values: ArrayLike, *, alpha: float = 0.05) -> Band:
    """The range of the RUNNING mean of the conditional means after each value (n,) in [-1, 1].

    Both ends invert :func:`varying_log_e` at ``alpha/2``; no stationarity is needed, and
    the running intersection must not be taken.

    Examples
    --------
    >>> print(varying_band([1.0, 0.0] * 500).at())
    0.5 (0.4397 to 0.5603)
    """
    d = _signed(values)
    n, mid = running(d)
    spread = np.cumsum((d - _guesses(mid)) ** 2)
    reach = _reach(spread, math.log(2 / checked_alpha(alpha))) / np.maximum(n, 1.0)
    return Band(np.maximum(mid - reach, -1.0), mid, np.minimum(mid + reach, 1.0), n, 1 - alpha)


def _bets() -> tuple[Floats, Floats]:
    sizes = np.geomspace(0.005, 0.45, N_BETS)
    costs = (-np.log1p(-RANGE * sizes) - RANGE * sizes) / RANGE**2
    return sizes, costs


def _mixed(sums: Floats, spread: Floats) -> Floats:
    sizes, costs = _bets()
    logs = np.multiply.outer(sums, sizes) - np.multiply.outer(spread, costs)
    top = logs.max(axis=-1, keepdims=True)
    mixed = np.log(np.exp(logs - top).mean(axis=-1)) + top[..., 0]
    return np.asarray(mixed, dtype=np.float64)


def _reach(spread: Floats, need: float) -> Floats:
    """The sum S at which the mixture reaches ``need``, by bisection; it rises with S."""
    low = np.zeros(len(spread))
    # the sum at which one bet alone would do it
    sizes, costs = _bets()
    single = (need + math.log(N_BETS) + np.multiply.outer(spread, costs)) / sizes
    high = single.min(axis=1)
    for _ in range(40):
        middle = (low + high) / 2
        above = _mixed(middle, spread) >= need
        high = np.where(above, middle, high)
        low = np.where(above, low, middle)
    return np.asarray(high, dtype=np.float64)


def _guesses(mid: Floats) -> Floats:
    """Each value guessed by the mean of those before it; the first by 0."""
    return np.concatenate([[0.0], mid[:-1]])[: len(mid)]


def _signed(values: ArrayLike) -> Floats:
    d = np.asarray(values, dtype=np.float64).ravel()
    if not (np.abs(d) <= 1 + 1e-12).all():
        raise UsageError(
            "differences must lie in [-1, 1]",
            got=f"values from {np.min(d):g} to {np.max(d):g}",
            expected="differences divided by a bound that was fixed before, none missing",
        )
    return np.clip(d, -1.0, 1.0)
