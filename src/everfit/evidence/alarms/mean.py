"""Has the mean of bounded values left its range? One value, or one window of values, per look.

``x`` in [0, 1] (a loss divided by its bound, a share, a rank); the null: given the past, the mean
of the next x lies in [low, high]. Values beyond the bound are clipped by the caller.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from everfit.errors import UsageError
from everfit.evidence.alarms.recursion import Calibration, Watched, started, step
from everfit.evidence.interval import Floats

N_BETS = 12
GRID = 1000  # steps from 0 to 1 on which the values of a window are kept


@dataclass(frozen=True, slots=True)
class MeanAlarm:
    """A set of alarms, one per column, for a mean that leaves [``low``, ``high``].

    Without ``low`` only a rise is watched (losses), without ``high`` only a fall. Gains are
    ``1 + bet (x/high - 1)`` upwards and ``1 - bet (x - low)/(1 - low)`` downwards for 12 geometric
    bets from 0.05 to 0.9, averaged. A NaN is a look at which nothing was bet.

    Examples
    --------
    >>> alarm = MeanAlarm(Calibration(looks=1000, alpha=0.05), high=0.12)
    >>> calm = alarm.replay([[0.0]] * 50)
    >>> bool(calm.alarmed[0]), int(alarm.replay([[1.0]] * 20, calm).first[0])
    (False, 56)
    """

    calibration: Calibration
    high: float | None = None
    low: float | None = None

    def __post_init__(self) -> None:
        low, high = self.low, self.high
        sound = (low is not None or high is not None) and (high is None or 0 < high < 1)
        sound = sound and (low is None or 0 < low < 1)
        if not sound or (low is not None and high is not None and low > high):
            raise UsageError(
                "a mean cannot be watched",
                got=f"low {low}, high {high}",
                expected="one or both, inside (0, 1), low not above high",
            )

    @property
    def n_bets(self) -> int:
        """Bets per column: 12 for each side that is watched."""
        return N_BETS * ((self.low is not None) + (self.high is not None))

    def start(self, n_columns: int = 1) -> Watched:
        """The state before the first look."""
        return started(n_columns, self.n_bets)

    def step(self, state: Watched, x: ArrayLike) -> Watched:
        """One look with one value per column (n_columns,)."""
        values = _checked(x)[:, None]
        with np.errstate(invalid="ignore"):
            gains = np.concatenate(
                [1.0 + size * (values - centre) for size, centre in self._sides()], axis=1
            )
        return step(state, np.where(np.isnan(gains), 1.0, gains), self.calibration)

    def step_window(self, state: Watched, windows: Floats) -> Watched:
        """One look with many values per column, given as :func:`window_counts`.

        The gain of the window is the product over its values, so a window of many values decides
        as fast as single looks would, at the price of windows as looks: fewer starts
        and a lower threshold. ``windows`` has the shape (n_columns, GRID + 1).
        """
        grid = np.arange(GRID + 1) / GRID
        used = np.flatnonzero(windows.any(axis=0))
        logs = [
            windows[:, used] @ np.log1p(size * (grid[used, None] - centre))
            for size, centre in self._sides()
        ]
        gains = np.exp(np.minimum(np.concatenate(logs, axis=1), 500.0))
        return step(state, gains, self.calibration)

    def replay(self, values: ArrayLike, state: Watched | None = None) -> Watched:
        """All looks (n_looks, n_columns) one after another; the same bits as step by step."""
        table = np.atleast_2d(np.asarray(values, dtype=np.float64))
        now = self.start(table.shape[1]) if state is None else state
        for row in table:
            now = self.step(now, row)
        return now

    def _sides(self) -> list[tuple[Floats, float]]:
        """Per side the bets in the unit of x, and the mean that they are held against."""
        sizes = np.geomspace(0.05, 0.9, N_BETS)
        sides = []
        if self.high is not None:
            sides.append((sizes / self.high, self.high))
        if self.low is not None:
            sides.append((-sizes / (1 - self.low), self.low))
        return sides


def window_counts(values: ArrayLike) -> Floats:
    """How many values of a window (n,) lie at each of the steps 0, 1/1000, ..., 1: (GRID + 1,).

    A value between two steps is shared out to both so that it stays the mean; any bet then
    wins less than on the value itself (the logarithm is concave), so alarms stay valid. NaN is
    left out. Counts of windows add up.

    Examples
    --------
    >>> window_counts([0.0, 1.0, 0.5]).nonzero()[0].tolist()
    [0, 500, 1000]
    """
    x = _checked(values)
    x = x[~np.isnan(x)] * GRID
    below = np.floor(x)
    share = x - below
    place = below.astype(np.int64)
    held = np.bincount(place, weights=1.0 - share, minlength=GRID + 2)
    held += np.bincount(place + 1, weights=share, minlength=GRID + 2)
    return np.asarray(held[: GRID + 1], dtype=np.float64)


def loss_alarm(certified: float, tolerance: float, calibration: Calibration) -> MeanAlarm:
    """The alarm for a loss in [0, 1] above what was certified: only harm rings it.

    ``certified`` is an upper bound, at level 1 - a1, of the model's mean loss at release (a
    confidence bound on rows that it was not fitted on), ``tolerance`` the rise that nobody minds.
    The total chance of a false alarm is at most a1 plus that of the calibration. As evidence starts
    anew at every look, years of good losses do not slow it.

    Podkopaev & Ramdas, ICLR 2022, with an e-detector in place of the running risk.

    Examples
    --------
    >>> loss_alarm(0.10, 0.02, Calibration(looks=365)).high
    0.12
    """
    if not (0 <= certified <= 1 and tolerance >= 0 and certified + tolerance > 0):
        raise UsageError(
            "a loss cannot be watched",
            got=f"certified {certified}, tolerance {tolerance}",
            expected="a bound in [0, 1] and a tolerance from 0, together above 0",
        )
    # a bound at 1 can never be exceeded; the alarm is then silent, which is right
    return MeanAlarm(calibration, high=min(round(certified + tolerance, 12), 1 - 1e-9))


def _checked(values: ArrayLike) -> Floats:
    x = np.atleast_1d(np.asarray(values, dtype=np.float64))
    if ((x < -1e-12) | (x > 1 + 1e-12)).any():
        raise UsageError(
            "values that are watched must lie in [0, 1]",
            got=f"values from {np.nanmin(x):g} to {np.nanmax(x):g}",
            expected="values divided by a bound that was fixed before, and clipped",
        )
    return np.clip(x, 0.0, 1.0)
