"""A forest of scikit-learn trees, walked by LightGBM's C library."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from everfit.column import Array
from everfit.serve.engines.trees import Trees, lightgbm_text
from everfit.serve.vector import Vector

FEW = 2_000  # rows for which groups are not built: that takes longer than it saves
TREES_AT_ONCE = 16  # deep trees: about what a processor's second cache holds


class Forest:
    """The mean over trees of the values in the leaves; inputs are rounded to float32 first.

    A table is answered by boosters of a few trees each, built when the first one comes: a whole
    forest of deep trees does not stay in a processor's cache. Sums are then added by group, and
    with two classes the first probability is 1 minus the second, so answers agree with those of
    one row and of the learner to about 1e-14, not to the last bit.
    """

    def __init__(self, arrays: Mapping[str, Array], vector: Vector) -> None:
        self._arrays, self._offsets = arrays, arrays["offsets"].tolist()
        self._n_trees = len(self._offsets) - 1
        self._source, self._n_features = vector.view, vector.n_features
        self._rounded = array("d", bytes(8 * vector.n_features))
        self._view = np.frombuffer(self._rounded)
        self._single = np.empty(vector.n_features, dtype=np.float32)
        self.width = arrays["value"].shape[1]
        self._trees = self._built(0, self._n_trees)
        self._groups: list[Trees] = []

    def _built(self, first: int, end: int) -> Trees:
        """The trees from number ``first`` to before ``end`` as one booster."""
        value, trees, leaves = self._arrays["value"], [], []
        for start, stop in pairwise(self._offsets[first : end + 1]):
            inner, at = _tree(self._arrays, start, stop)
            trees.append((*inner, value[at, -1]))
            leaves.append(value[at])
        text = lightgbm_text(trees, self._n_features)
        if self.width <= 2:
            return Trees(text, self._rounded)
        starts = np.cumsum([0, *(len(item) for item in leaves[:-1])])
        return Trees(text, self._rounded, np.concatenate(leaves), starts)

    def row(self) -> list[float]:
        """Values (k) for the features that are in the vector now."""
        self._single[:] = self._source
        self._view[:] = self._single
        values = [value / self._n_trees for value in self._trees.row()]
        return [1.0 - values[0], values[0]] if self.width == 2 else values

    def table(self, matrix: Array, threads: int) -> Array:
        """Values of many rows: (n, k)."""
        rounded = matrix.astype(np.float32).astype(np.float64)
        if len(matrix) < FEW and not self._groups:
            return self._mean(self._trees.table(rounded, threads))
        total = np.zeros((len(matrix), 1 if self.width == 2 else self.width))
        for group in self._groups or self._grouped():
            total += group.table(rounded, threads)
        return self._mean(total)

    def _mean(self, total: Array) -> Array:
        values = total / self._n_trees
        return np.hstack([1.0 - values, values]) if self.width == 2 else values

    def _grouped(self) -> list[Trees]:
        groups = [
            self._built(first, min(first + TREES_AT_ONCE, self._n_trees))
            for first in range(0, self._n_trees, TREES_AT_ONCE)
        ]
        self._groups = groups
        return groups


def _tree(
    arrays: Mapping[str, Array], start: int, end: int
) -> tuple[tuple[Array, Array, Array, Array], Array]:
    """One tree as LightGBM numbers it, and the places of its leaves in leaf order."""
    feature = arrays["feature"][start:end]
    inner = np.flatnonzero(feature >= 0)
    leaf = np.flatnonzero(feature < 0)
    renamed = np.empty(end - start, dtype=np.int64)
    renamed[inner] = np.arange(len(inner))
    renamed[leaf] = -np.arange(len(leaf)) - 1
    left = renamed[arrays["left"][start:end][inner] - start]
    right = renamed[arrays["right"][start:end][inner] - start]
    threshold = arrays["threshold"][start:end][inner].astype(np.float64)
    return (feature[inner], threshold, left, right), leaf + start
