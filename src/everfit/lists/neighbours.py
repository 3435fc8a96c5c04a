"""Items that the same users meet: item-kNN by cosine, and EASE in closed form.

EASE: Steck (2019), Embarrassingly shallow autoencoders for sparse data, WWW.
Shrunk cosine: Aiolli (2013); counts of few users are shrunk as in Koren (2008).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np
from scipy import sparse

from everfit.column import Array
from everfit.lists.asked import Asked, Interactions
from everfit.lists.scorer import FAINT_MIX, shares, with_base

# float32 (n_items, n_items): a dense array, or a sparse csr_array of the strongest pairs
Near: TypeAlias = Any
KEPT = 200  # neighbours of an item that are kept
LONGEST = 500  # interactions of one user that count: a robot's history would cost its square
ROWS = 1_024  # items whose neighbours are in memory at one time


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Each past item speaks for its neighbours, the newest most.

    Parameters
    ----------
    near : (n_items, n_items), row = past item, column = what it speaks for; dense float32 for
        EASE, else sparse
    base : float32 (n_items,), recent popularity in 0..1
    decay : what an interaction counts for each newer one
    mix : what popularity counts beside the personal score's highest of 1
    """

    near: Near
    base: Array
    decay: float = 1.0
    mix: float = FAINT_MIX
    name: ClassVar[str] = "neighbours"

    def scores(self, asked: Asked) -> Array:
        """Scores float32 (n, n_items)."""
        return with_base(self.personal(asked), self.base, self.mix)

    def personal(self, asked: Asked) -> Array:
        """What the histories alone say, float32 (n, n_items)."""
        return spoken(asked.vectors(self.base.size, decay=self.decay), self.near)

    def because(self, asked: Asked, item: int) -> list[tuple[int, float]]:
        """The past items of a single ask that speak for ``item``."""
        return speaking(asked.vectors(self.base.size, decay=self.decay), self.near, item)

    def similar(self, item: int) -> Array:
        """How near each item is to ``item``, float32 (n_items,)."""
        return row_of(self.near, item)

    def arrays(self) -> dict[str, Array]:
        """What was learnt, as plain arrays."""
        return {"base": self.base} | plain("near", self.near)

    def settings(self) -> dict[str, Any]:
        """What else is needed to answer, as plain data."""
        return {"decay": self.decay, "mix": self.mix}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array], settings: Mapping[str, Any]) -> Neighbours:
        """The inverse of :meth:`arrays` and :meth:`settings`."""
        near = from_plain("near", arrays)
        return cls(near, arrays["base"], float(settings["decay"]), float(settings["mix"]))


def spoken(history: sparse.csr_array, near: Near) -> Array:
    """``history`` (n, n_items) times ``near`` as float32 (n, n_items)."""
    if history.shape[0] == 1:
        return _spoken_one(history, near)
    found = history @ near
    return np.asarray(found.toarray() if sparse.issparse(found) else found, dtype=np.float32)


def _spoken_one(history: sparse.csr_array, near: Near) -> Array:
    """The same for a single ask to the last bit, without the bookkeeping of a sparse product."""
    total = np.zeros((1, near.shape[1]), dtype=np.float32)
    if not sparse.issparse(near):
        # one after the other, as the sparse product adds them: BLAS adds in another order
        for item, weight in zip(history.indices.tolist(), history.data.tolist(), strict=True):
            total[0] += np.float32(weight) * near[item]
        return total
    starts, places, values = near.indptr, near.indices, near.data
    for item, weight in zip(history.indices.tolist(), history.data.tolist(), strict=True):
        at = slice(starts[item], starts[item + 1])
        # a row names each item once, so that plain addition loses nothing
        total[0, places[at]] += np.float32(weight) * values[at]
    return total


def speaking(history: sparse.csr_array, near: Near, item: int) -> list[tuple[int, float]]:
    """Which items of a single history speak for ``item``, with shares."""
    parts = []
    for past, weight in zip(history.indices.tolist(), history.data.tolist(), strict=True):
        parts.append((int(past), float(weight) * float(row_of(near, past)[item])))
    return shares(parts)


def row_of(near: Near, item: int) -> Array:
    """One row of a matrix, dense or sparse, as float32 (n_items,)."""
    if not sparse.issparse(near):
        return np.asarray(near[item], dtype=np.float32)
    row = np.zeros(near.shape[1], dtype=np.float32)
    at = slice(near.indptr[item], near.indptr[item + 1])
    row[near.indices[at]] = near.data[at]
    return row


