"""Lists of several places: what each place earned, weighted by the chances at that place.

A whole list of ten is hardly ever shown twice, so weights of whole lists explode. If what a place
earns hangs on its item and place alone, the chances of that item at that place are enough
(item-position). If it hangs on the items above too, those of the places down to it are (cascade).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from everfit.errors import UsageError
from everfit.evidence.interval import Floats
from everfit.evidence.offpolicy.logged import check_chances, known
from everfit.evidence.offpolicy.value import Value, effective, valued


@dataclass(frozen=True, slots=True, eq=False)
class Slates:
    """Lists (n,) of up to k places as they were logged, and another policy's chances of them.

    ``reward``, ``propensity`` and ``target`` are (n, k); ``held`` (n, k) says which places were
    filled. ``groups`` (n,) names who each list was for, where one person has several.
    """

    reward: Floats
    propensity: Floats
    target: Floats
    held: NDArray[np.bool_]
    groups: NDArray[Any] | None = None

    @classmethod
    def of(
        cls,
        reward: ArrayLike,
        propensity: ArrayLike,
        target: ArrayLike,
        *,
        held: ArrayLike | None = None,
        groups: NDArray[Any] | None = None,
    ) -> Slates:
        """From arrays (n, k), checked where ``held``; all places without it.

        Raises
        ------
        DataError : a chance of a filled place that is missing or zero, or an unknown reward
        UsageError : arrays of other shapes
        """
        parts = [np.asarray(part, dtype=np.float64) for part in (reward, propensity, target)]
        shape = parts[0].shape
        filled = np.ones(shape, dtype=bool) if held is None else np.asarray(held, dtype=bool)
        sound = len(shape) == 2 and all(part.shape == shape for part in (*parts, filled))
        if not sound or (groups is not None and len(groups) != shape[0]):
            raise UsageError(
                "logged lists do not fit together",
                got=", ".join(str(part.shape) for part in (*parts, filled)),
                expected="rewards, propensities, targets and places, each (lists, places)",
            )
        earned, chance, aim = (part[filled] for part in parts)
        check_chances(chance, aim)
        known(earned, "rewards", "fill in what no reward means once its time is over (often 0)")
        plain = [np.where(filled, part, fill) for part, fill in zip(parts, (0, 1, 0), strict=True)]
        return cls(plain[0], plain[1], plain[2], filled, groups)


def item_position(slates: Slates, *, normalised: bool = True, alpha: float = 0.05) -> Value:
    """The value of a list when each place earns by its item and place alone.

    ``propensity`` and ``target`` are the chances that the item stood AT its place, whatever stood
    elsewhere. ``sum_k mean(w_k r_k)``, or of ``sum(w_k r_k)/sum(w_k)`` when ``normalised``.

    References
    ----------
    .. [1] Li, Abbasi-Yadkori, Kveton, Muthukrishnan, Vinay & Wen (2018), Offline evaluation of
       ranking policies with click models, KDD.

    Examples
    --------
    >>> rows = Slates.of([[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5]] * 2, [[0.5, 0.5], [0.5, 0.5]])
    >>> item_position(rows).value.mid
    1.0
    """
    weight = np.where(slates.held, slates.target / slates.propensity, 0.0)
    return _placed("item-position", slates, weight, normalised, alpha)


def cascade(slates: Slates, *, normalised: bool = True, alpha: float = 0.05) -> Value:
    """The value of a list when each place earns by the items down to it: read from the top.

    ``propensity`` and ``target`` are the chances of each item GIVEN the items above it, as a
    Plackett-Luce list logs them; w_k is their product down to place k.

    References
    ----------
    .. [1] McInerney, Brost, Chandar, Mehrotra & Carterette (2020), Counterfactual evaluation of
       slate recommendations with sequential reward interactions, KDD.
    """
    each = np.where(slates.held, slates.target / slates.propensity, 1.0)
    weight = np.where(slates.held, np.cumprod(each, axis=1), 0.0)
    return _placed("cascade", slates, weight, normalised, alpha)


def _placed(name: str, slates: Slates, weight: Floats, normalised: bool, alpha: float) -> Value:
    """The sum over places; as much evidence as the place with the least of it."""
    n = len(weight)
    if normalised:
        total, full = weight.sum(axis=0), slates.held.sum(axis=0)  # (k,)
        with np.errstate(divide="ignore", invalid="ignore"):
            mids = (weight * slates.reward).sum(axis=0) / total
            pulls = weight * (slates.reward - mids) * (n / total)
        # lists that are shorter earn nothing at a place they do not have
        part = mids * slates.held
        part = np.where(full > 0, part + pulls * (full / max(n, 1)), 0.0)
        units = part.sum(axis=1)
    else:
        units = (weight * slates.reward).sum(axis=1)
    used = [k for k in range(weight.shape[1]) if slates.held[:, k].any()]
    if not used:
        return valued(name, units, np.zeros(n), groups=slates.groups, alpha=alpha)
    least = min(used, key=lambda k: effective(weight[:, k], slates.groups))
    found = valued(name, units, weight[:, least], groups=slates.groups, alpha=alpha)
    # the mean weight is 1 among lists that have the place
    share = float(slates.held[:, least].mean())
    mean = found.mean_weight
    mean = replace(mean, low=mean.low / share, mid=mean.mid / share, high=mean.high / share)
    top = float(weight.max(initial=0.0))
    return replace(found, mean_weight=mean, max_weight=top if math.isfinite(top) else math.inf)
