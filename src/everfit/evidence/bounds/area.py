"""The area under the curve of two models over time: a range for people, blocks for the decision."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from everfit.errors import UsageError
from everfit.evidence.auc import auc_differences, auc_gain
from everfit.evidence.bounds.asymptotic import asymptotic_batches
from everfit.evidence.bounds.band import Band
from everfit.evidence.trial.differences import Differences

ONE_SIGMA = 0.3


class AreaWindow(NamedTuple):
    """What one window says about two areas: their difference, its squared error, rows."""

    gain: float
    squared_error: float
    n: int


def area_window(scores_new: ArrayLike, scores_old: ArrayLike, positive: ArrayLike) -> AreaWindow:
    """The difference of areas of one window with DeLong's variance, NaN without both classes.

    ``positive`` (n,) says which rows are; scores (n,) of the same rows.

    Examples
    --------
    >>> area_window([1, 2, 3, 4], [1, 3, 2, 4], [0, 0, 1, 1]).gain
    0.25
    """
    new = np.asarray(scores_new, dtype=np.float64).ravel()
    old = np.asarray(scores_old, dtype=np.float64).ravel()
    up = np.asarray(positive).ravel().astype(bool)
    if not len(new) == len(old) == len(up):
        raise UsageError(
            "two areas can only be compared on the same rows",
            got=f"{len(new):,} and {len(old):,} scores, {len(up):,} outcomes",
            expected="one of each per row",
        )
    if min(int(up.sum()), int((~up).sum())) < 2:
        return AreaWindow(math.nan, math.nan, len(up))
    found = auc_gain(new, old, up, alpha=ONE_SIGMA)
    error = (found.high - found.mid) / -float(special.ndtri(ONE_SIGMA / 2))
    return AreaWindow(found.mid, error**2, len(up))


def area_band(windows: Sequence[AreaWindow], *, alpha: float = 0.05, tightest_at: int = 30) -> Band:
    """How much larger the area of the new scores is, over the windows so far, at every look."""
    return asymptotic_batches(
        [window.gain for window in windows],
        [window.squared_error for window in windows],
        alpha=alpha,
        tightest_at=tightest_at,
        units=[window.n for window in windows],
    )


def area_blocks(
    windows: Iterable[tuple[ArrayLike, ArrayLike, ArrayLike]], seed: int
) -> list[Differences]:
    """Windows of (new scores, old scores, positive) as blocks for ``trial_verdict``.

    One difference per positive against its own negatives of the window, which is exact at every
    look; negatives are dealt out by ``seed`` and the number of the window alone, so a
    replay deals the same.

    Examples
    --------
    >>> [block.mean for block in area_blocks([([1, 2, 3, 4], [4, 3, 2, 1], [0, 0, 1, 1])], seed=0)]
    [1.0]
    """
    return [
        Differences.of_values(auc_differences(new, old, up, np.random.default_rng([seed, number])))
        for number, (new, old, up) in enumerate(windows)
    ]
