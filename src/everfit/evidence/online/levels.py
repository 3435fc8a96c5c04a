"""At what level is the NEXT decision taken, so that few of all decisions for years are wrong?

Each function reads the history of earlier decisions and nothing else, so the level can be worked
out again from the ledger. e-levels: reject when e >= 1/level. p-levels: reject when p <= level.
FDR is the expected share of false ones among those rejected.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from everfit.errors import UsageError
from everfit.evidence.interval import Floats
from everfit.evidence.multiple import gamma_series

LEAST = 1e-12  # a level that is never reached, and can be used as one all the same
SHARE = 0.02  # of what is left, each decision may spend
CANDIDATE = 0.5  # p-values below it may be discoveries


class Decision(NamedTuple):
    """One earlier decision: the level it was taken at, whether it rejected, and its e or p.

    ``e`` is the e-value against the null when the decision was closed (of a trial: the exponential
    of ``promote_log_e``, never the evidence for futility), ``p`` its p-value; NaN when not known.
    """

    level: float
    rejected: bool
    e: float = math.nan
    p: float = math.nan


def e_lond(history: Sequence[Decision], alpha: float) -> float:
    """e-LOND: ``alpha gamma_t (rejections + 1)``; FDR <= alpha under any dependence.

    For challengers whose rows overlap. Xu & Ramdas, AISTATS 2024.

    Examples
    --------
    >>> round(e_lond([], 0.1), 4), round(e_lond([Decision(0.05, True)], 0.1), 4)
    (0.0493, 0.0262)
    """
    _check(alpha)
    won = sum(decision.rejected for decision in history)
    return min(alpha * gamma_series(len(history) + 1) * (won + 1), 1.0)


def e_lord(history: Sequence[Decision], alpha: float, *, share: float = SHARE) -> float:
    """A level that spends a share of what is left, and wins budget back with each rejection.

    ``share (alpha - spent)(rejections + 1)``, where a decision spent its level/(rejections before
    it + 1). One that was closed without rejecting at e < 1 spent only ``level (1 - e)`` of it, as
    P(e >= 1/a) <= a E[e; rejected] <= a E[1 - e; not rejected] + a P(rejected). FDR <= alpha when
    E[e | earlier decisions] <= 1: each challenger is judged on rows after the verdict on the one
    before; else use :func:`e_lond`. Levels that were really used are read from the history, so
    another rule may have set them.

    Examples
    --------
    >>> round(e_lord([], 0.1), 4), round(e_lord([Decision(0.002, True)], 0.1), 5)
    (0.002, 0.00392)
    """
    _check(alpha)
    if not 0 < share < 1:
        raise UsageError("a share is none", got=str(share), expected="a number inside (0, 1)")
    spent, won = 0.0, 0
    for decision in history:
        kept = 0.0 if decision.rejected or math.isnan(decision.e) else min(decision.e, 1.0)
        spent += decision.level * (1 - kept) / (won + 1)
        won += decision.rejected
    return min(max(share * (alpha - spent) * (won + 1), LEAST), 1.0)


def lord_plus_plus(history: Sequence[Decision], alpha: float) -> float:
    """LORD++ for p-values that are valid given the past; FDR <= alpha when they are independent.

    ``g_t W0 + (alpha - W0) g_{t - tau_1} + alpha sum_{j >= 2} g_{t - tau_j}`` with W0 = alpha/10,
    tau_j the number of the j-th rejection. Ramdas, Yang, Wainwright & Jordan, NeurIPS 2017.

    Examples
    --------
    >>> round(lord_plus_plus([], 0.05), 6), round(lord_plus_plus([Decision(0.01, True)], 0.05), 5)
    (0.000268, 0.00247)
    """
    _check(alpha)
    t = len(history) + 1
    start = alpha / 10
    level = start * _weight(t)
    won = [number for number, decision in enumerate(history, 1) if decision.rejected]
    for position, number in enumerate(won):
        level += (alpha - start if position == 0 else alpha) * _weight(t - number)
    return min(level, 1.0)


def saffron(history: Sequence[Decision], alpha: float, *, candidate: float = CANDIDATE) -> float:
    """SAFFRON for independent p-values: only those above ``candidate`` cost anything.

    ``min(c, W0 g_{t-C0} + ((1-c) alpha - W0) g_{t-tau_1-C1} + (1-c) alpha sum_{j>=2}
    g_{t-tau_j-C_j})``, with c = ``candidate`` and C_j the number of p <= c after rejection j.
    Ramdas, Zrnic, Wainwright & Jordan, ICML 2018.

    Raises
    ------
    UsageError : an earlier decision has no p-value

    Examples
    --------
    >>> wasted = [Decision(0.01, False, p=0.9)]
    >>> saffron([], 0.05) > saffron(wasted, 0.05), saffron(wasted, 0.05) > 0
    (True, True)
    """
    _check(alpha)
    p = np.array([decision.p for decision in history], dtype=np.float64)
    if np.isnan(p).any():
        raise UsageError(
            "SAFFRON reads the p-value of every earlier decision",
            got="a decision without one",
            expected="p in [0, 1]",
            do="use lord_plus_plus, or an e-level",
        )
    t = len(history) + 1
    start, whole = alpha / 10, (1 - candidate) * alpha
    seen = np.concatenate([[0], np.cumsum(p <= candidate)])  # after decision 0, 1, 2, ...
    level = start * _weight(t - int(seen[-1]))
    won = [number for number, decision in enumerate(history, 1) if decision.rejected]
    for position, number in enumerate(won):
        after = int(seen[-1] - seen[number])
        level += (whole - start if position == 0 else whole) * _weight(t - number - after)
    return min(level, candidate)


def _weight(step: int) -> float:
    return float(_weights()[step]) if step < len(_weights()) else _term(step)


@lru_cache(maxsize=1)
def _weights() -> Floats:
    return np.array([0.0] + [_term(step) for step in range(1, 2048)])


def _term(step: int) -> float:
    """.0772 ln(max(m, 2))/(m exp(sqrt(ln m))): sums to less than 1 (Javanmard & Montanari)."""
    return 0.0772 * math.log(max(step, 2)) / (step * math.exp(math.sqrt(math.log(step))))


def _check(alpha: float) -> None:
    if not 0 < alpha < 1:
        raise UsageError("an error rate is none", got=str(alpha), expected="a number inside (0, 1)")
