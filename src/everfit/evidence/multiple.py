"""Many tests at once, or one after another for years: which of them may be believed.

p-values are adjusted, so that an adjusted value is compared with the error rate itself; e-values
are compared with a threshold that :func:`e_bh` sets. A NaN counts as no evidence (p = 1, e = 0).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from everfit.errors import UsageError
from everfit.evidence.interval import Floats


def holm(p: ArrayLike) -> Floats:
    """Holm's adjusted p-values (n,): rejecting those <= alpha keeps P(any false one) <= alpha.

    Holds under any dependence. Holm, Scandinavian Journal of Statistics 6, 1979.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    order, ranked = _ranked(p)
    n = len(ranked)
    steps = np.maximum.accumulate(ranked * (n - np.arange(n)))
    return _unranked(order, np.minimum(steps, 1.0))


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """Benjamini-Hochberg adjusted p-values (n,): rejecting those <= alpha keeps the FDR <= alpha.

    FDR is the expected share of false ones among those rejected; holds for independent or
    positively dependent tests. Benjamini & Hochberg, JRSS-B 57, 1995.

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.04, 0.04]
    """
    order, ranked = _ranked(p)
    n = len(ranked)
    steps = ranked * n / np.arange(1, n + 1)
    steps = np.minimum.accumulate(steps[::-1])[::-1]
    return _unranked(order, np.minimum(steps, 1.0))


def e_bh(e: ArrayLike, alpha: float) -> NDArray[np.bool_]:
    """Which e-values (n,) to reject so that the FDR stays <= ``alpha`` under ANY dependence.

    With e sorted downwards, k* = max{k : k e_(k) >= n/alpha}; rejected are those
    >= n/(alpha k*). Wang & Ramdas, JRSS-B 84, 2022.

    Examples
    --------
    >>> e_bh([100.0, 1.0, 40.0], 0.1).tolist()
    [True, False, True]
    """
    values = np.nan_to_num(np.asarray(e, dtype=np.float64).ravel(), nan=0.0, posinf=np.inf)
    ranks = np.arange(1, len(values) + 1)
    held = np.flatnonzero(ranks * np.sort(values)[::-1] >= len(values) / alpha)
    if not len(held):
        return np.zeros(len(values), dtype=np.bool_)
    return np.asarray(values >= len(values) / (alpha * (held[-1] + 1)), dtype=np.bool_)


def gamma_series(k: int) -> float:
    """The share of the error budget that decision number ``k`` = 1, 2, ... gets; sums to < 1.

    gamma_k = 1/(2.11 (k+1) ln^2(k+1)): e-LOND tests challenger k at alpha gamma_k, so that all
    challengers of all years together keep alpha. Xu & Ramdas, AISTATS 2024.

    Raises
    ------
    UsageError : k is below 1

    Examples
    --------
    >>> round(gamma_series(1), 3), round(gamma_series(10), 4)
    (0.493, 0.0075)
    """
    if k < 1:
        raise UsageError(
            "decisions are counted from 1", got=str(k), expected="a whole number of 1 or more"
        )
    return 1.0 / (2.11 * (k + 1) * math.log(k + 1) ** 2)


def _ranked(p: ArrayLike) -> tuple[NDArray[np.intp], Floats]:
    values = np.nan_to_num(np.asarray(p, dtype=np.float64).ravel(), nan=1.0)
    order = np.argsort(values, kind="stable")
    return order, values[order]


def _unranked(order: NDArray[np.intp], ranked: Floats) -> Floats:
    values = np.empty_like(ranked)
    values[order] = ranked
    return values
