"""Two models on the same units, and one model over its folds: differences of mean losses.

All losses are per unit, lower is better. A gain is a DROP of the mean loss: above 0 is better.
A loss that is NaN or infinite counts as the worst finite loss in sight, for the model that failed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from everfit.errors import UsageError
from everfit.evidence.interval import Floats, Interval, Spread, spread

FREE_PARAMETERS = 8


@dataclass(frozen=True, slots=True)
class CorrectedGain:
    """A mean difference over folds: its range, its one-sided p ("not above 0"), its t and df."""

    gain: Interval
    p: float
    t: float
    freedom: int


def finite_losses(*losses: ArrayLike, worst: float = 0.0) -> tuple[Floats, ...]:
    """The same arrays with NaN and infinities replaced by the worst finite loss of all of them.

    ``worst`` is a lower bound of that loss, for when no finite loss is as bad as a failure.

    Examples
    --------
    >>> [part.tolist() for part in finite_losses([0.1, float("nan")], [0.2, 0.7])]
    [[0.1, 0.7], [0.2, 0.7]]
    """
    arrays = tuple(np.asarray(part, dtype=np.float64).ravel() for part in losses)
    sound = tuple(np.isfinite(part) for part in arrays)
    seen = [float(a[s].max()) for a, s in zip(arrays, sound, strict=True) if s.any()]
    top = max([worst, *seen])
    return tuple(np.where(s, a, top) for a, s in zip(arrays, sound, strict=True))


def differences(loss_new: ArrayLike, loss_old: ArrayLike) -> Floats:
    """``loss_old - loss_new`` per unit (n,), failures counted as the worst loss.

    Raises
    ------
    UsageError : the two are not losses of the same units
    """
    new, old = finite_losses(loss_new, loss_old)
    if len(new) != len(old):
        raise UsageError(
            "two models can only be compared on the same units",
            got=f"{len(new):,} and {len(old):,} losses",
            expected="one loss per unit from each, in the same order",
        )
    return np.asarray(old - new, dtype=np.float64)


def paired_gain(
    loss_new: ArrayLike,
    loss_old: ArrayLike,
    *,
    alpha: float = 0.05,
    weight: ArrayLike | None = None,
    groups: NDArray[Any] | None = None,
) -> Interval:
    """The drop of the mean loss from old to new with its paired t range at level 1 - ``alpha``.

    ``groups`` (n,) names the group of each row when rows of a group hang together; the range
    then holds for groups. One look only: over repeated looks use ``promotion.verdict``.

    Examples
    --------
    >>> gain = paired_gain([0.1, 0.2, 0.3, 0.1], [0.3, 0.3, 0.4, 0.4])
    >>> round(gain.mid, 3), gain.low > 0
    (0.175, True)
    """
    measured = spread(differences(loss_new, loss_old), weight=weight, groups=groups)
    return measured.interval(1 - alpha)


def paired_p(
    loss_new: ArrayLike,
    loss_old: ArrayLike,
    *,
    limit: float = 0.0,
    weight: ArrayLike | None = None,
    groups: NDArray[Any] | None = None,
) -> float:
    """One-sided p of the null "the drop of the mean loss is at most ``limit``" (paired t)."""
    measured = spread(differences(loss_new, loss_old), weight=weight, groups=groups)
    return measured.p_above(limit)


def corrected_gain(
    fold_differences: ArrayLike, test_share: float, *, alpha: float = 0.05
) -> CorrectedGain:
    """The corrected resampled t of J differences of fold means (old less new).

    ``var = s^2 (1/J + n_test/n_train)`` with J - 1 degrees of freedom, because training sets of
    folds overlap; ``test_share`` is n_test/(n_test + n_train), 0.2 for 5 folds. For r times k folds
    give all r*k differences. Nadeau & Bengio, Machine Learning 52, 2003.

    Raises
    ------
    UsageError : ``test_share`` is outside [0, 1)

    Examples
    --------
    >>> found = corrected_gain([0.02, 0.03, 0.01, 0.02, 0.04], 0.2)
    >>> round(found.t, 2), round(found.p, 4)
    (3.14, 0.0175)
    """
    ratio = share_to_ratio(test_share)
    d = np.asarray(fold_differences, dtype=np.float64).ravel()
    d = d[np.isfinite(d)]
    plain = spread(d)
    count = len(d)
    inflation = 1.0 + count * ratio  # s^2/J times this is s^2 (1/J + ratio)
    scale = plain.error * math.sqrt(inflation)
    t = plain.mean / scale if scale > 0 else math.copysign(math.inf, plain.mean or 0.0)
    if not math.isfinite(plain.error) or plain.mean == 0:
        t = 0.0
    return CorrectedGain(
        gain=plain.interval(1 - alpha, inflation=inflation),
        p=plain.p_above(0.0, inflation=inflation),
        t=t,
        freedom=max(count - 1, 0),
    )


def cv_interval(
    fold_losses: Sequence[ArrayLike],
    n_train: int,
    n_test: int,
    *,
    fold_weights: Sequence[ArrayLike] | None = None,
    fold_groups: Sequence[NDArray[Any]] | None = None,
    level: float = 0.95,
) -> Interval:
    """The mean loss of a model from out-of-fold losses per unit, with a range that holds.

    ``fold_losses`` has one array per FINISHED fold; ``n_train`` and ``n_test`` are the rows of one
    fold's two sides. The variance is that of the rows times :func:`training_inflation` (the
    training rows are a sample too, and folds share them), plus the spread between folds where
    Cochran's Q says at 5% that folds differ by more than their rows explain (groups, time).

    One fold, or two, need no other rule: rows carry the variance, so the range is wider only by
    as much as there are fewer of them. Rows alone are too narrow for small, flexible models, and
    Nadeau-Bengio on K fold means is far too wide (t with K - 1 df): ``bench/coverage.py``.
    """
    losses = [np.asarray(part, dtype=np.float64).ravel() for part in fold_losses]
    losses = list(finite_losses(*losses)) if losses else []
    kept = [k for k, part in enumerate(losses) if len(part)]
    if not kept:
        return Interval(-math.inf, math.nan, math.inf, n=0, level=level)
    weights = None if fold_weights is None else [np.asarray(fold_weights[k]) for k in kept]
    groups = None if fold_groups is None else [np.asarray(fold_groups[k]) for k in kept]
    rows = spread(
        np.concatenate([losses[k] for k in kept]),
        weight=None if weights is None else np.concatenate(weights),
        groups=None if groups is None else np.concatenate(groups),
    )
    parts = [
        spread(
            losses[k],
            weight=None if weights is None else weights[i],
            groups=None if groups is None else groups[i],
        )
        for i, k in enumerate(kept)
    ]
    inflation = training_inflation(n_test / max(n_train, 1), rows.n)
    return _with_between(rows, parts, inflation).interval(level)


def share_to_ratio(test_share: float) -> float:
    """n_test/n_train of a test share in [0, 1).

    Examples
    --------
    >>> share_to_ratio(0.2)
    0.25
    """
    if not 0 <= test_share < 1:
        raise UsageError(
            "the test share cannot be used",
            got=str(test_share),
            expected="n_test/(n_test + n_train), a number in [0, 1)",
        )
    return test_share / (1 - test_share)


def training_inflation(ratio: float, n: int) -> float:
    """By how much the variance over rows grows because the models were fitted on a sample too.

    ``1 + n_test/n_train + 4 p/n`` with ``ratio`` = n_test/n_train and n rows judged; 1 when
    ``ratio`` is 0, for models that are shipped as they were judged. The first term is that of
    Nadeau and Bengio with the row as the unit. The second is what least squares with p free
    parameters adds: with V the excess risk, the cross-validated error falls by V where the true
    risk of the refitted model rises by V, and var(2V) = 8 p s^4/n^2 beside var = 2 s^4/n of the
    rows. p is not known, 8 is taken; ``bench/coverage.py``: rows alone hold 85-94%, this 95-98%.
    """
    return 1.0 + ratio + 4 * FREE_PARAMETERS / max(n, 1) if ratio > 0 else 1.0


def _with_between(rows: Spread, folds: Sequence[Spread], inflation: float) -> Spread:
    """``rows`` with its error inflated, and widened when folds differ beyond their own rows."""
    if not math.isfinite(rows.error):
        return rows
    variance = rows.error**2 * inflation
    freedom = rows.freedom
    sound = [f for f in folds if math.isfinite(f.error) and f.error > 0 and f.n >= 5]
    if len(sound) >= 2:
        means = np.array([f.mean for f in sound])
        own = np.array([f.error**2 for f in sound])
        q = float(((means - means.mean()) ** 2 / own).sum())
        # here, not above: gates import this file, and scipy.special costs 0.1 s and 20 MB
        from scipy.special import chdtrc

        if chdtrc(len(sound) - 1, q) < 0.05:
            between = max(float(means.var(ddof=1)) - float(own.mean()), 0.0)
            extra = between / len(sound) * inflation
            # the between part is known with few degrees of freedom (Satterthwaite)
            freedom = (variance + extra) ** 2 / (
                variance**2 / rows.freedom + extra**2 / (len(sound) - 1)
            )
            variance += extra
    return Spread(rows.mean, math.sqrt(variance), freedom, rows.n)
