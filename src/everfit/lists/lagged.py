"""What follows what: items met together, and items met soon after one another, in one score.

score = W(decay) B + alpha W(fade) D. B says which items the same users meet (EASE or cosine), D
which items follow an item within a few steps; W weighs a history, its newest interaction most.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from scipy import sparse

from everfit.column import Array
from everfit.lists.asked import Asked, Interactions
from everfit.lists.neighbours import Near, from_plain, plain, row_of, spoken, strongest
from everfit.lists.scorer import FAINT_MIX, shares, with_base

FOLLOWERS = 400  # items that follow an item, as many as are kept


@dataclass(frozen=True, slots=True)
class Lagged:
    """Neighbours by a faded history, and followers by one that fades faster.

    Parameters
    ----------
    near : (n_items, n_items), row = past item; dense or sparse
    after : sparse (n_items, n_items), row = past item, column = what follows it
    base : float32 (n_items,), recent popularity in 0..1
    alpha : what followers count beside neighbours
    decay, fade : what an interaction counts for each newer one, for neighbours and followers
    mix : what popularity counts beside the personal score's highest of 1
    """

    near: Near
    after: sparse.csr_array
    base: Array
    alpha: float = 1.0
    decay: float = 0.9
    fade: float = 0.7
    mix: float = FAINT_MIX
    name: ClassVar[str] = "lagged"

    def scores(self, asked: Asked) -> Array:
        """Scores float32 (n, n_items)."""
        return with_base(self.personal(asked), self.base, self.mix)

    def personal(self, asked: Asked) -> Array:
        """What the histories alone say, float32 (n, n_items)."""
        near, after = self.parts(asked)
        return np.asarray(near + np.float32(self.alpha) * after)

    def parts(self, asked: Asked) -> tuple[Array, Array]:
        """What neighbours and followers say, each float32 (n, n_items)."""
        n_items = self.base.size
        return (
            spoken(asked.vectors(n_items, decay=self.decay), self.near),
            spoken(asked.vectors(n_items, decay=self.fade), self.after),
        )

    def because(self, asked: Asked, item: int) -> list[tuple[int, float]]:
        """The past items of a single ask that speak for ``item``."""
        n_items, total = self.base.size, dict[int, float]()
        for decay, matrix, times in (
            (self.decay, self.near, 1.0),
            (self.fade, self.after, self.alpha),
        ):
            history = asked.vectors(n_items, decay=decay)
            for past, weight in zip(history.indices.tolist(), history.data.tolist(), strict=True):
                part = times * float(weight) * float(row_of(matrix, past)[item])
                total[past] = total.get(past, 0.0) + part
        return shares(list(total.items()))

    def similar(self, item: int) -> Array:
        """How near each item is to ``item``, float32 (n_items,)."""
        return row_of(self.near, item) + np.float32(self.alpha) * row_of(self.after, item)

    def arrays(self) -> dict[str, Array]:
        """What was learnt, as plain arrays."""
        return {"base": self.base} | plain("near", self.near) | plain("after", self.after)

    def settings(self) -> dict[str, Any]:
        """What else is needed to answer, as plain data."""
        return {"alpha": self.alpha, "decay": self.decay, "fade": self.fade, "mix": self.mix}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array], settings: Mapping[str, Any]) -> Lagged:
        """The inverse of :meth:`arrays` and :meth:`settings`."""
        near, after = from_plain("near", arrays), from_plain("after", arrays)
        numbers = {key: float(settings[key]) for key in ("alpha", "decay", "fade", "mix")}
        return cls(near, after, arrays["base"], **numbers)


def followers(
    seen: Interactions, *, reach: int = 10, shrink: float | None = None, power: float = 0.3,
    kept: int = FOLLOWERS,
) -> sparse.csr_array:  # fmt: skip
    """Which items follow an item within ``reach`` steps, sparse (n_items, n_items).

    A follower at lag k counts 1 / k. Each row is divided by its sum plus ``shrink`` (None: a
    quarter of the mean sum), each column by its item's count to the power ``power``: what follows
    everything tells little.

    Examples
    --------
    >>> seen = Interactions.of([0, 0, 1, 1], [2, 5, 2, 5])
    >>> int(followers(seen).toarray()[2].argmax())
    5
    """
    history, n_items = seen.histories(), seen.n_items
    ends = np.repeat(history.starts[1:], history.lengths)
    total = sparse.csr_array((n_items, n_items), dtype=np.float32)
    for lag in range(1, reach + 1):
        first = np.flatnonzero(np.arange(history.items.size) + lag < ends)
        pair = (history.items[first], history.items[first + lag])
        value = np.full(first.size, 1.0 / lag, dtype=np.float32)
        total = total + sparse.csr_array((value, pair), shape=(n_items, n_items))
    rows = np.repeat(np.arange(n_items), np.diff(total.indptr))
    sums = np.asarray(total.sum(axis=1)).ravel()
    held = 0.25 * float(sums[sums > 0].mean()) if shrink is None and sums.any() else shrink or 0.0
    counts = np.maximum(np.bincount(seen.items, minlength=n_items), 1.0) ** power
    total.data = total.data / ((sums[rows] + held) * counts[total.indices])
    total.data[rows == total.indices] = 0.0
    return strongest(total, kept)


def level(scorer: Lagged, seen: Interactions, *, most: int = 200) -> Lagged:
    """The scorer with its two matrices at one height: 1 is the mean of an ask's highest score.

    So ``alpha`` means the same on all data.
    """
    users = np.flatnonzero(np.bincount(seen.users, minlength=seen.n_users))
    users = users[np.linspace(0, users.size - 1, min(most, users.size)).astype(np.int64)]
    near, after = scorer.parts(seen.histories().take(users))
    high = [float(part.max(axis=1, initial=0.0).mean()) for part in (near, after)]
    scale = [np.float32(1.0 / value if value > 0 else 1.0) for value in high]
    return replace(scorer, near=scorer.near * scale[0], after=scorer.after * scale[1])
