"""Users and items as points in one space, by alternating least squares over all pairs.

iALS: Hu, Koren and Volinsky (2008); weights and penalties as in Rendle, Krichene, Zhang and Koren
(2022), Revisiting the performance of iALS on item recommendation benchmarks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy import sparse

from everfit.column import Array
from everfit.lists.asked import Asked
from everfit.lists.scorer import FAINT_MIX, shares, with_base

BATCH = 4_000_000  # numbers of one batch of histories, spread out: 16 MB


@dataclass(frozen=True, slots=True)
class Factors:
    """A point for each item; the point of an ask is solved from its history, so news counts.

    Parameters
    ----------
    items : float32 (n_items, d)
    gram : float32 (d, d), items' items
    base : float32 (n_items,), recent popularity in 0..1
    unseen : what a pair that was not seen counts beside one that was
    penalty : on the length of points, by how much there is to fit
    decay : what an interaction counts for each newer one
    mix : what popularity counts beside the personal score's highest of 1
    """

    items: Array
    gram: Array
    base: Array
    unseen: float = 0.1
    penalty: float = 0.003
    decay: float = 1.0
    mix: float = FAINT_MIX
    name: ClassVar[str] = "factors"

    def scores(self, asked: Asked) -> Array:
        """Scores float32 (n, n_items)."""
        return with_base(self.personal(asked), self.base, self.mix)

    def personal(self, asked: Asked) -> Array:
        """What the histories alone say, float32 (n, n_items)."""
        history = asked.vectors(self.base.size, decay=self.decay)
        points = solved_points(history, self.items, self.gram, self.unseen, self.penalty)
        return np.asarray(points @ self.items.T)

    def because(self, asked: Asked, item: int) -> list[tuple[int, float]]:
        """The past items of a single ask that speak for ``item``: each one's part of the point."""
        history = asked.vectors(self.base.size, decay=self.decay)
        met = self.items[history.indices]
        left = _left(met, history.data, self.gram, self.unseen, self.penalty, self.base.size)
        toward = np.linalg.solve(left, self.items[item])
        parts = history.data * (met @ toward)
        return shares(list(zip(history.indices.tolist(), parts.tolist(), strict=True)))

    def similar(self, item: int) -> Array:
        """The cosine of each item's point with that of ``item``, float32 (n_items,)."""
        length = np.maximum(np.linalg.norm(self.items, axis=1), 1e-12)
        near = np.asarray((self.items @ self.items[item]) / (length * length[item]), np.float32)
        near[item] = 0.0
        return near

    def arrays(self) -> dict[str, Array]:
        """What was learnt, as plain arrays."""
        return {"base": self.base, "items": self.items, "gram": self.gram}

    def settings(self) -> dict[str, Any]:
        """What else is needed to answer, as plain data."""
        return {
            "unseen": self.unseen, "penalty": self.penalty, "decay": self.decay, "mix": self.mix,
        }  # fmt: skip

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array], settings: Mapping[str, Any]) -> Factors:
        """The inverse of :meth:`arrays` and :meth:`settings`."""
        numbers = {key: float(settings[key]) for key in ("unseen", "penalty", "decay", "mix")}
        return cls(arrays["items"], arrays["gram"], arrays["base"], **numbers)


def alternating(
    matrix: sparse.csr_array, *, d: int = 64, rounds: int = 8, unseen: float = 0.1,
    penalty: float = 0.003, seed: int = 0, left: Callable[[], float] = lambda: float("inf"),
) -> tuple[Array, int]:  # fmt: skip
    """Points of items float32 (n_items, d), and the rounds done; ends early when time is over.

    Minimises sum over seen pairs w (x'y - 1)^2 + ``unseen`` sum over all (x'y)^2, plus penalties
    ``penalty`` (n_seen + unseen n_others) |x|^2 for users and items alike.
    """
    import time

    rng = np.random.default_rng(seed)
    n_items = matrix.shape[1]
    points = (rng.standard_normal((n_items, d)) * 0.1 / np.sqrt(d)).astype(np.float32)
    by_item, done = matrix.T.tocsr(), 0
    for _ in range(rounds):
        began = time.monotonic()
        users = solved_points(matrix, points, points.T @ points, unseen, penalty)
        points = solved_points(by_item, users, users.T @ users, unseen, penalty)
        done += 1
        if left() < 2.0 * (time.monotonic() - began):
            break
    return points, done


def solved_points(
    history: sparse.csr_array, others: Array, gram: Array, unseen: float, penalty: float
) -> Array:
    """The best point for each row of ``history``, given the points of its columns, float32 (n, d).

    (sum w y y' + unseen Y'Y + penalty (n_seen + unseen n_columns) I) x = sum w y.
    """
    n, d = history.shape[0], others.shape[1]
    found = np.zeros((n, d), dtype=np.float32)
    counts = np.diff(history.indptr)
    order = np.argsort(counts, kind="stable")
    low = int(np.searchsorted(counts[order], 1))
    while low < n:
        # rows of like length together: padding costs little, and one call solves many
        length = int(counts[order[min(low + 255, n - 1)]])
        most = max(1, BATCH // max(1, length * d + d * d))
        high = min(
            n, low + most, max(low + 256, int(np.searchsorted(counts[order], 1.25 * length)))
        )
        rows = order[low:high]
        length = int(counts[rows[-1]])
        place = history.indptr[rows][:, None] + np.arange(length)
        there = np.arange(length) < counts[rows][:, None]
        place = np.where(there, place, 0)
        weight = np.where(there, history.data[place], 0.0).astype(np.float32)
        met = others[history.indices[place]]
        left = _left(met, weight, gram, unseen, penalty, others.shape[0], counts[rows])
        right = (weight[:, None, :] @ met)[:, 0, :]
        found[rows] = np.linalg.solve(left, right[:, :, None])[:, :, 0]
        low = high
    return found


def _left(
    met: Array, weight: Array, gram: Array, unseen: float, penalty: float, n_others: int,
    counts: Array | None = None,
) -> Array:  # fmt: skip
    """The left side of the equations of one row (d, d), or of many rows (n, d, d)."""
    d = gram.shape[0]
    weighed = np.swapaxes(met * weight[..., None], -1, -2) @ met
    seen = np.asarray(weight.shape[-1] if counts is None else counts, dtype=np.float32)
    ridge = np.float32(penalty) * (seen + np.float32(unseen * n_others))
    left = (
        weighed + np.float32(unseen) * gram + ridge[..., None, None] * np.eye(d, dtype=np.float32)
    )
    return np.asarray(left, dtype=np.float32)
