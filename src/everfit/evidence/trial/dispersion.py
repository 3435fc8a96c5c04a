"""How far the units of a trial hang together, and what to do about it.

Rows that follow each other are seldom independent: a bad hour is bad for many rows. The mean
of a window then varies more than its rows explain, and bets that take rows for independent are too
bold. With a variance d times as large, ``wealth^(1/d)`` is fair again: exactly for groups of d
equal rows (Hoelder), and for sums that are nearly normal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from everfit.errors import UsageError
from everfit.evidence.interval import Floats
from everfit.evidence.trial.differences import Differences

# windows that are put together, as what hangs together may outlast one window; and how many pairs
# are taken as seen, at what the scale before shows: few pairs at large scales would be noise
SCALES = {1: 2, 4: 4, 16: 8}
SURE = 2.0  # standard errors beyond which windows differ more than by chance
DAY_S, WEEK_S = 86_400.0, 7 * 86_400.0
MOST_SEASON = 48  # looks: a longer season would keep a trial waiting for weeks


@dataclass(frozen=True, slots=True)
class Dependence:
    """What is known of the order of units: they may hang together, and have seasons.

    An answer is read only after whole seasons of ``season_looks`` windows (7 for days and weekdays)
    and not before ``least_looks`` windows; the wealth is tempered by :func:`dispersions`. The error
    then holds as the number of windows grows, not exactly.

    Examples
    --------
    >>> Dependence(season_looks=7).readable(22).nonzero()[0].tolist()
    [13, 20]
    """

    season_looks: int = 1
    least_looks: int = 10

    def __post_init__(self) -> None:
        if self.season_looks < 1 or self.least_looks < 1:
            raise UsageError(
                "the order of units cannot be read",
                got=f"seasons of {self.season_looks} and at least {self.least_looks} windows",
                expected="1 window or more",
            )

    def readable(self, n_looks: int) -> NDArray[np.bool_]:
        """At which looks an answer may be read (n_looks,)."""
        look = np.arange(1, n_looks + 1)
        return np.asarray((look % self.season_looks == 0) & (look >= self.least_looks))


def season_of(window_s: float) -> int:
    """Windows of one turn of the season that traffic has: a week of days, a day of hours.

    Examples
    --------
    >>> season_of(86_400.0), season_of(3_600.0), season_of(7 * 86_400.0)
    (7, 24, 1)
    """
    for season_s in (DAY_S, WEEK_S):
        if window_s < season_s:
            looks = season_s / window_s
            return max(1, round(looks)) if looks <= MOST_SEASON else 1
    return 1


def least_time_s(window_s: float, *, least_looks: int = 10) -> float:
    """Seconds of windows that a trial needs before its answer can be read once.

    Examples
    --------
    >>> [least_time_s(days * 86_400.0) / 86_400.0 for days in (1, 7)]
    [14.0, 70.0]
    """
    known = Dependence(season_of(window_s), least_looks)
    seasons = math.ceil(known.least_looks / known.season_looks)
    return seasons * known.season_looks * window_s


def dispersions(blocks: Sequence[Differences]) -> Floats:
    """By how much to temper all wealth up to each look (n_looks,); 1 or more.

    The largest of the mean ``within`` of the blocks and, for 1, 4 and 16 windows put together, of
    ``mean((m_j - m_{j-1})^2 / (s^2/n_j + s^2/n_{j-1}))`` over neighbours so far, each shrunk
    towards the largest before it and counted where it is beyond chance (2 standard errors): the
    largest of three noisy guesses would else be 1.1 for independent rows, and cost as many rows.

    Examples
    --------
    >>> apart = [Differences.of([1, 1], [0, 0], 1.0), Differences.of([0, 0], [1, 1], 1.0)] * 8
    >>> dispersions(apart).round(1).tolist()[::5]
    [1.0, 3.2, 3.6, 3.7]
    """
    n = np.array([block.n for block in blocks], dtype=np.float64)
    totals = np.array([block.total for block in blocks], dtype=np.float64)
    squares = np.array([block.squares for block in blocks], dtype=np.float64)
    inside = np.array([block.within for block in blocks], dtype=np.float64)
    out = np.ones(len(blocks))
    if len(blocks):
        out = np.maximum(np.cumsum(n * inside) / np.maximum(np.cumsum(n), 1.0), 1.0)
        for scale, prior in SCALES.items():
            if len(blocks) >= 2 * scale:
                gaps, pairs = _gaps(n, totals, squares, scale)
                known = prior + pairs
                found = (prior * out + gaps) / known
                out = np.maximum(out, np.where(found > 1 + SURE * np.sqrt(3 / known), found, 1.0))
    return out


def _gaps(n: Floats, totals: Floats, squares: Floats, scale: int) -> tuple[Floats, Floats]:
    """The sum of all gaps between neighbours so far, and their number, by each look."""
    size = len(n) // scale * scale
    rows = n[:size].reshape(-1, scale).sum(axis=1)
    sums = totals[:size].reshape(-1, scale).sum(axis=1)
    so_far = np.maximum(np.cumsum(n)[scale - 1 : size : scale], 1.0)
    mean = np.cumsum(sums) / so_far
    variance = np.cumsum(squares)[scale - 1 : size : scale] / so_far - mean**2
    held = (rows[1:] > 0) & (rows[:-1] > 0) & (variance[1:] > 1e-12)
    safe = np.maximum(rows, 1.0)
    spread = np.where(held, variance[1:], 1.0) * (1 / safe[1:] + 1 / safe[:-1])
    means = sums / safe
    gaps = np.where(held, (means[1:] - means[:-1]) ** 2 / spread, 0.0)
    seen = np.concatenate([[0.0], np.cumsum(gaps)])
    pairs = np.concatenate([[0.0], np.cumsum(held)])
    # groups that are over by each look; before the first nothing is known at this scale
    over = np.maximum((np.arange(len(n)) + 1) // scale - 1, 0)
    return seen[over], pairs[over]
