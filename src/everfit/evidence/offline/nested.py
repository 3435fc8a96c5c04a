"""The error of a learner on new rows, with a range that counts what folds share: nested folds.

Cross-validated errors of different folds come from nearly the same training rows, so that their
plain standard error is too small. Nested folds measure by how much.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from everfit.errors import UsageError
from everfit.evidence.interval import Floats, Interval

Rows = NDArray[np.intp]
LossesOf = Callable[[Rows, Rows], ArrayLike]


@dataclass(frozen=True, slots=True)
class NestedScore:
    """The error on new rows with its range, beside the plain cross-validated one.

    ``inflation`` is by how much the standard error of the plain range had to grow; ``bias`` what
    was taken off the nested mean, whose fits see fewer rows than the shipped one does.
    """

    interval: Interval
    plain: Interval
    inflation: float
    bias: float


def nested_interval(
    n: int,
    losses_of: LossesOf,
    *,
    n_folds: int = 10,
    repeats: int = 20,
    seed: int = 0,
    level: float = 0.95,
) -> NestedScore:
    """The mean loss of a learner that is fitted on ``n`` rows, by nested cross-validation.

    ``losses_of(train, test)`` fits on the rows ``train`` and gives one loss for each row of
    ``test``; it is called ``n_folds (n_folds + 1)/2`` times for each of ``repeats`` random splits.
    More repeats make the range steadier (the paper takes 200). Do not refit on all rows and keep
    the range of a single held-out part: that one speaks of another model.

    Raises
    ------
    UsageError : fewer than 3 folds, or fewer than 2 rows in a fold

    Notes
    -----
    For each outer fold j, with e_in the errors of the inner folds among the other rows and e_out
    those of fold j: ``a_j = (mean e_in - mean e_out)^2``, ``b_j = var(e_out)/n_j``,
    ``MSE = mean a - mean b``, held between the squares of SE and sqrt(K) SE, with SE the plain
    standard error of n (K-1)/K rows. With ``bias = (1 + (K-2)/K)(E_nested - E_plain)`` the range is
    ``E_nested - bias +- z sqrt((K-1)/K MSE)``.

    References
    ----------
    .. [1] Bates, Hastie, Tibshirani (2024), Cross-validation: what does it estimate and how well
       does it do it? JASA 119.

    Examples
    --------
    >>> y = np.random.default_rng(0).normal(size=60)
    >>> found = nested_interval(60, lambda train, test: (y[test] - y[train].mean()) ** 2, repeats=3)
    >>> found.interval.contains(1.0), found.inflation >= 1.0
    (True, True)
    """
    if n_folds < 3 or n // n_folds < 2:
        raise UsageError(
            "nested folds cannot be made",
            got=f"{n:,} rows in {n_folds} folds",
            expected="3 folds or more, with 2 rows or more in each",
        )
    rng = np.random.default_rng(seed)
    gaps, noises, inner, outer = [], [], [], []
    for _ in range(repeats):
        fold = rng.permutation(n) % n_folds
        plain, nested = _errors(fold, n_folds, losses_of)
        for k in range(n_folds):
            inside = nested[k][fold != k]
            gaps.append((float(inside.mean()) - float(plain[fold == k].mean())) ** 2)
            noises.append(float(plain[fold == k].var(ddof=1)) / int((fold == k).sum()))
            inner.append(float(inside.mean()))
        outer.append(plain)
    mse = float(np.mean(gaps) - np.mean(noises))
    return _score(mse, np.stack(outer), float(np.mean(inner)), n_folds, level)


def _errors(fold: Rows, n_folds: int, losses_of: LossesOf) -> tuple[Floats, list[Floats]]:
    """The error of each row (n,), and for each fold those of the others without that fold."""
    plain = np.zeros(len(fold))
    nested = [np.zeros(len(fold)) for _ in range(n_folds)]
    for i in range(n_folds):
        test = np.flatnonzero(fold == i)
        plain[test] = losses_of(np.flatnonzero(fold != i), test)
        for j in range(i + 1, n_folds):
            # one fit without both serves twice: inner fold i of outer j, and the other way round
            both = np.flatnonzero((fold == i) | (fold == j))
            found = np.asarray(losses_of(np.flatnonzero((fold != i) & (fold != j)), both))
            nested[j][both] = np.where(fold[both] == i, found, nested[j][both])
            nested[i][both] = np.where(fold[both] == j, found, nested[i][both])
    return plain, nested


def _score(
    mse: float, outer: Floats, nested_mean: float, n_folds: int, level: float
) -> NestedScore:
    n = outer.shape[1]
    middle = float(outer.mean())
    share = (n_folds - 1) / n_folds
    error = float(outer.std(ddof=1)) / math.sqrt(n)
    z = float(special.ndtri(0.5 + level / 2))
    inflation = 1.0
    if error > 0:
        inflation = math.sqrt(max(mse, 0.0) * share) / error
        inflation = max(1.0, min(inflation, math.sqrt(n_folds)))
    bias = (1 + (n_folds - 2) / n_folds) * (nested_mean - middle)
    centre, reach = nested_mean - bias, z * error * inflation
    return NestedScore(
        interval=Interval(centre - reach, centre, centre + reach, n=n, level=level),
        plain=Interval(middle - z * error, middle, middle + z * error, n=n, level=level),
        inflation=inflation,
        bias=bias,
    )
