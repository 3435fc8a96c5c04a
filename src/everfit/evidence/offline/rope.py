"""How probable is it that one learner is better, the same for all purposes, or worse?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from everfit.errors import UsageError
from everfit.evidence.interval import Interval, spread, t_tail
from everfit.evidence.paired import share_to_ratio

MARGIN = 0.01  # one point of accuracy: what Benavoli et al. take for "the same"


@dataclass(frozen=True, slots=True)
class Rope:
    """Probabilities that the gain is above, inside and below the region of "the same".

    The region is from ``-margin`` to ``margin``; ``gain`` holds the true gain with its level.
    """

    better: float
    same: float
    worse: float
    gain: Interval
    margin: float

    def answer(self, at: float = 0.95) -> Literal["better", "same", "worse", "open"]:
        """What has a probability of ``at`` or more; "open" when nothing has."""
        if self.better >= at:
            return "better"
        if self.same >= at:
            return "same"
        return "worse" if self.worse >= at else "open"


def correlated_rope(
    fold_differences: ArrayLike, test_share: float, *, margin: float = MARGIN, level: float = 0.95
) -> Rope:
    """The Bayesian correlated t of J differences of fold means (old less new).

    The gain has the posterior ``St(J - 1, mean d, (1/J + rho/(1 - rho)) s^2)`` with the correlation
    of folds rho = ``test_share`` (1/k for k folds), for the flat prior. ``margin`` is in the unit
    of the loss. All is open with fewer than two finite differences.

    Raises
    ------
    UsageError : the margin is below 0, or the test share is outside [0, 1)

    References
    ----------
    .. [1] Benavoli, Corani, Demsar, Zaffalon (2017), Time for a change, JMLR 18.

    Examples
    --------
    >>> found = correlated_rope([0.02, 0.03, 0.01, 0.02, 0.04], 0.2)
    >>> round(found.better, 3), found.answer(), found.answer(at=0.9)
    (0.929, 'open', 'better')
    """
    if not margin >= 0:
        raise UsageError(
            "the region of 'the same' cannot be used",
            got=str(margin),
            expected="a margin of 0 or more, in the unit of the loss",
        )
    ratio = share_to_ratio(test_share)
    d = np.asarray(fold_differences, dtype=np.float64).ravel()
    d = d[np.isfinite(d)]
    plain = spread(d)
    inflation = 1.0 + len(d) * ratio  # s^2/J times this is s^2 (1/J + rho/(1 - rho))
    gain = plain.interval(level, inflation=inflation)
    if not math.isfinite(plain.error):
        return Rope(0.0, 0.0, 0.0, gain, margin)
    if plain.error == 0:
        better, worse = float(plain.mean > margin), float(plain.mean < -margin)
        return Rope(better, 1.0 - better - worse, worse, gain, margin)
    scale = plain.error * math.sqrt(inflation)
    better = t_tail((margin - plain.mean) / scale, plain.freedom)
    worse = t_tail((margin + plain.mean) / scale, plain.freedom)
    return Rope(better, max(1.0 - better - worse, 0.0), worse, gain, margin)
