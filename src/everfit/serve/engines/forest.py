"""A forest of scikit-learn trees, walked by LightGBM's C library."""

from __future__ import annotations

from array import array
from collections.abc import Mapping

import numpy as np

from everfit.records import Array
from everfit.serve.engines.trees import Trees, lightgbm_text
from everfit.serve.vector import Vector

TREES_AT_ONCE = 16  # deep trees: about what a processor's second cache holds


class Forest:
    """The mean over trees of the values in the leaves; inputs are rounded to float32 first.

    With two classes the first probability is 1 minus the second, and a table adds trees in groups:
    answers agree with the learner's to about 1e-14, not to the last bit.
    """

    def __init__(self, arrays: Mapping[str, Array], vector: Vector) -> None:
        offsets, value = arrays["offsets"].tolist(), arrays["value"]
        self._n_trees = len(offsets) - 1
        self._source = vector.view
        self._rounded = array("d", bytes(8 * vector.n_features))
        self._view = np.frombuffer(self._rounded)
        self._single = np.empty(vector.n_features, dtype=np.float32)
        self.width = value.shape[1]
        trees, leaves = [], []
        for start, end in zip(offsets[:-1], offsets[1:], strict=True):
            inner, at = _tree(arrays, start, end)
            trees.append((*inner, value[at, -1]))
            leaves.append(value[at])
        text = lightgbm_text(trees, vector.n_features)
        if self.width <= 2:
            self._trees = Trees(text, self._rounded)
        else:
            starts = np.cumsum([0, *(len(item) for item in leaves[:-1])])
            self._trees = Trees(text, self._rounded, np.concatenate(leaves), starts)

    def row(self) -> list[float]:
        """Values (k) for the features that are in the vector now."""
        self._single[:] = self._source
        self._view[:] = self._single
        values = [value / self._n_trees for value in self._trees.row()]
        return [1.0 - values[0], values[0]] if self.width == 2 else values

    def table(self, matrix: Array, threads: int) -> Array:
        """Values of many rows: (n, k)."""
        rounded = matrix.astype(np.float32).astype(np.float64)
        values = self._trees.table(rounded, threads, at_once=TREES_AT_ONCE) / self._n_trees
        return np.hstack([1.0 - values, values]) if self.width == 2 else values


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
