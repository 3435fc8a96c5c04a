"""Streams whose law does not change, and what changes in them when it does.

Rows come in looks (windows of one stream); a run is one seed. Arrays are (looks, rows).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Array = NDArray[np.float64]
Rng = np.random.Generator
HOURS = 24  # looks in a day of the seasonal stream
LOOK_S = 365.25 * 86_400 / 1_000  # a look of the tests that `watch` runs: 1,000 in a year
AR = 0.6
WARM = 60  # rows until nothing is left of the start of an autoregression


@dataclass(frozen=True, slots=True)
class World:
    """A stationary stream: ``values`` of a column, and its looks' ``season`` where there is one."""

    name: str
    values: Callable[[Rng, int, int], Array]
    seasonal: bool = False

    def seasons(self, looks: int, first: int = 0) -> list[int]:
        """The season of each look: its hour, or 0 for all."""
        return [(first + look) % HOURS if self.seasonal else 0 for look in range(looks)]


def normal(rng: Rng, looks: int, rows: int) -> Array:
    """Independent, normal."""
    return rng.standard_normal((looks, rows))


def heavy(rng: Rng, looks: int, rows: int) -> Array:
    """Independent, Student's t with 3 degrees of freedom, scaled to standard deviation 1."""
    return rng.standard_t(3, (looks, rows)) / math.sqrt(3)


def dragged(rng: Rng, looks: int, rows: int) -> Array:
    """Each row 0.6 of the row before plus noise, standard deviation 1, on over all looks."""
    noise = rng.standard_normal(looks * rows + WARM) * math.sqrt(1 - AR**2)
    return np.asarray(lfilter([1.0], [1.0, -AR], noise)[WARM:].reshape(looks, rows))


def daily(rng: Rng, looks: int, rows: int) -> Array:
    """Normal around a level that rises and falls by 1 sd within 24 looks."""
    return rng.standard_normal((looks, rows)) + wave(looks)[:, None]


def wave(looks: int, first: int = 0) -> Array:
    """The level of each look of a day, from -1 to 1."""
    return np.asarray(np.sin(2 * math.pi * (first + np.arange(looks)) / HOURS))


def by_clock(rng: Rng, looks: int, rows: int) -> Array:
    """As :func:`daily`, by the clock: a look is a thousandth of a year, 8 h 46 min."""
    at = (np.arange(looks)[:, None] + (np.arange(rows) + 0.5) / rows) * LOOK_S
    return rng.standard_normal((looks, rows)) + np.sin(2 * math.pi * at / 86_400)


def starts(looks: int) -> list[datetime]:
    """When each look begins, from a Monday on."""
    return [
        datetime(2024, 1, 1, tzinfo=UTC) + look * timedelta(seconds=LOOK_S) for look in range(looks)
    ]


NORMAL = World("independent, normal", normal)
HEAVY = World("heavy tails (t, 3 df)", heavy)
DRAGGED = World("autocorrelated (0.6)", dragged)
DAILY = World("daily season", daily, seasonal=True)
CLOCK = World("daily season", by_clock)
WORLDS = (NORMAL, HEAVY, DRAGGED, DAILY)


def losses(x: Array) -> Array:
    """Losses in [0, 1] made of a stream: absolute values over a bound of 5, clipped."""
    return np.minimum(np.abs(x) / 5.0, 1.0)


def differences(x: Array) -> Array:
    """Differences of two models' losses in [-1, 1] with mean 0, made of a symmetric stream."""
    return np.clip(0.2 * x, -1.0, 1.0)


def zero_one(rng: Rng, looks: int, rows: int, gain: float = 0.0, apart: float = 0.08) -> Array:
    """Differences of 0-1 losses: ``apart`` of rows differ, the new one wins by ``gain``."""
    u = rng.random((looks, rows))
    wins, all_ = (apart + gain) / 2, apart
    return np.where(u < wins, 1.0, np.where(u < all_, -1.0, 0.0))


def seed(*parts: Any) -> Rng:
    """A generator for a run, by numbers that name it."""
    return np.random.default_rng(list(parts))
