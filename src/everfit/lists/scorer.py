"""What a scorer is, and what all of them share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import numpy as np

from everfit.column import Array
from everfit.lists.asked import Asked

FAINT_MIX = 1e-4  # popularity decides between items that nothing personal speaks for


class Scorer(Protocol):
    """Scores of all items for each ask, from what the ask's history holds."""

    name: ClassVar[str]

    @property
    def base(self) -> Array:
        """Popularity beside what is personal, float32 (n_items,) in 0..1."""
        ...

    def scores(self, asked: Asked) -> Array:
        """Scores float32 (n, n_items), higher first; the caller asks in blocks of users."""
        ...

    def because(self, asked: Asked, item: int) -> list[tuple[int, float]]:
        """Which past items of a single ask speak for ``item``, with shares that sum to 1.

        Empty when popularity alone does.
        """
        ...

    def similar(self, item: int) -> Array:
        """How near each item is to ``item``, float32 (n_items,); 0 where nothing is known."""
        ...

    def arrays(self) -> dict[str, Array]:
        """What was learnt, as plain arrays."""
        ...

    def settings(self) -> dict[str, Any]:
        """What else is needed to answer, as plain data."""
        ...

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array], settings: Mapping[str, Any]) -> Scorer:
        """The inverse of :meth:`arrays` and :meth:`settings`."""
        ...


def with_base(personal: Array, base: Array, mix: float) -> Array:
    """Personal scores (n, n_items), scaled to a highest of 1 an ask, plus ``mix`` popularity.

    ``base`` (n_items,) lies in [0, 1]. An ask without anything personal gets popularity alone.
    """
    high = personal.max(axis=1, keepdims=True, initial=0.0)
    scale = np.where(high > 0, high, 1.0).astype(np.float32)
    found = personal / scale
    found += np.float32(mix) * base
    return np.asarray(found, dtype=np.float32)


def shares(parts: list[tuple[int, float]], most: int = 5) -> list[tuple[int, float]]:
    """Contributions above 0 as shares of their sum, largest first, at most ``most`` of them.

    Examples
    --------
    >>> shares([(7, 1.0), (8, -2.0), (9, 3.0)])
    [(9, 0.75), (7, 0.25)]
    """
    above = sorted(((item, part) for item, part in parts if part > 0), key=lambda p: (-p[1], p[0]))
    total = sum(part for _, part in above)
    return [(item, part / total) for item, part in above[:most]]
