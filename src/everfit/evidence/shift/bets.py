"""Bets whose size learns from how earlier ones went, on payoffs of mean 0 under the null."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from everfit.errors import UsageError
from everfit.evidence.interval import Floats

LARGEST = 0.5
STEP = 2.0 / (2.0 - math.log(3.0))  # of the proof of the online Newton step for bets up to 1/2


@dataclass
class NewtonBets:
    """Wealth of bets on payoffs in [-1, 1] whose mean, given the past, is at most 0 under the null.

    ``K <- K (1 + bet f)``, and after it the online Newton step: with ``z = -f/(1 + bet f)`` and
    ``A <- A + z^2``, ``bet <- clip(bet - 2/(2 - ln 3) z/A, 0, 1/2)``. The chance that the wealth
    EVER reaches 1/alpha is at most alpha. The state is four numbers; the same payoffs give the
    same wealth again.

    References
    ----------
    .. [1] Cutkosky & Orabona (2018), Black-box reductions for parameter-free online learning, COLT.
    .. [2] Podkopaev & Ramdas (2023), Sequential predictive two-sample testing, NeurIPS 36.

    Examples
    --------
    >>> bets = NewtonBets()
    >>> bets.update([0.5, 0.5, -0.5] * 50) > math.log(20), bets.n
    (True, 150)
    """

    log_wealth: float = 0.0
    best: float = 0.0
    bet: float = 0.0
    curvature: float = 1.0
    n: int = 0

    def update(self, payoffs: ArrayLike) -> float:
        """Take payoffs in the order in which they came and return the log wealth now."""
        for f in np.asarray(payoffs, dtype=np.float64).ravel().tolist():
            self._one(f)
        return self.log_wealth

    def growth(self, payoffs: ArrayLike) -> Floats:
        """As :meth:`update`, and give the factor of each bet (n,), for an e-detector to chain."""
        before = []
        for f in np.asarray(payoffs, dtype=np.float64).ravel().tolist():
            before.append(1.0 + self.bet * f)
            self._one(f)
        return np.asarray(before, dtype=np.float64)

    @property
    def p(self) -> float:
        """The anytime p-value: one over the highest wealth so far."""
        return math.exp(-self.best)

    def decided(self, alpha: float) -> bool:
        """Whether the wealth ever reached 1/alpha; never taken back."""
        return self.best >= -math.log(alpha)

    def _one(self, f: float) -> None:
        if not -1.0 - 1e-12 <= f <= 1.0 + 1e-12:
            raise UsageError(
                "a payoff cannot be bet on",
                got=str(f),
                expected="a number in [-1, 1]",
            )
        won = 1.0 + self.bet * f
        self.log_wealth += math.log(won)
        self.best = max(self.best, self.log_wealth)
        z = -f / won
        self.curvature += z * z
        self.bet = min(max(self.bet - STEP * z / self.curvature, 0.0), LARGEST)
        self.n += 1
