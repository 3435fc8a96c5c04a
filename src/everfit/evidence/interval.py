"""A number with its 95% range, and the range of a mean."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A number and the range that holds the truth with the stated share (95% by default).

    ``low``, ``mid`` and ``high`` are in the unit of what is measured; ``n`` is the number of
    units (rows, users, queries) behind it, 0 when unknown.

    Examples
    --------
    >>> Interval(0.41, 0.43, 0.45, n=700).contains(0.44)
    True
    """

    low: float
    mid: float
    high: float
    n: int = 0
    level: float = 0.95

    def contains(self, value: float) -> bool:
        """Whether ``value`` lies inside the range, ends included."""
        return self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{self.mid:.4g} ({self.low:.4g} to {self.high:.4g})"


@dataclass(frozen=True, slots=True)
class Spread:
    """A mean with its standard error and the degrees of freedom of that error.

    ``error`` is NaN when it cannot be told (fewer than two independent units), and so is ``mean``
    without any unit; ``n`` counts rows.
    """

    mean: float
    error: float
    freedom: float
    n: int

    def interval(self, level: float = 0.95, *, inflation: float = 1.0) -> Interval:
        """Student's range of the mean, the variance multiplied by ``inflation``.

        Unbounded on both sides when the error cannot be told.
        """
        if not math.isfinite(self.error):
            return Interval(-math.inf, self.mean, math.inf, n=self.n, level=level)
        reach = self.error * math.sqrt(inflation)
        reach *= t_quantile(0.5 + level / 2, self.freedom) if reach else 0.0
        return Interval(self.mean - reach, self.mean, self.mean + reach, n=self.n, level=level)

    def p_above(self, limit: float = 0.0, *, inflation: float = 1.0) -> float:
        """One-sided p of the null "the true mean is at most ``limit``"; 1 when nothing is known."""
        if not math.isfinite(self.error):
            return 1.0
        if self.error == 0.0:
            return 0.0 if self.mean > limit else 1.0
        t = (self.mean - limit) / (self.error * math.sqrt(inflation))
        return t_tail(t, self.freedom)


def mean_of(values: ArrayLike, weight: ArrayLike | None = None) -> float:
    """The weighted mean; the plain one when no value has weight, NaN when there is none.

    Examples
    --------
    >>> mean_of([1.0, 3.0], [1.0, 0.0]), mean_of([1.0, 3.0], [0.0, 0.0])
    (1.0, 2.0)
    """
    x = np.asarray(values, dtype=np.float64)
    w = None if weight is None else np.asarray(weight, dtype=np.float64)
    if not len(x):
        return math.nan
    return float(np.average(x, weights=w if w is not None and w.sum() > 0 else None))


def spread(
    values: ArrayLike, *, weight: ArrayLike | None = None, groups: NDArray[Any] | None = None
) -> Spread:
    """The (weighted) mean of ``values`` (n,) with a standard error that holds for groups of rows.

    The error is the linearised (sandwich) one: with residuals e and weights w,
    ``var = G/(G-1) * sum_g (sum_{i in g} w_i e_i)^2 / (sum w)^2`` over G groups; without groups
    each row is its own, which gives the textbook ``s^2/n`` for equal weights. Degrees of freedom
    are those of Kish's effective number of groups, less one.

    Examples
    --------
    >>> spread([1.0, 2.0, 3.0]).mean
    2.0
    """
    x = np.asarray(values, dtype=np.float64).ravel()
    w = np.ones_like(x) if weight is None else np.asarray(weight, dtype=np.float64).ravel()
    total = float(w.sum())
    if not len(x) or not total > 0:
        return Spread(math.nan, math.nan, math.nan, 0)
    mean = float(w @ x) / total
    pull = w * (x - mean)
    if groups is not None:
        _, codes = np.unique(groups, return_inverse=True)
        pull = np.bincount(codes, weights=pull).astype(np.float64)
        w = np.bincount(codes, weights=w).astype(np.float64)
    held = int(np.count_nonzero(w))
    if held < 2:
        return Spread(mean, math.nan, math.nan, len(x))
    variance = held / (held - 1) * float(pull @ pull) / total**2
    # equal values leave rounding noise behind, which must not look like a measured spread
    noise = (4 * np.finfo(np.float64).eps * max(abs(mean), float(np.abs(x).max()))) ** 2
    effective = total**2 / float(w @ w)
    error = math.sqrt(variance) if variance > noise else 0.0
    return Spread(mean, error, max(effective - 1.0, 1e-3), len(x))


def t_quantile(share: float, freedom: float) -> float:
    """The quantile of Student's t at ``share`` in (0, 1) with ``freedom`` degrees of freedom."""
    # here, not above: every record imports this file, and scipy.special costs 0.1 s
    from scipy.special import stdtrit

    return float(stdtrit(freedom, share))


def t_tail(t: float, freedom: float) -> float:
    """P(T > t) for Student's t with ``freedom`` degrees of freedom."""
    from scipy.special import stdtr

    return float(stdtr(freedom, -t))
