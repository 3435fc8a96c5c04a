"""Items alike in what is written about them: the only voice for an item that nobody has met.

tf-idf: Sparck Jones (1972), A statistical interpretation of term specificity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy import sparse

from everfit.column import Array
from everfit.lists.asked import Asked
from everfit.lists.neighbours import speaking
from everfit.lists.scorer import FAINT_MIX, with_base

MOST_MARKS = 50_000


@dataclass(frozen=True, slots=True)
class Content:
    """A history as the mean of what its items are described by; the nearest items come first.

    Parameters
    ----------
    marks : sparse float32 (n_items, n_marks), rows of length 1 or empty
    base : float32 (n_items,), recent popularity in 0..1
    decay : what an interaction counts for each newer one
    mix : what popularity counts beside the personal score's highest of 1
    """

    marks: sparse.csr_array
    base: Array
    decay: float = 0.97
    mix: float = FAINT_MIX
    name: ClassVar[str] = "content"

    def scores(self, asked: Asked) -> Array:
        """Scores float32 (n, n_items)."""
        return with_base(self.personal(asked), self.base, self.mix)

    def personal(self, asked: Asked) -> Array:
        """What the histories alone say, float32 (n, n_items)."""
        profile = asked.vectors(self.base.size, decay=self.decay) @ self.marks
        return np.asarray((self.marks @ profile.toarray().T).T, dtype=np.float32)

    def because(self, asked: Asked, item: int) -> list[tuple[int, float]]:
        """The past items of a single ask that are described like ``item``."""
        history = asked.vectors(self.base.size, decay=self.decay)
        near = self.similar(item)
        rows = sparse.csr_array(near[:, None])
        return speaking(history, rows, 0)

    def similar(self, item: int) -> Array:
        """The cosine of each item's marks with those of ``item``, float32 (n_items,)."""
        near = np.asarray((self.marks @ self.marks[[item]].toarray().T)[:, 0], dtype=np.float32)
        near[item] = 0.0
        return near

    def arrays(self) -> dict[str, Array]:
        """What was learnt, as plain arrays."""
        return {
            "base": self.base,
            "values": self.marks.data,
            "places": self.marks.indices.astype(np.int32),
            "starts": self.marks.indptr.astype(np.int64),
            "width": np.array([self.marks.shape[1]]),
        }

    def settings(self) -> dict[str, Any]:
        """What else is needed to answer, as plain data."""
        return {"decay": self.decay, "mix": self.mix}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array], settings: Mapping[str, Any]) -> Content:
        """The inverse of :meth:`arrays` and :meth:`settings`."""
        shape = (arrays["starts"].size - 1, int(arrays["width"][0]))
        marks = sparse.csr_array((arrays["values"], arrays["places"], arrays["starts"]), shape)
        return cls(marks, arrays["base"], float(settings["decay"]), float(settings["mix"]))


def described(marks: Sequence[Sequence[str]]) -> sparse.csr_array:
    """tf-idf of the marks (words, categories) of each item, float32 (n_items, n_marks).

    A mark of one item alone tells nothing of others and is left out, as is one of more than half
    of the items; the ``MOST_MARKS`` most frequent others stay.

    Examples
    --------
    >>> found = described([["war", "space"], ["space"], ["war"], ["cat"], []])
    >>> (found @ found.T).toarray()[0].astype(float).round(1).tolist()
    [1.0, 0.7, 0.7, 0.0, 0.0]
    """
    names, places = np.unique([mark for some in marks for mark in some], return_inverse=True)
    rows = np.repeat(np.arange(len(marks)), [len(some) for some in marks])
    matrix = sparse.csr_array(
        (np.ones(places.size, np.float32), (rows, places)), shape=(len(marks), names.size)
    )
    matrix.sum_duplicates()
    seen = np.bincount(matrix.indices, minlength=names.size)
    useful = np.flatnonzero((seen > 1) & (seen <= 0.5 * len(marks)))
    useful = np.sort(useful[np.argsort(-seen[useful], kind="stable")[:MOST_MARKS]])
    matrix = matrix[:, useful]
    idf = np.log((1.0 + len(marks)) / (1.0 + seen[useful])) + 1.0
    matrix.data = (np.sqrt(matrix.data) * idf[matrix.indices]).astype(np.float32)
    length = np.sqrt(np.asarray(matrix.power(2).sum(axis=1)).ravel())
    counts = np.diff(matrix.indptr)
    matrix.data = matrix.data / np.repeat(length, counts)
    return sparse.csr_array(matrix, dtype=np.float32)
