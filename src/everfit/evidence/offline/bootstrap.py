"""Ranges of any statistic by resampling rows, or whole groups of rows, within strata: BCa.

Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 14.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from everfit.errors import UsageError
from everfit.evidence.interval import Floats, Interval

Counts = NDArray[np.float64]
DRAWS = 2000
BLOCKS = 200  # left out one after the other for the acceleration; more change its third digit


def bootstrap_interval(
    statistic: Callable[[Counts], float],
    n: int,
    *,
    strata: NDArray[Any] | None = None,
    groups: NDArray[Any] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """The BCa range of ``statistic`` (bias-corrected and accelerated), from ``draws`` resamples.

    ``statistic(counts)`` gets how often each of the n rows counts, (n,): ones for the data as they
    are. To compare two models let it give the difference of both on the same rows.

    Parameters
    ----------
    strata : (n,); each keeps its size in every draw (classes, for an area under a curve)
    groups : (n,); rows of a group are drawn together, because they hang together. A group whose
        rows are in several strata belongs to that of its first row

    Raises
    ------
    UsageError : fewer than two units can be drawn

    Notes
    -----
    Ends are the quantiles ``Phi(z0 + (z0 + z)/(1 - a (z0 + z)))`` of the draws, with
    ``z0 = Phi^-1(share of draws below the estimate)`` and ``a = sum l^3 / (6 (sum l^2)^1.5)`` of
    the changes l when units are left out. Draws where the statistic is NaN do not count.

    Examples
    --------
    >>> x = np.arange(30.0)
    >>> found = bootstrap_interval(lambda w: float(w @ x / w.sum()), 30)
    >>> found.contains(14.5), 2.5 < found.high - found.mid < 3.5
    (True, True)
    """
    unit, stratum = _units(n, strata, groups)
    if len(stratum) < 2:
        raise UsageError(
            "nothing can be resampled",
            got=f"{len(stratum)} units (rows or groups)",
            expected="2 units or more",
        )
    rng = np.random.default_rng(seed)
    middle = float(statistic(np.ones(n)))
    drawn = np.array([statistic(_drawn(stratum, rng)[unit]) for _ in range(draws)], np.float64)
    drawn = np.sort(drawn[np.isfinite(drawn)])
    if not len(drawn) or not math.isfinite(middle):
        return Interval(-math.inf, middle, math.inf, n=n, level=level)
    z0, bend = _bias(drawn, middle), _acceleration(statistic, unit, stratum, rng)
    ends = []
    for share in (0.5 - level / 2, 0.5 + level / 2):
        moved = z0 + float(special.ndtri(share))
        at = float(special.ndtr(z0 + moved / (1 - bend * moved))) if bend * moved < 1 else 1.0
        ends.append(float(np.quantile(drawn, at)))
    return Interval(min(ends[0], middle), middle, max(ends[1], middle), n=n, level=level)


def auc_bootstrap(
    scores: ArrayLike,
    positive: ArrayLike,
    *,
    scores_old: ArrayLike | None = None,
    groups: NDArray[Any] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """The area under the ROC curve, or how much larger it is than that of ``scores_old``.

    Classes are strata. For rows that hang together give their ``groups``, which DeLong's variance
    (``auc.auc_interval``) does not know: that one is for independent rows, and a hundred times
    faster. Groups that hold one class each are drawn within it; mixed ones are drawn freely.

    Examples
    --------
    >>> auc_bootstrap([1, 2, 3, 4, 5, 6], [0, 0, 1, 0, 1, 1], draws=200).mid
    0.888...
    """
    up = np.asarray(positive).ravel().astype(bool)
    new = _area(scores, up)
    old = None if scores_old is None else _area(scores_old, up)

    def area(counts: Counts) -> float:
        return new(counts) - (old(counts) if old else 0.0)

    strata = up if groups is None or _pure(up, groups) else None
    return bootstrap_interval(
        area, len(up), strata=strata, groups=groups, draws=draws, seed=seed, level=level
    )


def _area(scores: ArrayLike, up: NDArray[np.bool_]) -> Callable[[Counts], float]:
    """The area as a function of counts of rows: sorted once, then linear."""
    _, level = np.unique(np.asarray(scores, dtype=np.float64).ravel(), return_inverse=True)

    def area(counts: Counts) -> float:
        wins = np.bincount(level, weights=counts * up)
        losses = np.bincount(level, weights=counts * ~up)
        pairs = wins.sum() * losses.sum()
        below = np.cumsum(losses) - losses / 2
        return float(wins @ below / pairs) if pairs > 0 else math.nan

    return area


def _pure(up: NDArray[np.bool_], groups: NDArray[Any]) -> bool:
    _, code = np.unique(groups, return_inverse=True)
    share = np.bincount(code, weights=up) / np.bincount(code)
    return bool(np.isin(share, (0.0, 1.0)).all())


def _units(
    n: int, strata: NDArray[Any] | None, groups: NDArray[Any] | None
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The unit of each row (n,), and the stratum of each unit."""
    code = np.zeros(n, dtype=np.intp)
    if strata is not None:
        code = np.unique(np.asarray(strata), return_inverse=True)[1]
    if groups is None:
        return np.arange(n), code
    _, first, unit = np.unique(np.asarray(groups), return_index=True, return_inverse=True)
    return unit, code[first]


def _drawn(stratum: NDArray[np.intp], rng: np.random.Generator) -> Counts:
    """How often each unit was drawn, each stratum keeping its number of units."""
    counts = np.zeros(len(stratum))
    for one in range(int(stratum.max()) + 1):
        inside = np.flatnonzero(stratum == one)
        picks = rng.integers(0, len(inside), len(inside))
        counts[inside] = np.bincount(picks, minlength=len(inside))
    return counts


def _bias(drawn: Floats, middle: float) -> float:
    share = float((drawn < middle).mean() + 0.5 * (drawn == middle).mean())
    edge = 0.5 / len(drawn)
    return float(special.ndtri(min(max(share, edge), 1 - edge)))


def _acceleration(
    statistic: Callable[[Counts], float],
    unit: NDArray[np.intp],
    stratum: NDArray[np.intp],
    rng: np.random.Generator,
) -> float:
    """From what changes when units, or blocks of them inside a stratum, are left out."""
    changes = []
    for one in range(int(stratum.max()) + 1):
        inside = rng.permutation(np.flatnonzero(stratum == one))
        # a stratum of one unit cannot lose it
        n_blocks = min(len(inside), max(2, BLOCKS * len(inside) // len(stratum)))
        if n_blocks < 2:
            continue
        left = []
        for block in np.array_split(inside, n_blocks):
            counts = np.ones(len(stratum))
            counts[block] = 0.0
            left.append(statistic(counts[unit]))
        changes.append(np.mean(left) - np.asarray(left))
    change = np.concatenate(changes) if changes else np.zeros(0)
    square = float((change**2).sum())
    if not square > 0:  # nothing changes, or a part without which there is no statistic
        return 0.0
    return float((change**3).sum()) / float(6 * square**1.5)
