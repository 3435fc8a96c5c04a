"""Before a test: the smallest gain that so many units can show, and how many units a gain needs.

All are for the two-sided paired t-test on n differences with standard deviation ``sd``, and exact
(noncentral t). Units are whatever is independent: rows, or groups when rows hang together.
"""

from __future__ import annotations

import math

from scipy import special

from everfit.evidence.interval import t_quantile


def power_of(gain: float, sd: float, n: int, *, alpha: float = 0.05) -> float:
    """The chance that a true mean drop of ``gain`` shows with ``n`` units, in [0, 1].

    Examples
    --------
    >>> round(power_of(0.5, 1.0, 34), 2)
    0.81
    """
    if n < 2:
        return 0.0
    if sd <= 0:
        return 1.0 if gain else alpha
    shift = abs(gain) / sd * math.sqrt(n)
    limit = t_quantile(1 - alpha / 2, n - 1)
    if shift > limit + 10:  # the noncentral series is slow and pointless out there
        return 1.0
    below = float(special.nctdtr(n - 1, shift, limit))
    wrong_side = float(special.nctdtr(n - 1, shift, -limit))
    return 1.0 - below + wrong_side


def smallest_gain(sd: float, n: int, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """The smallest true drop of the mean that ``n`` units show with the chance ``power``.

    In the unit of ``sd``; infinite below two units.

    Examples
    --------
    >>> round(smallest_gain(1.0, 400), 2)
    0.14
    """
    if n < 2 or not sd >= 0:
        return math.inf
    low, high = 0.0, sd * (t_quantile(1 - alpha / 2, n - 1) + 10) / math.sqrt(n)
    for _ in range(60):
        middle = (low + high) / 2
        if power_of(middle, sd, n, alpha=alpha) < power:
            low = middle
        else:
            high = middle
    return high


def units_needed(gain: float, sd: float, *, alpha: float = 0.05, power: float = 0.8) -> int | None:
    """How many units show a true drop of ``gain`` with the chance ``power``; None when none can.

    Examples
    --------
    >>> units_needed(0.5, 1.0)
    34
    """
    if not gain > 0 or not math.isfinite(sd) or sd / gain > 1e7:
        return None
    high = 2
    while power_of(gain, sd, high, alpha=alpha) < power:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        if power_of(gain, sd, middle, alpha=alpha) < power:
            low = middle
        else:
            high = middle
    return max(high, 2)
