"""Ranges at every look for measures without a bound: means, areas, ratios, value in money.

They hold in the limit, as a z-test does, but over all looks together; not below about 100 rows.
Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas, Annals of Statistics 52, 2024.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from everfit.errors import UsageError
from everfit.evidence.bounds.band import Band, checked_alpha, running
from everfit.evidence.interval import Floats

BURN_IN = 100  # rows before which no range is told


def asymptotic_band(values: ArrayLike, *, alpha: float = 0.05, tightest_at: int = 1000) -> Band:
    """The range of the running mean after each value (n,); open for the first 100.

    ``mean +- sd sqrt(2 (t r + 1)/(t^2 r) ln(sqrt(t r + 1)/alpha))``, narrowest near the row
    ``tightest_at``, which has to be chosen beforehand.

    Raises
    ------
    UsageError : a value that is not finite, or ``tightest_at`` below 1

    Examples
    --------
    >>> band = asymptotic_band([0.0, 1.0] * 500)
    >>> print(band.at())
    0.5 (0.452 to 0.548)
    """
    x = _finite(values)
    n, mid = running(x)
    # (n,) the variance so far; a rounding error must not make it negative
    variance = np.maximum(np.cumsum(x**2) / n - mid**2, 0.0)
    return asymptotic_running(mid, variance, alpha=alpha, tightest_at=tightest_at)


def asymptotic_running(
    mid: Floats, variance: Floats, *, alpha: float = 0.05, tightest_at: int = 1000
) -> Band:
    """The same for any estimate that is a mean in the limit: its value and variance so far (n,).

    ``variance`` is that of one row's share in the estimate (its influence), not of the estimate.
    Where either is NaN the range is open.

    Raises
    ------
    UsageError : ``tightest_at`` below 1
    """
    n = np.arange(1.0, len(mid) + 1)
    reach = np.sqrt(variance) * _two_sided(n, _rate(alpha, tightest_at), alpha) / n
    open_yet = (n < BURN_IN) | np.isnan(reach) | np.isnan(mid)
    low = np.where(open_yet, -math.inf, mid - reach)
    high = np.where(open_yet, math.inf, mid + reach)
    return Band(low, mid, high, n, 1 - alpha)


def asymptotic_batches(
    estimates: ArrayLike,
    squared_errors: ArrayLike,
    *,
    alpha: float = 0.05,
    tightest_at: int = 30,
    units: ArrayLike | None = None,
) -> Band:
    """The same for one estimate per batch (n,) with its own squared standard error (n,).

    With nu the sum of squared errors over t batches: ``mean +- (1/t) sqrt(2 (nu r + 1)/r
    ln(sqrt(nu r + 1)/alpha))``. The rate r makes the range narrowest at batch ``tightest_at`` when
    its batches are like the first one, so it is known before the second. Works for areas (DeLong),
    MAE, RMSE and F1 (delta method), money. A batch without an estimate (NaN) is left out.

    Raises
    ------
    UsageError : another number of errors than estimates, or a negative one

    Examples
    --------
    >>> print(asymptotic_batches([0.1, 0.2] * 20, [0.01] * 40).at())
    0.15 (0.1019 to 0.1981)
    """
    x = np.asarray(estimates, dtype=np.float64).ravel()
    squared = np.asarray(squared_errors, dtype=np.float64).ravel()
    rows = np.ones(len(x)) if units is None else np.asarray(units, dtype=np.float64).ravel()
    if not len(x) == len(squared) == len(rows) or (squared < 0).any():
        raise UsageError(
            "batches cannot be read",
            got=f"{len(x)} estimates, {len(squared)} squared errors, {len(rows)} sizes",
            expected="one of each per batch, none below 0",
        )
    known = np.isfinite(x) & np.isfinite(squared)
    t = np.cumsum(known)
    seen = np.maximum(t, 1)
    total = np.cumsum(np.where(known, squared, 0.0))
    mid = np.where(t > 0, np.cumsum(np.where(known, x, 0.0)) / seen, math.nan)
    first = squared[known & (squared > 0)][:1]
    if len(first):
        rate = _rate(alpha, tightest_at * float(first[0]))
        reach = np.where(total > 0, _two_sided(total, rate, alpha) / seen, math.inf)
    else:
        reach = np.full(len(x), math.inf)
    low = np.where(np.isnan(mid), -math.inf, mid - reach)
    high = np.where(np.isnan(mid), math.inf, mid + reach)
    return Band(low, mid, high, np.cumsum(np.where(known, rows, 0.0)), 1 - alpha)


def robbins_band(
    values: ArrayLike, scale: float, *, alpha: float = 0.05, tightest_at: int = 1000
) -> Band:
    """The exact range for values (n,) that are sub-Gaussian with ``scale`` (bounded: (b - a)/2).

    Robbins' normal mixture: ``mean +- (1/t) sqrt((V + r) ln((V + r)/(r alpha^2)))`` with
    V = scale^2 t, and r chosen so that the range is narrowest near row ``tightest_at``.

    Raises
    ------
    UsageError : a value that is not finite, or a scale that is not positive

    Examples
    --------
    >>> print(robbins_band([0.0, 1.0] * 500, 0.5).at())
    0.5 (0.452 to 0.548)
    """
    x = _finite(values)
    if not scale > 0:
        raise UsageError("a scale is none", got=str(scale), expected="a positive number")
    n, mid = running(x)
    variance = scale**2 * n
    prior = 1.0 / _rate(alpha, tightest_at * scale**2)
    reach = np.sqrt((variance + prior) * (np.log1p(variance / prior) - 2 * math.log(alpha))) / n
    return Band(mid - reach, mid, mid + reach, n, 1 - alpha)


def _rate(alpha: float, at: float) -> float:
    """The parameter r that makes a range narrowest where the variance so far is ``at``."""
    if not at > 0:
        raise UsageError("a range cannot be tuned", got=str(at), expected="a row from 1")
    quiet = -2 * math.log(checked_alpha(alpha))
    return (quiet + math.log(quiet + 1)) / at


def _two_sided(variance: Floats, rate: float, alpha: float) -> Floats:
    grown = variance * rate + 1
    return np.asarray(np.sqrt(2 * grown / rate * np.log(np.sqrt(grown) / alpha)), dtype=np.float64)


def _finite(values: ArrayLike) -> Floats:
    x = np.asarray(values, dtype=np.float64).ravel()
    if not np.isfinite(x).all():
        raise UsageError(
            "a running mean needs numbers", got="NaN or infinity", expected="finite values"
        )
    return x
