"""A small logistic model of numpy alone, so that the two-sample test works by itself.

It sees moved means, other variances and other shares of missing values, column by column; for
interactions give the test a better learner.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from everfit.evidence.interval import Floats

# with 20 columns and windows of 100 rows no slower on shifts of 0.25 and 0.5 sd than 5, 20 or 300
PENALTY = 80.0
STEPS = 8
FAR = 4.0  # standard deviations; what is further away counts as this far


@dataclass(frozen=True, slots=True)
class Logistic:
    """P(row is new) from standardised columns, their squares and their missing marks."""

    centre: Floats
    scale: Floats
    weights: Floats

    def __call__(self, rows: ArrayLike) -> Floats:
        """The probability of each row (n,) of ``rows`` (n, d) that it is a new one."""
        found = special.expit(_features(_table(rows), self.centre, self.scale) @ self.weights)
        return np.asarray(found, dtype=np.float64)


def learn_logistic(
    rows: ArrayLike, is_new: NDArray[np.bool_], *, penalty: float = PENALTY
) -> Logistic:
    """Fit ``is_new`` (n,) on ``rows`` (n, d) by penalised maximum likelihood (Newton's steps).

    NaN and infinities count as missing: they become the mean of the column, and a mark of their
    own. Categories have to be coded as numbers before.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rows = rng.normal(size=(400, 2)) + np.repeat([[0.0, 0.0], [1.0, 0.0]], 200, axis=0)
    >>> model = learn_logistic(rows, np.arange(400) >= 200)
    >>> p = model([[2.0, 0.0], [-1.0, 0.0]])
    >>> bool(p[0] > 0.6), bool(p[1] < 0.4)
    (True, True)
    """
    x = _table(rows)
    y = np.asarray(is_new, dtype=np.float64).ravel()
    known = np.isfinite(x)
    count = np.maximum(known.sum(axis=0), 1)
    filled = np.where(known, x, 0.0)
    centre = filled.sum(axis=0) / count
    scale = np.sqrt(np.where(known, (x - centre) ** 2, 0.0).sum(axis=0) / count)
    scale = np.where(scale > 1e-12 * np.maximum(1.0, np.abs(centre)), scale, 1.0)
    features = _features(x, centre, scale)
    ridge = np.full(features.shape[1], penalty)
    ridge[0] = 1e-3  # the shares of both sides are known, not learnt
    weights = np.zeros(features.shape[1])
    for _ in range(STEPS):
        p = special.expit(features @ weights)
        slope = features.T @ (p - y) + ridge * weights
        bend = (features.T * (p * (1.0 - p))) @ features + np.diag(ridge)
        step = np.linalg.solve(bend, slope)
        weights = weights - step
        if float(np.abs(step).max()) < 1e-6:
            break
    return Logistic(centre, scale, weights)


def _table(rows: ArrayLike) -> Floats:
    x = np.asarray(rows, dtype=np.float64)
    return x[:, None] if x.ndim == 1 else x


def _features(x: Floats, centre: Floats, scale: Floats) -> Floats:
    known = np.isfinite(x)
    with np.errstate(invalid="ignore"):
        z = np.where(known, np.clip((x - centre) / scale, -FAR, FAR), 0.0)
    # squares have mean 1 and, for a normal column, standard deviation sqrt(2)
    squares = np.where(known, (z * z - 1.0) / np.sqrt(2.0), 0.0)
    ones = np.ones((len(x), 1))
    return np.asarray(np.hstack([ones, z, squares, ~known]), dtype=np.float64)
