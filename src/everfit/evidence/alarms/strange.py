"""Is this window stranger than the windows before it? Ranks of window scores, per season.

The unit is the window, not the row: rows of a day hang together, days of the same weekday are
exchangeable while nothing changes, and then the rank of each new score is exactly uniform,
whatever the data. The score is a number per window and column that was fixed before: a mean rank, a
share of missing values, an area of a domain classifier.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from everfit.errors import UsageError
from everfit.evidence.alarms.recursion import Calibration, Watched, started, step
from everfit.evidence.interval import Floats

Side = Literal["both", "high"]
LEAST = 20  # calibration windows per season: with fewer, even the strangest ranks earn little


@dataclass(frozen=True, slots=True, eq=False)
class StrangeState:
    """Where the alarms stand: the evidence, and the scores of each season (n_windows, n_columns).

    Scores grow with every look, so a season's new normal is learnt in time.
    """

    watched: Watched
    seen: Mapping[str, Floats]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for the ledger; :meth:`from_dict` gives the same state back."""
        return {
            "watched": self.watched.as_dict(),
            "seen": {
                # JSON knows no NaN
                season: [[None if math.isnan(x) else x for x in row] for row in scores.tolist()]
                for season, scores in self.seen.items()
            },
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> StrangeState:
        """The inverse of :meth:`as_dict`, bit for bit."""
        watched = Watched.from_dict(plain["watched"])
        columns = len(watched.statistic)
        return cls(
            watched,
            {
                season: np.array(rows, dtype=np.float64).reshape(-1, columns)
                for season, rows in plain["seen"].items()
            },
        )


@dataclass(frozen=True, slots=True)
class StrangeAlarm:
    """A set of alarms, one per column, for windows whose scores are strange for their season.

    p = (greater + U (equal + 1)) / (n + 1) among the scores of the same season; the gain is
    ``f(p) = (1 - p + p ln p) / (p ln^2 p)``, the mixture of all power bets k p^(k-1). ``side``
    "high": only large scores are strange; "both" also bets f(1 - p). U comes from
    ``seed`` and the number of the look alone, so a replay draws the same.

    Vovk et al., COPA 2021, with the e-detector recursion. Looks of the calibration are windows.

    Examples
    --------
    >>> alarm = StrangeAlarm(Calibration(looks=365, alpha=0.01), seed=7)
    >>> calm = np.random.default_rng(0).normal(size=(120, 1))
    >>> state = alarm.start(calm)
    >>> int(alarm.replay(state, np.full((20, 1), 6.0)).watched.first[0])
    7
    """

    calibration: Calibration
    seed: int = 0
    side: Side = "both"

    def start(self, scores: ArrayLike, seasons: Sequence[Hashable] | None = None) -> StrangeState:
        """From the calibration windows (n_windows, n_columns) and the season of each.

        Raises
        ------
        UsageError : seasons that are not one per window
        """
        table = _table(scores)
        names = _names(seasons, len(table))
        marks = np.array(names, dtype=object)
        seen = {name: table[marks == name] for name in dict.fromkeys(names)}
        return StrangeState(started(table.shape[1], 2 if self.side == "both" else 1), seen)

    def step(self, state: StrangeState, scores: ArrayLike, season: Hashable = "") -> StrangeState:
        """One window: a score per column (n_columns,); NaN is a look at which nothing was bet."""
        return self.replay(state, np.asarray(scores, dtype=np.float64).reshape(1, -1), [season])

    def replay(
        self, state: StrangeState, scores: ArrayLike, seasons: Sequence[Hashable] | None = None
    ) -> StrangeState:
        """All windows (n_windows, n_columns) in order; the same bits as step by step.

        Raises
        ------
        UsageError : other columns than the calibration, or seasons that are not one per window
        """
        table = _table(scores)
        columns = len(state.watched.statistic)
        if len(table) and table.shape[1] != columns:
            raise UsageError(
                "a window has other columns than the calibration",
                got=f"{table.shape[1]} scores",
                expected=f"{columns}, NaN where there is none",
            )
        names = _names(seasons, len(table))
        seen, p = self._ranked(state, table, names)
        gains = [power_gain(p)] + ([power_gain(1 - p)] if self.side == "both" else [])
        watched = state.watched
        for gain in np.stack(gains, axis=2):
            watched = step(watched, gain, self.calibration)
        return StrangeState(watched, seen)

    def _ranked(
        self, state: StrangeState, table: Floats, names: Sequence[str]
    ) -> tuple[dict[str, Floats], Floats]:
        """All scores by season, and the p of each new one (n_windows, n_columns)."""
        columns = len(state.watched.statistic)
        marks = np.array(names, dtype=object)
        seen, p = dict(state.seen), np.empty((len(table), columns))
        for name in dict.fromkeys(names):
            before = seen.get(name, np.zeros((0, columns)))
            where = np.flatnonzero(marks == name)
            grown = np.vstack([before, table[where]])
            for row, window in enumerate(where, len(before)):
                draws = self._draws(state.watched.looks + int(window), columns)
                p[window] = conformal_p(grown[:row], grown[row], draws)
            seen[name] = grown
        return seen, p

    def _draws(self, look: int, columns: int) -> Floats:
        return np.random.default_rng([self.seed, look]).random(columns)


def conformal_p(before: Floats, scores: Floats, draws: Floats) -> Floats:
    """The rank of each score among earlier ones (n, n_columns), as a p-value (n_columns,).

    Exactly uniform when all are exchangeable; small for large scores. ``draws`` in [0, 1) break
    ties. NaN for a missing score.

    Examples
    --------
    >>> conformal_p(np.array([[1.0], [2.0], [3.0]]), np.array([9.0]), np.array([0.5])).tolist()
    [0.125]
    """
    greater = (before > scores).sum(axis=0)
    equal = (before == scores).sum(axis=0)
    known = (~np.isnan(before)).sum(axis=0)
    p = (greater + draws * (equal + 1)) / (known + 1)
    return np.where(np.isnan(scores), np.nan, p)


def power_gain(p: Floats) -> Floats:
    """``(1 - p + p ln p)/(p ln^2 p)``: what a bet on small p earns; its mean over (0, 1) is 1.

    1 for a missing p.

    Examples
    --------
    >>> power_gain(np.array([0.01, 0.5, 1.0, np.nan])).round(2).tolist()
    [4.45, 0.64, 0.5, 1.0]
    """
    q = np.clip(p, 1e-12, 1.0)
    near = q > 1 - 1e-4  # the quotient of two small numbers; its limit is 1/2 + (1 - p)/6
    safe = np.where(near, 0.5, q)
    logs = np.log(safe)
    gain = (1 - safe + safe * logs) / (safe * logs**2)
    gain = np.where(near, 0.5 + (1 - q) / 6, gain)
    return np.where(np.isnan(q), 1.0, gain)


def finest_seasons(levels: Sequence[Sequence[Hashable]], least: int = LEAST) -> int:
    """Which way to tell seasons apart has enough calibration windows in each: its position.

    ``levels`` name the season of each calibration window in several ways, the finest first (weekday
    and hour; weekday; none). The first in which every season has at least ``least`` windows is
    taken; ``len(levels)`` when none has: then all windows are one season.

    Examples
    --------
    >>> weekday = [day % 7 for day in range(120)]
    >>> finest_seasons([weekday, [day >= 5 for day in weekday]])
    1
    """
    for position, names in enumerate(levels):
        if len(names) and min(Counter(names).values()) >= least:
            return position
    return len(levels)


def _names(seasons: Sequence[Hashable] | None, n_windows: int) -> list[str]:
    names = [""] * n_windows if seasons is None else [str(name) for name in seasons]
    if len(names) != n_windows:
        raise UsageError(
            "seasons do not fit the windows",
            got=f"{len(names)} seasons and {n_windows} windows",
            expected="one season per window",
        )
    return names


def _table(scores: ArrayLike) -> Floats:
    table = np.asarray(scores, dtype=np.float64)
    return table[:, None] if table.ndim == 1 else table
