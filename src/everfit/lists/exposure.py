"""What lists show, whoever they are for: how much of the catalogue, how popular, how alike.

``codes`` (n, depth) are items, best first, -1 where there is none; ``popularity`` (n_items,) is
how many users took each item in the history that the lists were made from. What was shown to all
is ``shown`` (n_items,): slots (or weighted slots) that each item got.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike

from everfit.column import Array
from everfit.errors import UsageError
from everfit.lists.metrics import repeated

HEAD = 0.01  # the share of a catalogue that is called its head


@dataclass(frozen=True, slots=True)
class ListFacts:
    """What a set of lists shows, in numbers that need no truth.

    ``coverage``, ``head``, ``gini``, ``entropy`` and ``repetition`` are shares in [0, 1];
    ``popularity`` is in users, ``novelty`` in bits; ``lists`` counts lists, ``empty`` those
    without any item. A number that cannot be told (no items shown) is NaN.
    """

    lists: int
    empty: int
    coverage: float
    popularity: float
    novelty: float
    head: float
    gini: float
    entropy: float
    repetition: float

    def as_dict(self) -> dict[str, float | None]:
        """Plain values for records; None for what cannot be told."""
        return {key: None if math.isnan(x) else x for key, x in asdict(self).items()}


def list_facts(codes: Array, popularity: ArrayLike, *, n_users: int, k: int = 10) -> ListFacts:
    """All facts of the first ``k`` items of each list.

    Raises
    ------
    UsageError : lists that are no table, or an item outside the catalogue

    Examples
    --------
    >>> facts = list_facts(np.array([[0, 1], [0, 2]]), [8, 2, 1, 1], n_users=8, k=2)
    >>> facts.coverage, facts.popularity, facts.novelty
    (0.75, 4.75, 1.25)
    """
    counts = np.asarray(popularity, dtype=np.float64)
    shown = exposure(codes, len(counts), k=k)
    full = _first(codes, k) >= 0
    return ListFacts(
        lists=len(full),
        empty=int((~full.any(axis=1)).sum()),
        coverage=coverage(shown),
        popularity=_mean(mean_popularity(codes, counts, k=k)),
        novelty=_mean(novelty(codes, counts, n_users=n_users, k=k)),
        head=head_share(shown, counts),
        gini=gini(shown),
        entropy=entropy(shown),
        repetition=_mean(repetition(codes, k=k)),
    )


def exposure(codes: Array, n_items: int, *, k: int = 10, weight: ArrayLike | None = None) -> Array:
    """How many slots each item of the catalogue got, (n_items,); each slot is worth ``weight``.

    ``weight`` (n, k) or (k,) beside the slots; None: 1 each.

    Raises
    ------
    UsageError : an item outside the catalogue

    Examples
    --------
    >>> exposure(np.array([[0, 2], [0, -1]]), 3).tolist()
    [2.0, 0.0, 1.0]
    """
    lists = _first(codes, k)
    if lists.size and int(lists.max()) >= n_items:
        raise UsageError(
            "a list holds an item that is not in the catalogue",
            got=f"item {int(lists.max())}",
            expected=f"codes below {n_items}",
        )
    held = lists >= 0
    worth = None
    if weight is not None:
        worth = np.broadcast_to(np.asarray(weight, dtype=np.float64), lists.shape)[held]
    return np.bincount(lists[held], weights=worth, minlength=n_items).astype(np.float64)


def coverage(shown: ArrayLike) -> float:
    """The share of the catalogue that is shown to anybody.

    Examples
    --------
    >>> coverage([2, 0, 1, 0])
    0.5
    """
    slots = np.asarray(shown, dtype=np.float64)
    return float((slots > 0).mean()) if len(slots) else math.nan


def gini(shown: ArrayLike) -> float:
    """How unequal exposure is: 0 when all items get as much, near 1 when one gets it all.

    ``sum_i (2 i - n - 1) x_i / (n sum x)`` over the n items in rising order.

    Examples
    --------
    >>> gini([1, 1, 1, 1]), gini([0, 0, 0, 4])
    (0.0, 0.75)
    """
    slots = np.sort(np.asarray(shown, dtype=np.float64))
    total = float(slots.sum())
    if not total > 0:
        return math.nan
    n = len(slots)
    return float((2 * np.arange(1, n + 1) - n - 1) @ slots) / (n * total)


def entropy(shown: ArrayLike) -> float:
    """How spread exposure is over the catalogue: ``-sum p ln p / ln n_items``, in [0, 1].

    1 when every item is shown as often, 0 when one item gets every slot.

    Examples
    --------
    >>> entropy([1, 1, 1, 1]), entropy([0, 0, 0, 4])
    (1.0, 0.0)
    """
    slots = np.asarray(shown, dtype=np.float64)
    total = float(slots.sum())
    if not total > 0 or len(slots) < 2:
        return math.nan
    p = slots[slots > 0] / total
    return max(0.0, float(-(p @ np.log(p))) / math.log(len(slots)))


def head_share(
    shown: ArrayLike, popularity: ArrayLike | None = None, *, top: float = HEAD
) -> float:
    """The share of all slots that the head of the catalogue got: concentration on the head.

    The head is the ``top`` share of items (at least one) that most users took; without
    ``popularity``, that was most shown.

    Examples
    --------
    >>> head_share([3, 1, 0, 4], [9, 1, 1, 1]), head_share([3, 1, 0, 4])
    (0.375, 0.5)
    """
    slots = np.asarray(shown, dtype=np.float64)
    total = float(slots.sum())
    if not total > 0:
        return math.nan
    by = slots if popularity is None else np.asarray(popularity, dtype=np.float64)
    size = max(math.ceil(top * len(slots)), 1)
    return float(slots[np.argsort(-by, kind="stable")[:size]].sum()) / total


def mean_popularity(codes: Array, popularity: ArrayLike, *, k: int = 10) -> Array:
    """How many users took the items of each list, on average, (n,); NaN for an empty list.

    Examples
    --------
    >>> mean_popularity(np.array([[0, 1], [-1, -1]]), [8, 2]).tolist()
    [5.0, nan]
    """
    return _of_slots(codes, np.asarray(popularity, dtype=np.float64), k)


def novelty(codes: Array, popularity: ArrayLike, *, n_users: int, k: int = 10) -> Array:
    """The mean self-information of the items of each list in bits, (n,): high for unknown items.

    ``log2(n_users / users of the item)``; an item that nobody took counts as taken by one.

    References
    ----------
    .. [1] Zhou et al. (2010), Solving the apparent diversity-accuracy dilemma of recommender
       systems, PNAS 107.

    Examples
    --------
    >>> novelty(np.array([[0, 1]]), [8, 2], n_users=8).tolist()
    [1.0]
    """
    users = np.clip(np.asarray(popularity, dtype=np.float64), 1.0, max(n_users, 1))
    return _of_slots(codes, np.log2(max(n_users, 1) / users), k)


def repetition(codes: Array, *, k: int = 10) -> Array:
    """The share of the slots of each list that repeat an item above them, (n,); NaN if empty.

    Examples
    --------
    >>> repetition(np.array([[4, 4, 1, 4]])).tolist()
    [0.5]
    """
    lists = _first(codes, k)
    return _over(repeated(lists).sum(axis=1), (lists >= 0).sum(axis=1))


def _first(codes: Array, k: int) -> Array:
    lists = np.asarray(codes)
    if lists.ndim != 2 or k < 1:
        raise UsageError(
            "lists cannot be counted",
            got=f"an array {lists.shape}, k {k}",
            expected="lists (n, depth) and k from 1",
        )
    return lists[:, :k].astype(np.int64)


def _of_slots(codes: Array, values: Array, k: int) -> Array:
    lists = _first(codes, k)
    held = lists >= 0
    total = np.where(held, values[np.where(held, lists, 0)], 0.0).sum(axis=1)
    return _over(total, held.sum(axis=1))


def _over(total: ArrayLike, n: ArrayLike) -> Array:
    size = np.asarray(n, dtype=np.float64)
    return np.where(size > 0, np.asarray(total) / np.where(size > 0, size, 1.0), np.nan)


def _mean(values: Array) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan
