"""Tests that may be looked at after every row, for ever, without losing their error rate.

An e-process bets against the null; its wealth reaches 1/alpha with a chance of at most alpha when
the null is true, at ANY time (Ville). Wealth is kept in logs. Differences are
``d = (loss of the old - loss of the new) / bound`` in [-1, 1]; above 0 the new one is better.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from everfit.errors import UsageError
from everfit.evidence.interval import Floats

N_BETS = 24
GRID = 10_000  # steps from 0 to 1 on which differences are kept for ranges
CHUNK = 65_536


def bets(margin: float = 0.0, n_bets: int = N_BETS) -> Floats:
    """The fixed bets of the mixture: geometric from 0.005 to 0.9, below 1/(1 - margin).

    Raises
    ------
    UsageError : the margin is not inside (-1, 1)
    """
    if not -1 < margin < 1:
        raise UsageError(
            "the margin of a paired test cannot be used",
            got=str(margin),
            expected="a share of the bound, inside (-1, 1)",
        )
    return np.geomspace(0.005, min(0.9, 0.999 / (1 - margin)), n_bets)


def log_wealth(
    values: Floats, counts: Floats | None, margin: float = 0.0, n_bets: int = N_BETS
) -> Floats:
    """Log wealth of each bet against "mean of ``values`` <= -margin"; ``counts`` repeats values."""
    sizes = bets(margin, n_bets)
    wealth = np.zeros(n_bets)
    for start in range(0, len(values), CHUNK):  # a table of rows x bets would not fit for millions
        part = slice(start, start + CHUNK)
        grown = np.log1p(np.outer(values[part] + margin, sizes))
        wealth += grown.sum(axis=0) if counts is None else counts[part] @ grown
    return wealth


def log_e_value(values: ArrayLike, margin: float = 0.0) -> float:
    """The log e-value of all ``values`` in [-1, 1] against "the mean is at most -margin".

    A mixture of 24 fixed bets, ``E = mean_k prod_i (1 + bet_k (d_i + margin))``. Valid for the weak
    null: only the running MEAN of the conditional means has to be below; rows need not be alike.

    Examples
    --------
    >>> log_e_value([1.0] * 10) > math.log(20)
    True
    """
    d = _bounded(values)
    if not len(d):
        return 0.0
    seen, counts = np.unique(d, return_counts=True)
    wealth = log_wealth(seen, counts.astype(np.float64), margin)
    return float(np.logaddexp.reduce(wealth)) - math.log(N_BETS)


@dataclass
class PairedEProcess:
    """Is the new one better than the old one by more than ``-margin``? Looked at any time.

    ``margin`` 0 tests superiority; above 0 non-inferiority (not worse by more than it); below 0
    a gain of at least ``-margin``. All are shares of the bound of the losses. The state is plain
    numbers: it can be stored and the same rows give the same wealth again.

    Examples
    --------
    >>> process = PairedEProcess(alpha=0.05)
    >>> process.update([1.0, 0.0, 1.0] * 10) > math.log(20), process.decided
    (True, True)
    """

    alpha: float
    margin: float = 0.0
    n: int = 0
    total: float = 0.0
    best: float = 0.0
    log_bets: Floats = field(default_factory=lambda: np.zeros(N_BETS))
    floors: dict[int, int] = field(default_factory=dict)
    ceilings: dict[int, int] = field(default_factory=dict)

    def update(self, differences: ArrayLike) -> float:
        """Take more rows, in any order inside one call, and return the log e-value now."""
        d = _bounded(differences)
        if len(d):
            self.log_bets = self.log_bets + log_wealth(d, None, self.margin)
            self.n += len(d)
            self.total += float(d.sum())
            # rounded outwards, so that ranges from the grid are never too narrow
            _count(self.floors, np.floor(d * GRID + 1e-9))
            _count(self.ceilings, np.ceil(d * GRID - 1e-9))
        self.best = max(self.best, self.log_e)
        return self.log_e

    @property
    def log_e(self) -> float:
        """The log e-value of all rows so far."""
        return float(np.logaddexp.reduce(self.log_bets)) - math.log(N_BETS)

    @property
    def decided(self) -> bool:
        """Whether the wealth ever reached 1/alpha; never taken back."""
        return self.best >= -math.log(self.alpha)

    @property
    def p(self) -> float:
        """The anytime p-value: one over the highest wealth so far."""
        return math.exp(-self.best)

    def lower(self, alpha: float | None = None) -> float:
        """A bound that the running mean difference exceeds, at every look, but for ``alpha``."""
        values, counts = _listed(self.floors)
        return lower_bound(values, self.alpha if alpha is None else alpha, counts=counts)

    def upper(self, alpha: float | None = None) -> float:
        """A bound that the running mean difference stays below, at every look, but ``alpha``."""
        values, counts = _listed(self.ceilings)
        return -lower_bound(-values, self.alpha if alpha is None else alpha, counts=counts)


def lower_bound(
    values: ArrayLike,
    alpha: float,
    *,
    counts: ArrayLike | None = None,
    between: tuple[float, float] = (-1.0, 1.0),
) -> float:
    """The anytime lower bound of the mean of ``values`` in [-1, 1].

    ``sup{m : wealth against m >= 1/alpha}``, found inside ``between``. With more than
    20,001 distinct values they are first rounded down to a grid of 1e-4, which can only lower
    the bound.

    Examples
    --------
    >>> round(lower_bound([1.0, 0.0] * 200, 0.05), 2)
    0.42
    """
    d = _bounded(values)
    if not len(d):
        return -1.0
    weights = np.ones_like(d) if counts is None else np.asarray(counts, dtype=np.float64)
    seen, where = np.unique(d, return_inverse=True)
    if len(seen) > 2 * GRID + 1:
        seen, where = np.unique(np.floor(d * GRID + 1e-9) / GRID, return_inverse=True)
    repeated = np.bincount(where, weights=weights).astype(np.float64)
    need = math.log(N_BETS / alpha)

    def excess(mean: float) -> float:
        return float(np.logaddexp.reduce(log_wealth(seen, repeated, -mean))) - need

    low, high = max(between[0], -1 + 1e-9), between[1]
    # against its own mean no bet wins (Jensen), so the bound is below it
    high = min(high, 1 - 1e-9, float(repeated @ seen) / float(repeated.sum()))
    high = max(high, low)
    return max(_last_positive(excess, low, high), between[0])


def _last_positive(f: Callable[[float], float], low: float, high: float) -> float:
    """Where a falling ``f`` crosses zero, from the positive side (Illinois false position)."""
    at_low, at_high = f(low), f(high)
    if at_low < 0:
        return -1.0
    if at_high >= 0:
        return high
    side = 0
    for _ in range(60):
        if high - low < 1e-7:
            break
        middle = (low * at_high - high * at_low) / (at_high - at_low)
        # away from the ends, so that both of them close in
        middle = min(max(middle, low + 0.02 * (high - low)), high - 0.02 * (high - low))
        value = f(middle)
        if value >= 0:
            low, at_low = middle, value
            at_high = at_high / 2 if side == 1 else at_high
            side = 1
        else:
            high, at_high = middle, value
            at_low = at_low / 2 if side == -1 else at_low
            side = -1
    return low


def mcnemar_log_e(wins: int, losses: int) -> float:
    """Sequential McNemar: log e-value that the new one wins more than half of the discordant rows.

    ``wins`` are rows where only the new one is right, ``losses`` where only the old one is. With
    n = wins + losses, ``E = 2^n B(w+1/2, l+1/2) P(Beta(w+1/2, l+1/2) > 1/2) / (B(1/2, 1/2)/2)``:
    a Jeffreys mixture over win rates above one half; exact at every look.

    Examples
    --------
    >>> round(math.exp(mcnemar_log_e(10, 0)), 1)
    360.8
    """
    won, lost = wins + 0.5, losses + 0.5
    above = float(special.betaincc(won, lost, 0.5))
    if above <= 0:  # far below one half: the tail underflows, and the wealth is gone
        return -math.inf
    n = wins + losses
    beta = float(special.betaln(won, lost)) - float(special.betaln(0.5, 0.5))
    return n * math.log(2) + beta + math.log(above) + math.log(2)


def planned_units(gain: float, variance: float, alpha: float) -> int | None:
    """How many units an e-process needs to see a true mean difference of ``gain``; None if never.

    About ``2 s2 (ln(1/alpha) + 1) / gain^2`` with s2 = E[d^2] (for 0-1 losses the share of
    discordant rows). Any unit, as long as both are in the same.

    Examples
    --------
    >>> planned_units(0.01, 0.08, 0.05)
    6394
    """
    if not gain > 0 or not math.isfinite(variance) or variance < 0:
        return None
    units = 2 * variance * (math.log(1 / alpha) + 1) / gain**2
    # no bet of the mixture doubles faster than once a row
    least = math.log(N_BETS / alpha) / math.log(1.9)
    return math.ceil(max(units, least)) if units < 1e15 else None


def _bounded(values: ArrayLike) -> Floats:
    d = np.asarray(values, dtype=np.float64).ravel()
    if len(d) and not (np.abs(d) <= 1.0 + 1e-12).all():
        raise UsageError(
            "differences of losses must lie in [-1, 1] for a test that may be repeated",
            got=f"values from {np.nanmin(d):g} to {np.nanmax(d):g}",
            expected="differences divided by a bound that was fixed before",
            do="divide by the bound and clip, or use promotion.verdict",
        )
    return np.clip(d, -1.0, 1.0)


def _count(held: dict[int, int], steps: Floats) -> None:
    for step, times in zip(*np.unique(steps.astype(np.int64), return_counts=True), strict=True):
        held[int(step)] = held.get(int(step), 0) + int(times)


def _listed(held: dict[int, int]) -> tuple[Floats, Floats]:
    steps = np.array(list(held), dtype=np.float64)
    return np.clip(steps / GRID, -1.0, 1.0), np.array(list(held.values()), dtype=np.float64)
