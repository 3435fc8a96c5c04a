"""Linear models and small neural networks: products of matrices in numpy."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from everfit.column import Array
from everfit.serve.vector import Vector


class Layers:
    """``x @ w0 + b0``, a rectifier, ``@ w1 + b1``, ...; a linear model has one layer.

    One row and many rows are added up in another order by BLAS: they agree to about 1e-12 of the
    sum of absolute terms, not to the last bit.
    """

    def __init__(self, weights: list[tuple[Array, Array]], vector: Vector) -> None:
        self._weights = [
            (np.asarray(w, dtype=np.float64).reshape(len(w), -1), np.atleast_1d(b))
            for w, b in weights
        ]
        self._view = vector.view
        self.width = self._weights[-1][0].shape[1]

    def row(self) -> list[float]:
        """Raw scores (k) for the features that are in the vector now."""
        return self._forward(self._view).tolist()  # type: ignore[no-any-return]

    def table(self, matrix: Array, threads: int) -> Array:
        """Raw scores of many rows: (n, k)."""
        return self._forward(matrix)

    def _forward(self, x: Array) -> Array:
        for w, b in self._weights[:-1]:
            x = np.maximum(x @ w + b, 0.0)
        w, b = self._weights[-1]
        return np.asarray(x @ w + b)


def linear(arrays: Mapping[str, Array], vector: Vector) -> Layers:
    """The engine of ``linear.npz``: coef (d, k), intercept (k,)."""
    return Layers([(arrays["coef"], arrays["intercept"])], vector)


def neural(arrays: Mapping[str, Array], vector: Vector) -> Layers:
    """The engine of ``neural.npz``: w0, b0, w1, b1, ..."""
    n = sum(name.startswith("w") for name in arrays)
    return Layers([(arrays[f"w{i}"], arrays[f"b{i}"]) for i in range(n)], vector)
