"""What is popular now: counts of the last days, or counts that fade with their age."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from everfit.column import Array
from everfit.lists.asked import Asked, Interactions

DAY_S = 86_400.0
Windows = tuple[tuple[float, float], ...]  # days looked back at, and the half-life in days; 0: none
ALL_TIME: Windows = ((0.0, 0.0),)


@dataclass(frozen=True, slots=True)
class Popular:
    """The same list for everybody, by how often an item was met lately.

    Parameters
    ----------
    base : float32 (n_items,), highest 1
    windows : the windows whose popularity was averaged, each (days, half-life), 0 for none
    """

    base: Array
    windows: Windows = ALL_TIME
    name: ClassVar[str] = "popular"

    def scores(self, asked: Asked) -> Array:
        """Popularity, float32 (n, n_items), the same row for each ask."""
        return np.broadcast_to(self.base, (asked.n, self.base.size))

    def because(self, asked: Asked, item: int) -> list[tuple[int, float]]:
        """Nothing of the history speaks for an item."""
        return []

    def similar(self, item: int) -> Array:
        """Nothing is known of how near items are."""
        return np.zeros_like(self.base)

    def arrays(self) -> dict[str, Array]:
        """What was learnt, as plain arrays."""
        return {"base": self.base}

    def settings(self) -> dict[str, Any]:
        """What else is needed to answer, as plain data."""
        return {"windows": [list(window) for window in self.windows]}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array], settings: Mapping[str, Any]) -> Popular:
        """The inverse of :meth:`arrays` and :meth:`settings`."""
        windows = tuple((float(days), float(half)) for days, half in settings["windows"])
        return cls(arrays["base"], windows)


def popularity_over(seen: Interactions, windows: Windows) -> Array:
    """The mean popularity over several windows, float32 (n_items,), highest 1."""
    total = np.zeros(seen.n_items)
    for days, half_life in windows:
        total += popularity(seen, days=days, half_life=half_life)
    return (total / max(float(total.max(initial=0.0)), 1e-12)).astype(np.float32)


def popularity(
    seen: Interactions, *, days: float = 0.0, half_life: float = 0.0, now: float | None = None
) -> Array:
    """How popular each item is at ``now`` (default: the newest time), float32 (n_items,), in 0..1.

    Items that are level in the window stand by their count over all time.

    Examples
    --------
    >>> seen = Interactions.of([0, 1, 2], [0, 0, 1], at=[0.0, 0.0, 9 * DAY_S])
    >>> popularity(seen, days=7).argmax(), popularity(seen).argmax()
    (np.int64(1), np.int64(0))
    """
    end = seen.newest if now is None else now
    weight = seen.weight.astype(np.float64)
    ever = np.bincount(seen.items, weights=weight, minlength=seen.n_items)
    if seen.timed and half_life > 0:
        weight = weight * 0.5 ** ((end - seen.at) / (half_life * DAY_S))
    if seen.timed and days > 0:
        weight = np.where(seen.at > end - days * DAY_S, weight, 0.0)
    lately = np.bincount(seen.items, weights=weight, minlength=seen.n_items)
    # less than the smallest step between two counts that float32 tells apart at this size
    lately = lately + 1e-3 * ever / max(float(ever.max(initial=0.0)), 1.0)
    return (lately / max(float(lately.max(initial=0.0)), 1e-12)).astype(np.float32)
