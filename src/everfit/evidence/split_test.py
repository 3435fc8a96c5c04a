"""Does a grouped or time-forward split give a worse score than a random one? Then rows leak.

If a model does worse when whole groups (or the future) are held out than when rows are held out
at random, rows of a group (or of a time) tell about each other, a random split flatters, and the
structured split must be used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from everfit.evidence.interval import Interval, spread
from everfit.evidence.paired import corrected_gain, differences, share_to_ratio


@dataclass(frozen=True, slots=True)
class SplitGap:
    """How much more is lost under the structured split: above 0 the random split flatters.

    ``matters`` says that the gap is above 0 beyond noise at ``alpha``, one-sided.
    """

    gap: Interval
    p: float
    matters: bool
    test: str
    n: int


def split_gap(
    fold_random: ArrayLike, fold_structured: ArrayLike, *, test_share: float, alpha: float = 0.05
) -> SplitGap:
    """Corrected resampled t on fold means: structured minus random loss, fold by fold.

    Both are (J,) mean losses of the same learner and settings, lower is better; extra folds of
    the longer one are left out. ``test_share`` is n_test/(n_test + n_train). For 5 folds only large
    gaps show (4 degrees of freedom): where both splits asked about the same rows use
    :func:`split_gap_rows`.

    Examples
    --------
    >>> split_gap([0.20, 0.22, 0.19, 0.21, 0.20], [0.40, 0.35, 0.42, 0.38, 0.41],
    ...           test_share=0.2).matters
    True
    """
    random = np.asarray(fold_random, dtype=np.float64).ravel()
    structured = np.asarray(fold_structured, dtype=np.float64).ravel()
    both = min(len(random), len(structured))
    found = corrected_gain(structured[:both] - random[:both], test_share, alpha=alpha)
    return SplitGap(found.gain, found.p, found.p < alpha, "corrected resampled t", both)


def split_gap_rows(
    loss_random: ArrayLike,
    loss_structured: ArrayLike,
    clusters: NDArray[Any],
    *,
    test_share: float,
    alpha: float = 0.05,
) -> SplitGap:
    """Paired t on rows that both splits asked about, with the group (or time block) as the unit.

    All are (n,): out-of-fold losses under a random and under the structured split, and the group
    or block of each row. The variance is multiplied by 1 + n_test/n_train. Far more sensitive than
    fold means when there are many groups.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> random, group = rng.random(200), np.arange(200) // 5
    >>> split_gap_rows(random, random + 0.1 * rng.random(200), group, test_share=0.2).matters
    True
    """
    d = differences(loss_random, loss_structured)
    measured = spread(d, groups=np.asarray(clusters))
    n_clusters = len(np.unique(clusters))
    inflation = 1.0 + share_to_ratio(test_share)
    p = measured.p_above(0.0, inflation=inflation)
    interval = measured.interval(1 - alpha, inflation=inflation)
    return SplitGap(interval, p, p < alpha, "paired t over groups", n_clusters)
