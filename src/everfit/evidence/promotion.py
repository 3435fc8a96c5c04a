"""May the challenger replace the champion? A total verdict whose error holds over the years.

Challenger number k of a model is tested at ``alpha * gamma_k`` by an e-process, so the chance that
ANY of all challengers is promoted without being better is at most ``alpha``, however often each
is looked at while its rows arrive (e-LOND). The e-process needs differences that are bounded by
a number fixed beforehand: :func:`loss_bound` of the champion's losses on EARLIER data. Differences
beyond it are clipped, so what is tested is the mean of clipped differences; a challenger
is therefore called better only if its plain mean gain is above the limit as well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from everfit.errors import UsageError
from everfit.evidence.interval import Floats, Interval
from everfit.evidence.multiple import gamma_series
from everfit.evidence.paired import finite_losses
from everfit.evidence.sequential import (
    N_BETS,
    log_e_value,
    log_wealth,
    lower_bound,
    planned_units,
)

Answer = Literal["better", "not better", "inconclusive", "cannot be judged"]


@dataclass(frozen=True, slots=True)
class PairedVerdict:
    """What the rows say about a challenger.

    ``gain`` is the drop of the mean loss in its own unit with an anytime-valid range: its low end
    is above ``min_gain`` exactly when the evidence is enough. ``log_e`` is the log e-value,
    ``needed_log_e`` what it must reach, ``needs`` how many MORE units should be enough when the
    gain seen is the true one (None: no number of units would, or none are needed).
    """

    answer: Answer
    gain: Interval
    log_e: float
    n: int
    needs: int | None
    why: str
    needed_log_e: float = math.inf
    bound: float = math.nan
    n_failed: int = 0


def loss_bound(losses: ArrayLike) -> float:
    """A bound for differences of losses, from the champion's losses on data BEFORE the comparison.

    1 for 0-1 losses, else their 99% quantile: differences of two models are seldom larger than a
    nearly worst loss of one, and a larger bound makes small bets and slow verdicts. Given the
    DIFFERENCES of two such models on earlier data instead, it is smaller and verdicts are quicker.

    Examples
    --------
    >>> loss_bound([0, 1, 0, 0]), loss_bound(range(101))
    (1.0, 99.0)
    """
    seen = np.asarray(losses, dtype=np.float64).ravel()
    seen = np.abs(seen[np.isfinite(seen)])
    if not len(seen) or np.isin(seen, (0.0, 1.0)).all():
        return 1.0
    high = float(np.quantile(seen, 0.99))
    return high if high > 0 else float(seen.max())


def verdict(
    loss_challenger: ArrayLike,
    loss_champion: ArrayLike,
    *,
    alpha: float,
    looks: int = 1,
    min_gain: float = 0.0,
    bound: float | None = None,
    promoted: int = 0,
) -> PairedVerdict:
    """Judge a challenger on the units (n,) that it and the champion both answered.

    ``alpha`` is the chance of any false promotion among all challengers of this model;
    ``looks`` is the number of this challenger in its life, from 1 (looking again
    with more rows does not count). ``min_gain`` is the smallest drop of the mean loss
    that is worth a promotion, in its unit;
    ``bound`` the largest difference that counts, fixed beforehand (:func:`loss_bound`); when None
    it is taken from the champion's losses on these very rows, which ``why`` then says.
    ``promoted`` counts earlier promotions; above 0 the expected SHARE of false promotions is
    controlled (FDR, e-LOND) instead of the chance of any, and waits are shorter.

    NaN and infinite losses count as the worst loss for the model that failed. Total: rows that a
    run can produce never raise.

    Raises
    ------
    UsageError : the two losses are not of the same units

    Examples
    --------
    >>> verdict([0.0] * 60, [1.0, 0.0] * 30, alpha=0.05).answer
    'better'
    """
    level = min(alpha * gamma_series(max(1, looks)) * (1 + max(0, promoted)), alpha)
    need = -math.log(level)
    new, old, worst, failed, note = _read(loss_challenger, loss_champion, bound)
    least = max(2, _least_units(level))
    plain = old - new
    limit = min_gain / worst if worst > 0 else 0.0
    if len(new) < least or not -1 < limit < 1:
        return _unjudged(plain, least, level, worst, failed)
    d = np.clip(plain / worst, -1.0, 1.0)
    log_e = log_e_value(d, -limit)
    gain = _range(
        d, mid=float(plain.mean()), worst=worst, limit=limit, level=level, shown=log_e >= need
    )
    answer, why = _answer(plain, gain, log_e, need, min_gain)
    needs = _more(d, limit, level) if answer == "inconclusive" else None
    why += f"; about {needs:,} more units needed" if needs else ""
    return PairedVerdict(answer, gain, log_e, len(d), needs, why + note, need, worst, failed)


def _read(
    challenger: ArrayLike, champion: ArrayLike, bound: float | None
) -> tuple[Floats, Floats, float, int, str]:
    """Both losses without failures, the bound, how many failed, and what to say about it."""
    new = np.asarray(challenger, dtype=np.float64).ravel()
    old = np.asarray(champion, dtype=np.float64).ravel()
    if len(new) != len(old):
        raise UsageError(
            "two models can only be compared on the same units",
            got=f"{len(new):,} and {len(old):,} losses",
            expected="one loss per unit from each, in the same order",
        )
    own = bound is None or not bound > 0 or not math.isfinite(bound)
    worst = loss_bound(old) if own or bound is None else float(bound)
    failed = int((~np.isfinite(new)).sum())
    new, old = finite_losses(new, old, worst=worst)
    note = "; the bound of differences was taken from these rows" if own and len(new) else ""
    if failed:
        note += f"; {failed:,} answers of the challenger are missing and count as worst"
    return new, old, worst if worst > 0 else 1.0, failed, note


def _answer(
    plain: Floats, gain: Interval, log_e: float, need: float, min_gain: float
) -> tuple[Answer, str]:
    evidence = f"log e-value {log_e:.2f} of {need:.2f} needed, n {gain.n:,}"
    if not plain.any():
        return "not better", f"both lose exactly the same on all {gain.n:,} units"
    if log_e >= need and gain.mid > min_gain:
        return "better", f"the mean loss drops by {gain.mid:.4g}; {evidence}"
    if log_e >= need:
        return "inconclusive", (
            f"a few units with very large losses outweigh the gain on the others; {evidence}"
        )
    if gain.high <= min_gain:
        return "not better", f"the gain is at most {gain.high:.4g}, limit {min_gain:g}; {evidence}"
    if gain.mid <= min_gain:
        return "inconclusive", f"no gain above {min_gain:g} seen, but not ruled out; {evidence}"
    return "inconclusive", f"the mean loss drops by {gain.mid:.4g}, within noise; {evidence}"


def _range(
    d: Floats, *, mid: float, worst: float, limit: float, level: float, shown: bool
) -> Interval:
    """The anytime range; its low end lies on the side of the limit that the e-value says."""
    side = (limit, 1.0) if shown else (-1.0, limit)
    low = lower_bound(d, level, between=side) * worst
    high = -lower_bound(-d, level) * worst
    # clipping moves the middle of the clipped mean, not of the plain mean that people read
    return Interval(min(low, mid), mid, max(high, mid), n=len(d), level=1 - 2 * level)


def _more(d: Floats, limit: float, level: float) -> int | None:
    """How many more units reach the evidence if these are typical."""
    rate = float(log_wealth(d, None, -limit).max()) / len(d)
    planned = planned_units(float(d.mean()) - limit, float(np.mean((d - limit) ** 2)), level)
    if planned is None or not rate > 0:
        return None
    # large bounds keep bets below the best one, which the closed form does not know
    planned = max(planned, math.ceil((1 - math.log(level)) / rate))
    return max(planned - len(d), 1, len(d) // 10)


def _least_units(level: float) -> int:
    """The fewest units on which even a perfect challenger could be promoted."""
    each = log_wealth(np.ones(1), None)
    n = 1
    while float(np.logaddexp.reduce(n * each)) - math.log(N_BETS) < -math.log(level):
        n += 1
    return n


def _unjudged(plain: Floats, least: int, level: float, worst: float, failed: int) -> PairedVerdict:
    n = len(plain)
    few = n < least
    return PairedVerdict(
        answer="cannot be judged",
        gain=Interval(
            -math.inf, float(plain.mean()) if n else math.nan, math.inf, n=n, level=1 - 2 * level
        ),
        log_e=0.0,
        n=n,
        needs=least - n if few else None,
        why=f"{n:,} units; even a perfect challenger needs {least:,}"
        if few
        else "the gain asked for exceeds the largest loss that counts",
        needed_log_e=-math.log(level),
        bound=worst,
        n_failed=failed,
    )
