"""Estimators of a policy's value from one decision at a time: weighted, normalised, robust.

w = target/propensity, r the reward, q a reward model. All are per decision, higher is better.
"""

from __future__ import annotations

import math

import numpy as np

from everfit.errors import UsageError
from everfit.evidence.interval import Floats
from everfit.evidence.offpolicy.logged import Logged
from everfit.evidence.offpolicy.value import Value, valued

STRENGTHS = 25  # tried when the shrinkage is chosen from the data


def ips(logged: Logged, *, alpha: float = 0.05) -> Value:
    """Inverse propensity score: ``mean(w r)``. Without bias, but it swings with the weights.

    Examples
    --------
    >>> ips(Logged.of([1.0, 0.0, 1.0, 0.0], [0.5] * 4, [1.0, 0.0, 0.0, 1.0])).value.mid
    0.5
    """
    w = logged.weight
    return valued("ips", w * logged.reward, w, groups=logged.groups, alpha=alpha)


def snips(logged: Logged, *, alpha: float = 0.05) -> Value:
    """Self-normalised: ``sum(w r)/sum(w)``. A bias of order 1/n, and never outside the rewards.

    Its range is linearised: ``V + w (r - V)/mean(w)`` per decision.

    References
    ----------
    .. [1] Swaminathan & Joachims (2015), The self-normalized estimator for counterfactual
       learning, NeurIPS 28.

    Examples
    --------
    >>> snips(Logged.of([1.0, 0.0, 1.0, 0.0], [0.5] * 4, [1.0, 0.0, 0.5, 0.5])).value.mid
    0.75
    """
    w = logged.weight
    total = float(w.sum())
    if not total > 0:
        return valued("snips", np.full(len(w), math.nan), w, groups=logged.groups, alpha=alpha)
    mid = float(w @ logged.reward) / total
    units = mid + w * (logged.reward - mid) * (len(w) / total)
    return valued("snips", units, w, groups=logged.groups, alpha=alpha)


def doubly_robust(logged: Logged, *, alpha: float = 0.05) -> Value:
    """``mean(expected + w (r - predicted))``: right when the chances or the reward model are.

    Without a reward model it is :func:`ips`.

    References
    ----------
    .. [1] Dudik, Langford & Li (2011), Doubly robust policy evaluation and learning, ICML 28.

    Examples
    --------
    >>> rows = Logged.of([1.0, 0.0], [0.5, 0.5], [1.0, 0.0], predicted=[1, 0], expected=[1, 1])
    >>> doubly_robust(rows).value.mid
    1.0
    """
    w = logged.weight
    return valued("doubly robust", _robust(logged, w), w, groups=logged.groups, alpha=alpha)


def clipped(logged: Logged, most: float, *, alpha: float = 0.05) -> Value:
    """Doubly robust with weights cut at ``most``: steadier, with a bias that widens the range.

    Raises
    ------
    UsageError : ``most`` is not positive
    """
    if not most > 0:
        raise UsageError("weights cannot be cut", got=str(most), expected="a positive number")
    return _pulled("clipped", logged, np.minimum(logged.weight, most), alpha)


def shrunk(logged: Logged, strength: float | None = None, *, alpha: float = 0.05) -> Value:
    """Doubly robust with optimistic shrinkage: weights ``s w/(w^2 + s)`` instead of w.

    A large s changes nothing, a small one leaves the reward model alone. None chooses, on a
    geometric grid, the s of the least ``variance/n + bias^2``. The bias is ``mean((w - w_s)(r -
    predicted))`` and widens the range, so the range holds the doubly robust value too.

    Raises
    ------
    UsageError : ``strength`` is not positive

    References
    ----------
    .. [1] Su, Dimakopoulou, Krishnamurthy & Dudik (2020), Doubly robust off-policy evaluation
       with shrinkage, ICML 37.
    """
    if strength is not None and not strength > 0:
        raise UsageError("a shrinkage is none", got=str(strength), expected="a positive number")
    w = logged.weight
    if strength is None:
        strength = _chosen(logged, w)
    return _pulled("shrunk", logged, _shrink(w, strength), alpha)


def _robust(logged: Logged, weight: Floats) -> Floats:
    """What each decision says under other weights (n,)."""
    return logged.expected + weight * (logged.reward - logged.predicted)


def _pulled(name: str, logged: Logged, weight: Floats, alpha: float) -> Value:
    lost = (logged.weight - weight) * (logged.reward - logged.predicted)
    return valued(
        name,
        _robust(logged, weight),
        weight,
        groups=logged.groups,
        alpha=alpha,
        bias=float(lost.mean()) if len(lost) else 0.0,
    )


def _shrink(w: Floats, strength: float) -> Floats:
    return strength * w / (w**2 + strength)


def _chosen(logged: Logged, w: Floats) -> float:
    top = float(w.max(initial=0.0)) ** 2
    if not top > 0 or len(w) < 2:
        return 1.0
    errors = []
    grid = np.geomspace(top * 1e-4, top * 1e4, STRENGTHS)
    for strength in grid:
        said = _robust(logged, _shrink(w, float(strength)))
        bias = float((_robust(logged, w) - said).mean())
        errors.append(float(said.var(ddof=1)) / len(w) + bias**2)
    return float(grid[int(np.argmin(errors))])
