"""Ranges around answers, learnt from answers to rows that the fits had not seen.

Answers are cut into bins, so that a range is wide where answers are poor and narrow where they are
good. What is learnt are two offsets a bin, which are added to the answer.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from everfit.evidence.interval import spread

Floats = NDArray[np.float64]
Z = 1.959963984540054  # of the 95% range of a normal distribution
IN_A_BIN = 200  # the 5th smallest and largest of 200 residuals bound a 95% range
MOST_BINS = 50


class Offsets(NamedTuple):
    """Offsets of bins of the answer: bin i ends before ``edges[i]``, the last has no end."""

    edges: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def outcome_offsets(
    answers: ArrayLike, outcomes: ArrayLike, *, weight: ArrayLike | None = None
) -> Offsets | None:
    """95% ranges of the outcome, as offsets to the answer; None for fewer than 39 rows.

    Split conformal prediction within bins of the answer (Mondrian): in each bin the 2.5% quantiles
    of outcome - answer on both sides, with the correction for finite samples: of n residuals the
    floor(0.025 (n + 1))-th smallest and largest. A new row, exchangeable with those of its bin,
    lies inside with a probability of 95% or more, whatever the distribution.

    Parameters
    ----------
    answers, outcomes : (n,), of rows that the fit behind the answer had not seen
    weight : (n,), 0 or more; a new row weighs what the average of its bin does

    References
    ----------
    .. [1] Vovk, Gammerman and Shafer (2005), Algorithmic Learning in a Random World, Springer.
    .. [2] Lei et al. (2018), Distribution-free predictive inference for regression, JASA 113.

    Examples
    --------
    >>> outcome_offsets(np.zeros(39), np.arange(39.0) - 19.0)
    Offsets(edges=(), low=(-19.0,), high=(19.0,))
    """
    x, y = np.asarray(answers, dtype=np.float64), np.asarray(outcomes, dtype=np.float64)
    w = np.ones_like(x) if weight is None else np.asarray(weight, dtype=np.float64)
    x, y, w = _usable(x, y, w)
    edges = _edges(x)
    where = np.searchsorted(edges, x, side="right")
    ends = []
    for number in range(len(edges) + 1):
        inside = where == number
        found = _tails(y[inside] - x[inside], w[inside])
        if found is None:
            return None
        ends.append(found)
    return Offsets(tuple(edges), tuple(low for low, _ in ends), tuple(high for _, high in ends))


def share_offsets(
    probabilities: ArrayLike,
    hits: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    groups: NDArray[np.generic] | None = None,
) -> Offsets | None:
    """95% ranges of the true probability, as offsets to the stated one; None without rows.

    Wilson's range of the share of hits in each bin of the stated probability, widened where it
    would leave the stated one out. Neighbouring bins whose shares do not rise are merged (pool
    adjacent violators). It speaks of all rows of a bin together: how rows of the same stated
    probability differ cannot be seen.

    Parameters
    ----------
    probabilities : (n,), stated for what was predicted, by fits that had not seen the row
    hits : (n,), 1 where the prediction came true, else 0
    weight : (n,), 0 or more; Kish's effective number of rows counts
    groups : (n,), rows of one group hang together, so that they count for less

    References
    ----------
    .. [1] Wilson (1927), Probable inference, the law of succession, and statistical inference,
       JASA 22.

    Examples
    --------
    >>> share_offsets(np.full(100, 0.8), np.arange(100) < 80).low
    (-0.0888...,)
    """
    p, hit = np.asarray(probabilities, dtype=np.float64), np.asarray(hits, dtype=np.float64)
    w = np.ones_like(p) if weight is None else np.asarray(weight, dtype=np.float64)
    code = np.arange(len(p)) if groups is None else np.unique(groups, return_inverse=True)[1]
    p, hit, w, code = _usable(p, hit, w, code)
    if not len(p):
        return None
    edges = _rising(_edges(p), p, hit, w)
    where = np.searchsorted(edges, p, side="right")
    low, high = [], []
    for number in range(len(edges) + 1):
        inside = where == number
        bounds = _wilson(hit[inside], w[inside], None if groups is None else code[inside])
        mean = float(np.average(p[inside], weights=w[inside]))
        # a bin is wide when rows are few: what is off on average need not be off for every row
        low.append(min(bounds[0] - mean, 0.0))
        high.append(max(bounds[1] - mean, 0.0))
    return Offsets(tuple(edges), tuple(low), tuple(high))


def _usable(*arrays: NDArray[np.generic]) -> tuple[Floats, ...]:
    """The rows that are finite and, by the third array, have weight; all when none has."""
    first, second, weight = (np.asarray(item, dtype=np.float64) for item in arrays[:3])
    kept = np.isfinite(first) & np.isfinite(second)
    if (weight[kept] > 0).any():
        kept &= weight > 0
    else:
        weight = np.ones_like(weight)
    rest = (np.asarray(item, dtype=np.float64)[kept] for item in arrays[3:])
    return (first[kept], second[kept], weight[kept], *rest)


def _edges(x: Floats) -> list[float]:
    """Where to cut answers into bins of about equal counts, at least ``IN_A_BIN`` in each."""
    ordered = np.sort(x)
    n = len(ordered)
    n_bins = max(1, min(MOST_BINS, n // IN_A_BIN))
    edges: list[float] = []
    start = 0
    for number in range(1, n_bins):
        at = round(number * n / n_bins)
        # equal answers stay together: cut before the first of them
        at = int(np.searchsorted(ordered, ordered[at], side="left"))
        if at - start >= IN_A_BIN and n - at >= IN_A_BIN:
            edges.append(float(ordered[at]))
            start = at
    return edges


def _tails(residuals: Floats, weight: Floats) -> tuple[float, float] | None:
    """The offsets that leave 2.5% outside on each side; None when too few rows can say so."""
    order = np.argsort(residuals, kind="stable")
    sorted_, w = residuals[order], weight[order]
    # the new row is one more, of average weight; rounding must not cost a whole row
    outside = 0.025 * (w.sum() + w.mean()) * (1.0 + 1e-12) if len(w) else 0.0
    below = int(np.searchsorted(np.cumsum(w), outside, side="right"))
    above = int(np.searchsorted(np.cumsum(w[::-1]), outside, side="right"))
    if not below or not above:
        return None
    return float(sorted_[below - 1]), float(sorted_[-above])


def _rising(edges: list[float], p: Floats, hit: Floats, w: Floats) -> list[float]:
    """The edges that are left when bins are merged until the share of hits rises with p."""
    where = np.searchsorted(edges, p, side="right")
    n_bins = len(edges) + 1
    weight = np.bincount(where, weights=w, minlength=n_bins)
    came = np.bincount(where, weights=w * hit, minlength=n_bins)
    kept: list[tuple[float, float, float]] = []  # weight, hits, the edge before it
    for total, hits, edge in zip(weight, came, [-math.inf, *edges], strict=True):
        block = (float(total), float(hits), edge)
        while kept and block[1] * kept[-1][0] < kept[-1][1] * block[0]:
            before = kept.pop()
            block = (before[0] + block[0], before[1] + block[1], before[2])
        kept.append(block)
    return [edge for _, _, edge in kept[1:]]


def _wilson(hit: Floats, weight: Floats, groups: Floats | None) -> tuple[float, float]:
    """Wilson's 95% range of a weighted share."""
    share = float(np.average(hit, weights=weight))
    n = float(weight.sum()) ** 2 / float(weight @ weight)
    if groups is not None:
        error = spread(hit, weight=weight, groups=groups).error
        if error > 0:
            n = min(n, share * (1.0 - share) / error**2)
    middle = (share + Z**2 / (2.0 * n)) / (1.0 + Z**2 / n)
    half = Z / (1.0 + Z**2 / n) * math.sqrt(share * (1.0 - share) / n + Z**2 / (4.0 * n**2))
    return max(0.0, middle - half), min(1.0, middle + half)
