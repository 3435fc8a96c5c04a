"""How much more often rows like a given one come now than they did: a ratio of densities.

A model tells the samples apart; where it says g = P(row is of the traffic), the ratio is
``(n_known / n_asked) g / (1 - g)``. A logistic one, on ranks and their squares: smooth, so that few
rows are never made to stand for many by chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from everfit.records import Array

RIDGE = 2.0  # of each coefficient, on standardised columns
STEPS = 8
MOST = 30.0  # one row stands for at most so many


@dataclass(frozen=True, slots=True)
class Ratio:
    """A fitted ratio of densities: the weight of each known row, and how to draw others like it.

    ``weights`` (n_known,) have mean 1; ``effective`` is the number of rows that they are worth,
    ``(sum w)^2 / sum w^2``.
    """

    weights: Array
    design: Array
    is_asked: Array
    coefficients: Array
    inverse: Array
    n_known: int

    @property
    def effective(self) -> float:
        """Kish's number of rows."""
        return float(self.weights.sum() ** 2 / (self.weights @ self.weights))

    def drawn(self, times: Array) -> Array:
        """The weights (n_known,) had each row (n_known + n_asked,) been drawn so many times.

        One Newton step from the fit, which is all that a bootstrap needs to first order.
        """
        g = special.expit(self.design @ self.coefficients)
        pull = self.design.T @ (times * (self.is_asked - g)) - _ridge(self.coefficients)
        moved = self.coefficients + self.inverse @ pull
        return times[: self.n_known] * _weights(self.design[: self.n_known] @ moved)


def density_ratio(known: Array, asked: Array) -> Ratio:
    """The ratio from two standardised designs (n_known, p) and (n_asked, p).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> same = density_ratio(rng.normal(size=(500, 2)), rng.normal(size=(500, 2)))
    >>> moved = density_ratio(rng.normal(size=(500, 2)), rng.normal(size=(500, 2)) + 1)
    >>> same.effective > 450 > moved.effective
    True
    """
    design = np.vstack([known, asked])
    design = np.column_stack([np.ones(len(design)), design])
    is_asked = np.repeat([0.0, 1.0], [len(known), len(asked)])
    found = np.zeros(design.shape[1])
    found[0] = np.log(len(asked) / len(known))
    inverse = np.eye(len(found))
    for _ in range(STEPS):
        g = special.expit(design @ found)
        curve = (design * (g * (1 - g))[:, None]).T @ design
        curve[np.diag_indices_from(curve)] += np.r_[1e-6, np.full(len(found) - 1, RIDGE)]
        inverse = np.linalg.inv(curve)
        step = inverse @ (design.T @ (is_asked - g) - _ridge(found))
        size = float(np.abs(step).max())
        found = found + step * min(1.0, 2.0 / size) if size > 0 else found
        if size < 1e-2:
            break
    weights = _weights(design[: len(known)] @ found)
    return Ratio(weights, design, is_asked, found, inverse, len(known))


def _ridge(coefficients: Array) -> Array:
    return np.asarray(RIDGE * np.r_[0.0, coefficients[1:]])


def _weights(log_odds: Array) -> Array:
    raw = np.exp(np.clip(log_odds - log_odds.max(), -60.0, 0.0))
    weights = np.minimum(raw / raw.mean(), MOST)
    return np.asarray(weights / weights.mean())
