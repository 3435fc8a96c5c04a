"""A moment in time by which something must have ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deadline:
    """A budget of ``budget_s`` seconds that began at ``began`` on the clock ``now``.

    Examples
    --------
    >>> deadline = Deadline(began=100.0, budget_s=60.0, now=lambda: 130.0)
    >>> deadline.left(), deadline.share()
    (30.0, 0.5)
    """

    began: float
    budget_s: float
    now: Callable[[], float] = time.monotonic

    def left(self) -> float:
        """Seconds left; below 0 when it is over."""
        return self.began + self.budget_s - self.now()

    def spent(self) -> float:
        """Seconds since it began."""
        return self.now() - self.began

    def share(self) -> float:
        """Spent share of the budget, at most 1."""
        return min(1.0, self.spent() / self.budget_s) if self.budget_s > 0 else 1.0
