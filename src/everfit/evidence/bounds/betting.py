"""Ranges of the mean of values in [0, 1] that hold at every row: by betting, and in closed form.

Waudby-Smith & Ramdas, Estimating means of bounded random variables by betting, JRSS-B 86, 2024.
Both hold when each value's mean given the past is the same. For differences in [-1, 1]
take ``(d + 1)/2`` and stretch the range back.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from everfit.errors import UsageError
from everfit.evidence.bounds.band import Band, checked_alpha, running
from everfit.evidence.interval import Floats

CUT = 0.5  # the largest bet, as a share of what would risk everything
CHUNK = 4096


def bernstein_band(values: ArrayLike, *, alpha: float = 0.05) -> Band:
    """The predictable plug-in empirical Bernstein range after each of the values (n,) in [0, 1].

    ``sum(lam x)/sum(lam) +- (ln(2/alpha) + sum v psi(lam))/sum(lam)`` with
    v_i = 4 (x_i - mean_{i-1})^2 and psi(l) = (-ln(1 - l) - l)/4.

    Raises
    ------
    UsageError : a value outside [0, 1] or missing

    Examples
    --------
    >>> print(bernstein_band([0.0, 1.0] * 500).at())
    0.5 (0.4362 to 0.5623)
    """
    x = _unit(values)
    n, mid = running(x)
    bets, before = plug_in_bets(x, checked_alpha(alpha))
    spread = 4 * (x - before) ** 2
    cost = np.cumsum(spread * (-np.log1p(-bets) - bets) / 4)
    total = np.cumsum(bets)
    centre = np.cumsum(bets * x) / total
    reach = (math.log(2 / alpha) + cost) / total
    low, high = np.maximum(centre - reach, 0.0), np.minimum(centre + reach, 1.0)
    # the weighted centre and the plain mean differ a little; people read the plain mean
    return Band(np.minimum(low, mid), mid, np.maximum(high, mid), n, 1 - alpha)


def hedged_band(values: ArrayLike, *, alpha: float = 0.05, grid: int = 1000) -> Band:
    """The hedged-capital range after each of the values (n,) in [0, 1], ever narrower.

    A mean m is ruled out once ``max(prod(1 + lam+ (x - m)), prod(1 - lam- (x - m)))/2`` reaches
    1/alpha, with plug-in bets cut at ``0.5/m`` and ``0.5/(1 - m)``. Searched on a grid of
    ``grid`` steps, rounded outwards; the running intersection is taken.

    Raises
    ------
    UsageError : a value outside [0, 1] or missing, or a grid below 2 steps

    Examples
    --------
    >>> print(hedged_band([0.0, 1.0] * 500).at())
    0.5 (0.433 to 0.563)
    """
    x = _unit(values)
    if grid < 2:
        raise UsageError("a grid is too coarse", got=str(grid), expected="2 steps or more")
    n, mid = running(x)
    bets, _ = plug_in_bets(x, checked_alpha(alpha), cut=math.inf)
    means = np.arange(grid + 1) / grid
    up_cut = CUT / np.maximum(means, 1e-12)
    down_cut = CUT / np.maximum(1 - means, 1e-12)
    need = math.log(2 / alpha)
    low, high = np.zeros(len(x)), np.ones(len(x))
    up, down = np.zeros(grid + 1), np.zeros(grid + 1)
    alive = np.ones(grid + 1, dtype=bool)
    for start in range(0, len(x), CHUNK):
        part = slice(start, start + CHUNK)
        gap = x[part, None] - means
        size = bets[part, None]
        ups = up + np.cumsum(np.log1p(np.minimum(size, up_cut) * gap), axis=0)
        downs = down + np.cumsum(np.log1p(-np.minimum(size, down_cut) * gap), axis=0)
        kept = np.logical_and.accumulate(np.maximum(ups, downs) < need, axis=0) & alive
        low[part], high[part] = _ends(kept, grid)
        up, down, alive = ups[-1], downs[-1], kept[-1]
    return Band(np.minimum(low, mid), mid, np.maximum(high, mid), n, 1 - alpha).narrowed()


def plug_in_bets(x: Floats, alpha: float, *, cut: float = CUT) -> tuple[Floats, Floats]:
    """The bets (n,) and the means (n,), each from the values BEFORE its own.

    ``lam_t = min(sqrt(2 ln(2/alpha)/(s2_{t-1} t ln(1 + t))), cut)``, with the mean and the variance
    shrunk towards 1/2 and 1/4 by one imaginary value.
    """
    t = np.arange(1.0, len(x) + 1)
    means = (0.5 + np.cumsum(x)) / (t + 1)
    variances = (0.25 + np.cumsum((x - means) ** 2)) / (t + 1)
    before = np.concatenate([[0.5], means[:-1]])[: len(x)]
    earlier = np.concatenate([[0.25], variances[:-1]])[: len(x)]
    sizes = np.sqrt(2 * math.log(2 / alpha) / (earlier * t * np.log1p(t)))
    return np.minimum(sizes, cut), before


def _ends(kept: np.ndarray, grid: int) -> tuple[Floats, Floats]:
    """The lowest and the highest mean still possible, one step further out."""
    any_left = kept.any(axis=1)
    first = np.argmax(kept, axis=1)
    last = grid - np.argmax(kept[:, ::-1], axis=1)
    low = np.where(any_left, np.maximum(first - 1, 0) / grid, 0.0)
    high = np.where(any_left, np.minimum(last + 1, grid) / grid, 1.0)
    return low, high


def _unit(values: ArrayLike) -> Floats:
    x = np.asarray(values, dtype=np.float64).ravel()
    if not ((x >= -1e-12) & (x <= 1 + 1e-12)).all():
        raise UsageError(
            "values of a bounded mean must lie in [0, 1]",
            got=f"values from {np.min(x):g} to {np.max(x):g}",
            expected="values divided by a bound that was fixed before, none missing",
        )
    return np.clip(x, 0.0, 1.0)