def met(seen: Interactions, *, weighted: bool = True) -> sparse.csr_array:
    """Who met what, float32 (n_users, n_items): the newest ``LONGEST`` of each user count."""
    history = seen.histories()
    kept = np.flatnonzero(history.steps_back() < LONGEST)
    rows = np.repeat(np.arange(history.n), history.lengths)[kept]
    value = history.weight[kept] if weighted else np.ones(kept.size, np.float32)
    matrix = sparse.csr_array(
        (value, (rows, history.items[kept])), shape=(seen.n_users, seen.n_items), dtype=np.float32
    )
    # who meets an item often speaks for it, but not in proportion
    matrix.data = np.minimum(matrix.data, np.float32(2.0) * value.max(initial=0.0))
    return matrix


def cosine(matrix: sparse.csr_array, *, shrink: float = 10.0, kept: int = KEPT) -> sparse.csr_array:
    """The ``kept`` nearest items of each item by shrunk cosine, sparse (n_items, n_items).

    c(i, j) = x_i . x_j / (|x_i| |x_j| + shrink); an item is no neighbour of itself.
    """
    length = np.sqrt(np.asarray(matrix.power(2).sum(axis=0)).ravel())
    by_item = matrix.T.tocsr()
    parts = []
    for low in range(0, matrix.shape[1], ROWS):
        block = (by_item[low : low + ROWS] @ matrix).tocsr()
        rows = np.repeat(np.arange(block.shape[0]), np.diff(block.indptr)) + low
        block.data = block.data / (length[rows] * length[block.indices] + shrink)
        block.data[rows == block.indices] = 0.0
        parts.append(strongest(block, kept))
    return joined(parts, matrix.shape[1])


def strongest(matrix: sparse.csr_array, kept: int) -> sparse.csr_array:
    """The ``kept`` largest values above 0 of each row; equal values stand by column."""
    starts, columns, values = matrix.indptr, matrix.indices, matrix.data
    chosen = []
    for low, high in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        row = values[low:high]
        places = np.flatnonzero(row > 0)
        if places.size > kept:
            # a partition of each row: sorting all pairs took most of a fit of a million rows
            edge = np.partition(row[places], places.size - kept)[places.size - kept]
            above = np.flatnonzero(row > edge)
            level = np.flatnonzero(row == edge)
            level = level[np.argsort(columns[low + level], kind="stable")][: kept - above.size]
            places = np.sort(np.concatenate([above, level]))
        chosen.append(places + low)
    counts = np.array([places.size for places in chosen], dtype=np.int64)
    every = np.concatenate(chosen) if chosen else np.zeros(0, dtype=np.int64)
    ends = np.concatenate([[0], np.cumsum(counts)])
    return sparse.csr_array(
        (values[every].astype(np.float32), columns[every], ends), shape=matrix.shape
    )


def joined(parts: list[sparse.csr_array], n_items: int) -> sparse.csr_array:
    """Blocks of rows as one matrix (n_items, n_items) of float32."""
    if not parts:
        return sparse.csr_array((n_items, n_items), dtype=np.float32)
    return sparse.csr_array(sparse.vstack(parts, format="csr"), dtype=np.float32)


def ease(matrix: sparse.csr_array, *, penalty: float = 200.0) -> Array:
    """EASE's item weights, float32 (n_items, n_items): B = I - P diag(P)^-1, P = (X'X + l I)^-1.

    Costs n_items^3 operations and three dense matrices of n_items^2.
    """
    from scipy.linalg import lapack

    gram = np.asarray((matrix.T @ matrix).todense(), dtype=np.float32)
    gram[np.diag_indices_from(gram)] += np.float32(penalty)
    factor, fault = lapack.spotrf(gram, lower=1, overwrite_a=1)
    if fault == 0:
        inverse, fault = lapack.spotri(factor, lower=1, overwrite_c=1)
    if fault != 0:
        raise np.linalg.LinAlgError("the penalty is too small for these counts")
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return np.ascontiguousarray(weights, dtype=np.float32)


def plain(name: str, near: Near) -> dict[str, Array]:
    """A matrix as plain arrays whose names begin with ``name``."""
    if not sparse.issparse(near):
        return {name: near}
    return {
        f"{name}_values": near.data,
        f"{name}_items": near.indices.astype(np.int32),
        f"{name}_starts": near.indptr.astype(np.int64),
    }


def from_plain(name: str, arrays: Mapping[str, Array]) -> Near:
    """The inverse of :func:`plain`, for a square matrix."""
    if name in arrays:
        return arrays[name]
    starts = arrays[f"{name}_starts"]
    n = starts.size - 1
    return sparse.csr_array((arrays[f"{name}_values"], arrays[f"{name}_items"], starts), (n, n))
