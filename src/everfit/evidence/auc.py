"""The area under the ROC curve with DeLong's variance, for one model and for two on the same rows.

DeLong, DeLong & Clarke-Pearson, Biometrics 44, 1988; midranks as in Sun & Xu, 2014.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from everfit.evidence.interval import Floats, Interval


def auc(scores: ArrayLike, positive: ArrayLike, *, weight: ArrayLike | None = None) -> float:
    """P(a positive scores above a negative) + half of P(equal); NaN without both classes.

    With ``weight`` (n,), a pair counts by the product of its two weights.

    Examples
    --------
    >>> auc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    0.75
    """
    if weight is None:
        return _parts(scores, positive)[0]
    s, w = np.asarray(scores, dtype=np.float64), np.asarray(weight, dtype=np.float64)
    up = np.asarray(positive, dtype=np.bool_)
    _, level = np.unique(s, return_inverse=True)
    wins = np.bincount(level, weights=w * up)
    losses = np.bincount(level, weights=w * ~up)
    pairs = wins.sum() * losses.sum()
    below = np.cumsum(losses) - losses
    return float(wins @ (below + losses / 2) / pairs) if pairs > 0 else math.nan


def auc_interval(scores: ArrayLike, positive: ArrayLike, *, level: float = 0.95) -> Interval:
    """The area with its range: DeLong's variance on the logit scale, which stays inside [0, 1].

    Perfect separation has no variance; there the open end is the exact binomial bound for as
    many pairs as the smaller class has rows. Unbounded when a class is absent.
    """
    area, for_positive, for_negative = _parts(scores, positive)
    m, k = len(for_positive), len(for_negative)
    n = m + k
    if not m or not k:
        return Interval(-math.inf, math.nan, math.inf, n=n, level=level)
    error = math.sqrt(_variance(for_positive, for_negative))
    tail = (1 - level) / 2
    if area in (0.0, 1.0) or error == 0.0:
        edge = tail ** (1 / min(m, k))
        low, high = (edge, 1.0) if area >= 0.5 else (0.0, 1 - edge)
        if 0.0 < area < 1.0:  # constant scores: nothing was ranked
            low, high = min(edge / 2, area), 1 - min(edge / 2, area)
        return Interval(low, area, high, n=n, level=level)
    if not math.isfinite(error):
        return Interval(0.0, area, 1.0, n=n, level=level)
    reach = -float(special.ndtri(tail)) * error / (area * (1 - area))
    middle = float(special.logit(area))
    low, high = special.expit(middle - reach), special.expit(middle + reach)
    return Interval(float(low), area, float(high), n=n, level=level)


def auc_gain(
    scores_new: ArrayLike, scores_old: ArrayLike, positive: ArrayLike, *, alpha: float = 0.05
) -> Interval:
    """How much larger the area of the new scores is, paired on the same rows, with its range.

    Examples
    --------
    >>> auc_gain([1, 2, 3, 4], [1, 2, 3, 4], [0, 1, 0, 1]).mid
    0.0
    """
    new, new_positive, new_negative = _parts(scores_new, positive)
    old, old_positive, old_negative = _parts(scores_old, positive)
    n = len(new_positive) + len(new_negative)
    error = math.sqrt(_variance(new_positive - old_positive, new_negative - old_negative))
    if not math.isfinite(error):
        return Interval(-math.inf, new - old, math.inf, n=n, level=1 - alpha)
    reach = -float(special.ndtri(alpha / 2)) * error
    return Interval(new - old - reach, new - old, new - old + reach, n=n, level=1 - alpha)


def auc_differences(
    scores_new: ArrayLike, scores_old: ArrayLike, positive: ArrayLike, rng: np.random.Generator
) -> Floats:
    """One difference in [-1, 1] per positive (n+,), independent, with mean AUC_new - AUC_old.

    Each positive is compared with its own floor(n-/n+) negatives, drawn without replacement (at
    least one; then positives beyond the number of negatives are left out). What a sequential
    test of the area needs: ``sequential.log_e_value`` takes them as they are.
    """
    new, old = np.asarray(scores_new, dtype=np.float64), np.asarray(scores_old, dtype=np.float64)
    is_positive = np.asarray(positive).astype(bool)
    ups = rng.permutation(np.flatnonzero(is_positive))
    downs = rng.permutation(np.flatnonzero(~is_positive))
    if not len(ups) or not len(downs):
        return np.zeros(0)
    each = max(1, len(downs) // len(ups))
    ups = ups[: len(downs) // each]
    blocks = downs[: len(ups) * each].reshape(len(ups), each)
    gain = _wins(new[ups], new[blocks]) - _wins(old[ups], old[blocks])
    return np.asarray(gain.mean(axis=1), dtype=np.float64)


def _wins(up: Floats, down: Floats) -> Floats:
    won = (up[:, None] > down) + 0.5 * (up[:, None] == down)
    return np.asarray(won, dtype=np.float64)


def _parts(scores: ArrayLike, positive: ArrayLike) -> tuple[float, Floats, Floats]:
    """The area, and for each positive and each negative its share of pairs won (placements)."""
    s = np.asarray(scores, dtype=np.float64).ravel()
    is_positive = np.asarray(positive).ravel().astype(bool)
    up, down = s[is_positive], s[~is_positive]
    m, k = len(up), len(down)
    if not m or not k:
        return math.nan, np.zeros(m), np.zeros(k)
    rank = _midranks(s)
    for_positive = (rank[is_positive] - _midranks(up)) / k
    for_negative = 1.0 - (rank[~is_positive] - _midranks(down)) / m
    return float(for_positive.mean()), for_positive, for_negative


def _midranks(values: Floats) -> Floats:
    """Ranks from 1, equal values sharing the mean of theirs."""
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    middle: NDArray[np.float64] = last - (counts - 1) / 2
    return np.asarray(middle[where], dtype=np.float64)


def _variance(for_positive: Floats, for_negative: Floats) -> float:
    if len(for_positive) < 2 or len(for_negative) < 2:
        return math.nan
    up = float(for_positive.var(ddof=1)) / len(for_positive)
    return up + float(for_negative.var(ddof=1)) / len(for_negative)
