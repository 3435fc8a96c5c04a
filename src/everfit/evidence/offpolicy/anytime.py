"""A policy's value with a range that holds at every look, while decisions keep coming in.

Asymptotic confidence sequences: the self-normalised and the doubly robust mean are means of one
number per decision in the limit. Open until 100 decisions, and 100 effective ones, are there.
Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas, Annals of Statistics 52, 2024.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from everfit.errors import UsageError
from everfit.evidence.bounds.asymptotic import asymptotic_batches, asymptotic_running
from everfit.evidence.bounds.band import Band
from everfit.evidence.interval import Floats, spread
from everfit.evidence.offpolicy.logged import Logged
from everfit.evidence.offpolicy.verdict import LEAST


def snips_band(
    logged: Logged, *, gain: bool = False, alpha: float = 0.05, tightest_at: int = 1000
) -> Band:
    """The self-normalised value after each decision (n,), in the order of the log.

    With ``gain`` the difference to the mean reward that was logged.

    Raises
    ------
    UsageError : decisions of groups, which are not independent: see :func:`robust_batches`

    Notes
    -----
    With x = (w r, w, r) and V the value so far, one decision's share is c'x with
    c = (1, -V, 0)/mean(w), less r for a gain; its variance is c' Cov(x) c from running sums.
    """
    _alone(logged)
    w, r = logged.weight, logged.reward
    parts = np.stack([w * r, w, r])  # (3, n)
    n = np.arange(1.0, len(w) + 1)
    means = np.cumsum(parts, axis=1) / n
    products = np.cumsum(parts[:, None] * parts[None], axis=2) / n  # (3, 3, n)
    covariance = products - means[:, None] * means[None]
    with np.errstate(divide="ignore", invalid="ignore"):
        mid = means[0] / means[1]
        shares = np.stack([1.0 / means[1], -mid / means[1], np.full(len(w), -float(gain))])
    variance = np.einsum("in,ijn,jn->n", shares, covariance, shares)
    mid = mid - means[2] if gain else mid
    return asymptotic_running(mid, _told(variance, w), alpha=alpha, tightest_at=tightest_at)


def robust_band(
    logged: Logged, *, gain: bool = False, alpha: float = 0.05, tightest_at: int = 1000
) -> Band:
    """The doubly robust value after each decision (n,); plain inverse propensity without a model.

    With ``gain`` the difference to the mean reward that was logged.

    Raises
    ------
    UsageError : decisions of groups, which are not independent: see :func:`robust_batches`
    """
    _alone(logged)
    w = logged.weight
    said = logged.expected + w * (logged.reward - logged.predicted)
    said = said - logged.reward if gain else said
    n = np.arange(1.0, len(w) + 1)
    mid = np.cumsum(said) / n
    variance = np.cumsum(said**2) / n - mid**2
    return asymptotic_running(mid, _told(variance, w), alpha=alpha, tightest_at=tightest_at)


def robust_batches(
    batches: Sequence[Logged], *, gain: bool = False, alpha: float = 0.05, tightest_at: int = 30
) -> Band:
    """The doubly robust value after each batch (a day), where people have several decisions.

    Each batch gives a mean whose error holds for its groups; a person who comes back on another day
    is taken as new given the days before. A batch with fewer than two groups tells nothing.
    """
    found = [
        spread(
            batch.expected
            + batch.weight * (batch.reward - batch.predicted)
            - (batch.reward if gain else 0.0),
            groups=batch.groups,
        )
        for batch in batches
    ]
    return asymptotic_batches(
        [one.mean for one in found],
        [one.error**2 for one in found],
        alpha=alpha,
        tightest_at=tightest_at,
        units=[len(batch) for batch in batches],
    )


def _told(variance: Floats, weight: Floats) -> Floats:
    """The variance, NaN while too few decisions count for a range in the limit."""
    square = np.cumsum(weight**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        ess = np.where(square > 0, np.cumsum(weight) ** 2 / square, 0.0)
    # a rounding error must not make a variance negative
    return np.where(ess >= LEAST, np.maximum(variance, 0.0), np.nan)


def _alone(logged: Logged) -> None:
    if logged.groups is not None:
        raise UsageError(
            "decisions of groups are not independent, so no range holds after each of them",
            got="decisions with groups",
            expected="decisions that stand alone",
            do="make a batch of each day and use robust_batches",
        )
