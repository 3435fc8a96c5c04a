"""A range at every look, for a chart that people may stop reading at any moment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from everfit.errors import UsageError
from everfit.evidence.interval import Floats, Interval


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """The running mean and its range at each look; all looks together hold with ``level``.

    ``low``, ``mid``, ``high`` and ``n`` (units so far) have one entry per look, in the unit of what
    is measured.
    """

    low: Floats
    mid: Floats
    high: Floats
    n: Floats
    level: float = 0.95

    def __len__(self) -> int:
        return len(self.mid)

    def at(self, look: int = -1) -> Interval:
        """The range at one look, counted from 0; the last one by default.

        Raises
        ------
        UsageError : there is no such look
        """
        if not -len(self) <= look < len(self):
            raise UsageError(
                "a range has no such look",
                got=str(look),
                expected=f"one of {len(self)} looks, counted from 0",
            )
        return Interval(
            float(self.low[look]),
            float(self.mid[look]),
            float(self.high[look]),
            n=int(self.n[look]),
            level=self.level,
        )

    def narrowed(self) -> Band:
        """The running intersection: for a mean that stays the same, ranges can only shrink.

        Not for a mean that moves: a range of the running mean at one look is none for another.
        """
        low = np.maximum.accumulate(self.low)
        high = np.minimum.accumulate(self.high)
        return Band(low, self.mid, high, self.n, self.level)


def checked_alpha(alpha: float) -> float:
    """``alpha``, when it is an error rate inside (0, 1); else a UsageError."""
    if not 0 < alpha < 1:
        raise UsageError("an error rate is none", got=str(alpha), expected="a number inside (0, 1)")
    return alpha


def running(values: Floats) -> tuple[Floats, Floats]:
    """The number of values so far and their running mean, both (n,)."""
    n = np.arange(1.0, len(values) + 1)
    return n, np.cumsum(values) / n
