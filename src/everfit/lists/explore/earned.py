"""What another model's lists would have earned, from lists that were logged with their chances."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from everfit.column import Array
from everfit.errors import UsageError
from everfit.evidence.offpolicy.slates import Slates, cascade, item_position
from everfit.evidence.offpolicy.verdict import OffPolicyVerdict, verdict
from everfit.lists.explore.draw import Explore, log_chances
from everfit.lists.explore.places import chances_at


@dataclass(frozen=True, slots=True, eq=False)
class Logs:
    """Lists (n, k) as they were shown, the log chance of each item given those above, rewards.

    ``codes`` are -1 where a list is shorter; ``reward`` (n, k) is what each place earned, 0 where
    nothing came in its time. ``people`` (n,) names who each list was for. ``ranked`` is what the
    lists were drawn from: candidate codes and scores, each (n, depth), and the policy; judging
    by place alone needs it.
    """

    codes: Array
    log_propensity: Array
    reward: Array
    people: NDArray[Any] | None = None
    ranked: tuple[Array, Array, Explore] | None = None


def earned(
    logs: Logs,
    codes: Array,
    scores: Array,
    policy: Explore,
    *,
    by: Literal["cascade", "place"] = "cascade",
    places: int | None = None,
    alpha: float = 0.05,
) -> OffPolicyVerdict:
    """Would lists of this model, shown by ``policy``, have earned more than those logged?

    Parameters
    ----------
    codes, scores : the model's candidates (n, depth) for the same requests, best first
    by : "cascade", a place earns by the items down to it; "place", by its own item alone, which
        says far more about lists that have little in common, if it is true
    places : judge the first so many places alone: fewer say more; None: all

    Raises
    ------
    DataError : logged chances that are missing or zero, or rewards that are not known
    UsageError : another way to judge, or one that needs ``logs.ranked``
    """
    shown = np.asarray(logs.codes, dtype=np.int64)[:, :places]
    reward = np.asarray(logs.reward, dtype=np.float64)[:, :places]
    held = shown >= 0
    if by == "cascade":
        chance = np.exp(np.asarray(logs.log_propensity, dtype=np.float64)[:, :places])
        target = np.exp(log_chances(codes, scores, shown, policy))
        found = cascade(Slates.of(reward, chance, target, held=held, groups=logs.people))
    elif by == "place" and logs.ranked is not None:
        chance = _at_places(*logs.ranked, shown)
        target = _at_places(codes, scores, policy, shown)
        found = item_position(Slates.of(reward, chance, target, held=held, groups=logs.people))
    else:
        raise UsageError(
            "lists cannot be judged this way",
            got=repr(by) + ("" if logs.ranked else " and no candidates of the logged version"),
            expected="'cascade', or 'place' with logs.ranked",
        )
    total = np.where(held, reward, 0.0).sum(axis=1)
    answer = verdict(found, total, alpha=alpha)
    return replace(answer, why=answer.why.replace("decision", "list"))


def _at_places(codes: Array, scores: Array, policy: Explore, shown: Array) -> Array:
    """The chance of each shown item at its place (n, k), whatever stood elsewhere."""
    each = zip(np.asarray(codes), np.asarray(scores), shown, strict=True)
    rows = [chances_at(items, worth, listed, policy) for items, worth, listed in each]
    return np.array(rows, dtype=np.float64).reshape(shown.shape)
