"""What a policy is worth per decision, with its range and how much evidence stands behind it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from everfit.evidence.interval import Floats, Interval, spread

SURE = 0.999  # level of the range in which the mean weight has to hold 1


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """The mean reward of a policy, estimated from another one's decisions.

    ``value`` is the mean with its range. ``units`` (n,) are what each decision says, with the
    same mean: differences of these compare policies. ``ess`` is the effective sample size, the
    number of equally weighted decisions that would know as much; ``max_weight`` the largest
    weight. ``mean_weight`` has to hold 1: it is the check on the logged chances. ``bias`` is how
    far the estimate was pulled away to be steadier; its range is wider by as much.
    """

    name: str
    value: Interval
    units: Floats
    ess: float
    max_weight: float
    mean_weight: Interval
    bias: float = 0.0
    groups: NDArray[Any] | None = None

    @property
    def n(self) -> int:
        """Decisions."""
        return len(self.units)

    def __str__(self) -> str:
        return f"{self.name} {self.value}; {self.ess:,.0f} of {self.n:,} decisions count"


def valued(
    name: str,
    units: Floats,
    weight: Floats,
    *,
    groups: NDArray[Any] | None,
    alpha: float,
    bias: float = 0.0,
) -> Value:
    """A value from what each decision says (n,), its weight (n,) and who it was for.

    Student's range with as many degrees of freedom as the weights leave, widened by ``bias``.
    """
    ess = effective(weight, groups)
    found = spread(units, groups=groups)
    # a mean that hangs on few weights knows its error no better than these few do
    found = replace(found, freedom=max(min(found.freedom, ess - 1.0), 1e-3))
    span = found.interval(1 - alpha)
    away = abs(bias)
    return Value(
        name,
        replace(span, low=span.low - away, high=span.high + away),
        units,
        ess,
        float(weight.max(initial=0.0)),
        spread(weight, groups=groups).interval(SURE),
        bias,
        groups,
    )


def effective(weight: Floats, groups: NDArray[Any] | None = None) -> float:
    """Kish's effective sample size ``(sum w)^2 / sum w^2``; over groups, of their summed weights.

    Kish, Survey Sampling, 1965, section 11.7.

    Examples
    --------
    >>> effective(np.array([1.0, 1.0, 0.0, 0.0])), effective(np.array([3.0, 1.0]))
    (2.0, 1.6)
    """
    w = np.asarray(weight, dtype=np.float64)
    own = _kish(w)
    if groups is None:
        return own
    _, codes = np.unique(groups, return_inverse=True)
    return min(own, _kish(np.bincount(codes, weights=w).astype(np.float64)))


def _kish(w: Floats) -> float:
    square = float(w @ w)
    return float(w.sum()) ** 2 / square if square > 0 and math.isfinite(square) else 0.0
