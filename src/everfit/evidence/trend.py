"""Does a series rise? The test of Mann (1945) and Kendall, against "in no order".

A learning curve should rise as rows grow, however bent it is; a straight line through it would ask
for a shape. Only the order of the values counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from everfit.errors import UsageError

FEWEST = 4  # values: of three, even a perfect rise comes by chance once in six times


@dataclass(frozen=True, slots=True)
class Trend:
    """How far a series rises: ``tau`` from -1 (falls always) to 1, and the one-sided p-value.

    ``p`` is the chance of such a rise, or a greater one, among values in no order: exact for few
    values without ties, else by the normal approximation. ``rises`` counts the pairs of a later
    value above an earlier one, of ``pairs``.
    """

    tau: float
    p: float
    n: int
    rises: int
    pairs: int


def rising(values: ArrayLike) -> Trend:
    """The Mann-Kendall test of a rise in ``values`` (n,), in their order.

    Raises
    ------
    UsageError : fewer than four values, or one that is no number

    Examples
    --------
    >>> found = rising([0.81, 0.83, 0.82, 0.84, 0.85, 0.86])
    >>> round(found.tau, 2), round(found.p, 4), found.rises, found.pairs
    (0.87, 0.0083, 14, 15)
    """
    y = np.asarray(values, dtype=np.float64).ravel()
    if len(y) < FEWEST or not np.isfinite(y).all():
        raise UsageError(
            "a trend needs values",
            got=f"{len(y)} values, {int((~np.isfinite(y)).sum())} of them no numbers",
            expected=f"at least {FEWEST} numbers",
        )
    above = np.triu(y[None, :] > y[:, None], 1)
    pairs = len(y) * (len(y) - 1) // 2
    found = stats.kendalltau(np.arange(len(y)), y, alternative="greater")
    tau, p = float(found.statistic), float(found.pvalue)
    if math.isnan(tau):  # all values are the same
        tau, p = 0.0, 1.0
    return Trend(tau, p, len(y), int(above.sum()), pairs)
