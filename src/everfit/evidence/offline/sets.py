"""Several learners over many data sets: is any of them better, and which?

Losses are (n_sets, n_learners), lower is better, one number for each learner on each set. Sets are
the units: what is found holds for sets like these. Demsar, JMLR 7, 2006.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from everfit.errors import UsageError
from everfit.evidence.interval import Floats, t_tail
from everfit.evidence.multiple import holm


@dataclass(frozen=True, slots=True)
class RankTest:
    """Friedman's test and Iman and Davenport's, which is less timid: ``p_f`` is the one to use.

    ``ranks`` are the mean ranks of the learners, 1 for the best.
    """

    ranks: tuple[float, ...]
    chi2: float
    p: float
    f: float
    p_f: float
    n_sets: int


def rank_test(losses: ArrayLike) -> RankTest:
    """Do the learners differ at all? Friedman's chi2 (ties counted) and Iman-Davenport's F.

    With r_ij the midranks, R_j their sums over N sets and A = sum r_ij^2:
    ``chi2 = (k-1) sum (R_j - N(k+1)/2)^2 / (A - N k (k+1)^2/4)``, which without ties is Friedman's,
    ``F = (N-1) chi2 / (N(k-1) - chi2)`` with k-1 and (k-1)(N-1) degrees of freedom. A loss that
    is not finite ranks last.

    Raises
    ------
    UsageError : fewer than two sets or two learners

    Examples
    --------
    >>> found = rank_test([[0.1, 0.2, 0.3], [0.2, 0.3, 0.4], [0.1, 0.3, 0.2], [0.1, 0.2, 0.4]])
    >>> found.ranks, round(found.chi2, 2), round(found.f, 2)
    ((1.0, 2.25, 2.75), 6.5, 13.0)
    """
    from scipy import special

    ranks = midranks(losses)
    n, k = ranks.shape
    sums = ranks.sum(axis=0)
    free = float((ranks**2).sum()) - n * k * (k + 1) ** 2 / 4
    apart = float(((sums - n * (k + 1) / 2) ** 2).sum())
    chi2 = (k - 1) * apart / free if free > 0 else 0.0
    left = n * (k - 1) - chi2
    f = (n - 1) * chi2 / left if left > 1e-9 * n else math.inf
    p_f = 0.0 if math.isinf(f) else float(special.fdtrc(k - 1, (k - 1) * (n - 1), f))
    p = float(special.chdtrc(k - 1, chi2))
    return RankTest(tuple(float(r) for r in sums / n), chi2, p, f, p_f, n)


def nemenyi_difference(n_sets: int, n_learners: int, *, alpha: float = 0.05) -> float:
    """How far apart the mean ranks of any two learners must be: Nemenyi's critical difference.

    ``q sqrt(k(k+1)/(6N))`` with q the quantile of the studentized range over sqrt(2). Right for the
    picture of all ranks; to tell pairs apart :func:`signed_ranks` finds more.

    Examples
    --------
    >>> round(nemenyi_difference(14, 4), 2)
    1.25
    """
    from scipy.stats import studentized_range

    quantile = float(studentized_range.ppf(1 - alpha, n_learners, np.inf)) / math.sqrt(2)
    return quantile * math.sqrt(n_learners * (n_learners + 1) / (6 * n_sets))


def conover(losses: ArrayLike) -> Floats:
    """Two-sided p (k, k) of each pair by Conover's test on rank sums, adjusted by Holm.

    ``|R_i - R_j| / sqrt(2 (N A - sum R_j^2) / ((N-1)(k-1)))`` has (N-1)(k-1) degrees of freedom.
    Conover, Practical Nonparametric Statistics, 1999. Meant for after a :func:`rank_test` that
    tells the learners apart.

    Examples
    --------
    >>> p = conover([[0.1, 0.2, 0.3], [0.2, 0.3, 0.4], [0.1, 0.3, 0.2], [0.1, 0.2, 0.4]])
    >>> (p[0] < 0.05).tolist(), bool(p[1, 2] > 0.05)
    ([False, True, True], True)
    """
    ranks = midranks(losses)
    n, k = ranks.shape
    sums = ranks.sum(axis=0)
    freedom = (n - 1) * (k - 1)
    scale = 2 * (n * float((ranks**2).sum()) - float((sums**2).sum())) / freedom

    def p_of(i: int, j: int) -> float:
        apart = abs(float(sums[i] - sums[j]))
        if scale <= 1e-12:  # all sets rank alike
            return 0.0 if apart else 1.0
        return min(1.0, 2 * t_tail(apart / math.sqrt(scale), freedom))

    return _pairs(k, p_of)


def signed_ranks(losses: ArrayLike) -> Floats:
    """Two-sided p (k, k) of each pair by Wilcoxon's signed ranks, adjusted by Holm.

    Equal losses share their ranks between both sides, as Demsar asks. The one to use for pairs: it
    does not depend on which other learners are in the table.

    Examples
    --------
    >>> table = [[0.1, 0.2 + i / 100] for i in range(8)]
    >>> bool(signed_ranks(table)[0, 1] < 0.01)
    True
    """
    values = _table(losses)

    def p_of(i: int, j: int) -> float:
        from scipy.stats import wilcoxon

        d = np.asarray(values[:, i] - values[:, j], dtype=np.float64)
        # both failed: no difference; only one failed: the largest of all
        d = np.where(np.isnan(d), 0.0, d)
        d = np.clip(d, -1e300, 1e300)
        if not d.any():
            return 1.0
        return float(wilcoxon(d, zero_method="zsplit").pvalue)

    return _pairs(values.shape[1], p_of)


def midranks(losses: ArrayLike) -> Floats:
    """Ranks (n_sets, n_learners) within each set, 1 for the lowest loss, ties sharing their mean.

    Examples
    --------
    >>> midranks([[0.3, 0.1, 0.3], [0.1, 0.2, float("nan")]]).tolist()
    [[2.5, 1.0, 2.5], [1.0, 2.0, 3.0]]
    """
    values = _table(losses)
    below = (values[:, None, :] < values[:, :, None]).sum(axis=2)
    same = (values[:, None, :] == values[:, :, None]).sum(axis=2)
    return np.asarray(below + (same + 1) / 2, dtype=np.float64)


def _table(losses: ArrayLike) -> Floats:
    values = np.asarray(losses, dtype=np.float64)
    if values.ndim != 2 or min(values.shape) < 2:
        raise UsageError(
            "learners cannot be compared over data sets",
            got=f"an array of shape {values.shape}",
            expected="2 or more data sets in rows, 2 or more learners in columns",
        )
    return np.where(np.isfinite(values), values, np.inf)


def _pairs(k: int, p_of: Callable[[int, int], float]) -> Floats:
    """A symmetric table of p-values adjusted over all pairs, with 1 on the diagonal."""
    first, second = np.triu_indices(k, 1)
    adjusted = holm([p_of(int(i), int(j)) for i, j in zip(first, second, strict=True)])
    table = np.ones((k, k))
    table[first, second] = table[second, first] = adjusted
    return table
