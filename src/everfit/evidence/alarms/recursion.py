"""The common engine of all alarms: evidence that starts anew at every look, and when it is enough.

A gain L_t is what a bet made at look t: never negative, with a mean of at most 1 while nothing has
changed. Many detectors (columns, segments) run side by side as the rows of one array.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from everfit.errors import UsageError
from everfit.evidence.interval import Floats
from everfit.evidence.multiple import gamma_series

Promise = Literal["horizon", "run_length", "never"]
Rule = Literal["sr", "cusum"]
TOP = 1e250  # wealth is cut here, which can only lower it; alarms come long before


@dataclass(frozen=True, slots=True)
class Calibration:
    """What an alarm promises about false alarms, and the threshold that keeps it.

    promise "horizon" (default): the chance of ANY false alarm in ``looks`` looks is at most
    ``alpha``; threshold A = looks/alpha, because E[R_tau] <= E[tau]. "run_length": the mean number
    of looks to a false alarm is at least ``looks``; A = looks. "never": the chance of any false
    alarm in all eternity is at most ``alpha``; evidence that starts at look j weighs gamma_j, and
    delays grow with log j. ``rule`` "sr" adds up all starts (Shiryaev-Roberts), "cusum" keeps the
    best one.

    Shin, Ramdas & Rinaldo, E-detectors, NEJSDS 2024.

    Examples
    --------
    >>> Calibration(looks=365, alpha=0.01).threshold
    36500.0
    """

    looks: int
    alpha: float = 0.01
    promise: Promise = "horizon"
    rule: Rule = "sr"

    def __post_init__(self) -> None:
        sound = self.looks >= 1 and 0 < self.alpha < 1
        if not sound or (self.promise == "never" and self.rule == "cusum"):
            raise UsageError(
                "an alarm cannot be calibrated",
                got=f"{self.looks} looks, alpha {self.alpha}, {self.promise} with {self.rule}",
                expected='looks from 1, alpha inside (0, 1), and "sr" for the promise "never"',
            )

    @property
    def threshold(self) -> float:
        """What the statistic has to reach."""
        if self.promise == "run_length":
            return float(self.looks)
        return (self.looks if self.promise == "horizon" else 1.0) / self.alpha


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """Where a set of detectors stands, as plain numbers: after ``looks`` looks.

    ``wealth`` (n_detectors, n_bets) is the running evidence of each bet, ``statistic``
    (n_detectors,) what is held against the threshold, ``highest`` its highest value so far and
    ``first`` the look of the first alarm, counted from 1; 0 means none so far.
    """

    looks: int
    wealth: Floats
    statistic: Floats
    highest: Floats
    first: NDArray[np.int64]

    @property
    def alarmed(self) -> NDArray[np.bool_]:
        """Which detectors ever gave an alarm (n_detectors,); never taken back."""
        return np.asarray(self.first > 0, dtype=np.bool_)

    def e_values(self, calibration: Calibration) -> Floats:
        """The evidence as e-values (n_detectors,), for ``multiple.e_bh`` over columns.

        Over the calibration's looks each has a mean of at most 1 at every stopping time while
        nothing changes; under "never" without end.
        """
        scale = 1.0 if calibration.promise == "never" else float(calibration.looks)
        return np.asarray(self.statistic / scale, dtype=np.float64)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for the ledger; :meth:`from_dict` gives the same state back."""
        return {
            "looks": self.looks,
            "wealth": self.wealth.tolist(),
            "statistic": self.statistic.tolist(),
            "highest": self.highest.tolist(),
            "first": self.first.tolist(),
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Watched:
        """The inverse of :meth:`as_dict`, bit for bit."""
        return cls(
            looks=int(plain["looks"]),
            wealth=np.asarray(plain["wealth"], dtype=np.float64),
            statistic=np.asarray(plain["statistic"], dtype=np.float64),
            highest=np.asarray(plain["highest"], dtype=np.float64),
            first=np.asarray(plain["first"], dtype=np.int64),
        )


def started(n_detectors: int, n_bets: int) -> Watched:
    """The state before the first look."""
    zero = np.zeros(n_detectors)
    return Watched(
        0, np.zeros((n_detectors, n_bets)), zero, zero, np.zeros(n_detectors, dtype=np.int64)
    )


def step(
    state: Watched, gains: Floats, calibration: Calibration, share: Floats | float = 1.0
) -> Watched:
    """One look: ``gains`` (n_detectors, n_bets) are what each bet made of it, at least 0.

    ``share`` is the part of each bet in the evidence that starts now, fixed before the look; its
    mean over the bets of a detector is 1.

    R_t = (1 + R_{t-1}) L_t for "sr", max(1, R_{t-1}) L_t for "cusum"; under "never"
    Z_t = (Z_{t-1} + gamma_t) L_t, and what has not started yet is added to the statistic.
    """
    look = state.looks + 1
    fresh = share * (gamma_series(look) if calibration.promise == "never" else 1.0)
    if calibration.rule == "cusum":
        wealth = np.maximum(state.wealth, fresh)
    else:
        wealth = state.wealth + fresh
    wealth *= gains
    np.minimum(wealth, TOP, out=wealth)
    statistic = wealth.mean(axis=1)
    if calibration.promise == "never":
        statistic = statistic + max(1.0 - _started(look), 0.0)
    rung = (statistic >= calibration.threshold) & (state.first == 0)
    return Watched(
        looks=look,
        wealth=wealth,
        statistic=statistic,
        highest=np.maximum(state.highest, statistic),
        first=np.where(rung, look, state.first),
    )


_SUMS = [0.0]


def _started(look: int) -> float:
    """The share of the "never" budget that has started by a look; the sum of its weights."""
    while len(_SUMS) <= look:
        _SUMS.append(_SUMS[-1] + gamma_series(len(_SUMS)))
    return _SUMS[look]


def planned_delay(gap: float, variance: float, threshold: float, n_bets: int = 12) -> int | None:
    """How many values a detector needs to see a change of the mean by ``gap``; None if never.

    About ``(ln(threshold g) + ln n_bets)/g`` with g = gap^2/(2 variance) per value; ``gap`` counts
    from the edge of the null, so a margin or tolerance has been taken off it. When a window
    of values is one look, the threshold is that of the windows and the answer still in values.

    Examples
    --------
    >>> planned_delay(0.05, 1 / 12, 2e6, n_bets=24)
    900
    """
    if not (gap > 0 and variance > 0 and threshold > 0):
        return None
    rate = gap**2 / (2 * variance)
    delay = (math.log(max(threshold * rate, 1.0)) + math.log(n_bets)) / rate
    return math.ceil(delay) if delay < 1e15 else None
