"""How good is a list for the one who asked? One number per unit, from items and what came about.

``codes`` (n, depth) are the items of n lists, best first, -1 where there is none. ``truth`` (n, m)
are the codes of the items that came about, in any order, filled up with NaN. An item counts once,
at its first place in the list, however often it stands in either. A unit without any truth is
not judged: its number is NaN, not 0 and not 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from everfit.column import Array
from everfit.errors import UsageError

SPREAD = 1.5  # quartile ranges above the third quartile: from there on an item is of the head


def ndcg(codes: Array, truth: Array, *, k: int = 10, grades: ArrayLike | None = None) -> Array:
    """The discounted gain of the first k items over the best that was achievable, (n,) in [0, 1].

    ``sum_{r<=k} g_r / log2(r + 1)``, divided by the same sum for the true items in the best order,
    so a unit with one true item can reach 1. ``g`` is 1 for a true item or, with ``grades``
    (n, m) beside ``truth``, its grade as it is (the highest where an item stands twice; a
    grade of 0 or less is no gain).

    Raises
    ------
    UsageError : arrays of other units, or k below 1

    References
    ----------
    .. [1] Jarvelin & Kekalainen (2002), Cumulated gain-based evaluation of IR techniques,
       ACM TOIS 20.

    Examples
    --------
    >>> lists = np.array([[4, 2, 7], [1, 2, 3], [5, 6, -1]])
    >>> true = np.array([[2, np.nan], [3, 1], [np.nan, np.nan]])
    >>> ndcg(lists, true, k=10).round(4).tolist()
    [0.6309, 0.9197, nan]
    """
    found = _Matched.of(codes, truth, k, grades)
    discount = 1.0 / np.log2(np.arange(2, k + 2))  # (k,)
    gained = np.asarray(found.gains @ discount[: found.gains.shape[1]])
    return _ratio(gained, found.ideal(discount))


def recall(codes: Array, truth: Array, *, k: int = 20) -> Array:
    """The share of the true items that are among the first k, (n,).

    Examples
    --------
    >>> recall(np.array([[4, 2, 7]]), np.array([[2.0, 9.0]]), k=2).tolist()
    [0.5]
    """
    found = _Matched.of(codes, truth, k)
    return _ratio(np.asarray(found.gains.sum(axis=1)), found.n_true)


def hit(codes: Array, truth: Array, *, k: int = 10) -> Array:
    """1 where any true item is among the first k, else 0, (n,).

    Examples
    --------
    >>> hit(np.array([[4, 2, 7], [4, 2, 7]]), np.array([[2.0], [9.0]]), k=2).tolist()
    [1.0, 0.0]
    """
    found = _Matched.of(codes, truth, k)
    some = np.asarray(found.gains.any(axis=1), dtype=np.float64)
    return _ratio(some, np.minimum(found.n_true, 1.0))


def average_precision(codes: Array, truth: Array, *, k: int | None = None) -> Array:
    """The mean, over the true items, of the precision at the place of each, (n,).

    ``(1/n_true) sum_{r<=k} hit_r * (hits up to r)/r``; a true item that is not listed adds 0.
    ``k`` None: the whole list.

    Examples
    --------
    >>> average_precision(np.array([[4, 2, 7]]), np.array([[4.0, 7.0]])).round(4).tolist()
    [0.8333]
    """
    found = _Matched.of(codes, truth, _depth(codes, k))
    places = np.arange(1, found.gains.shape[1] + 1)
    precision = np.cumsum(found.gains, axis=1) / places
    return _ratio((precision * found.gains).sum(axis=1), found.n_true)


def reciprocal_rank(codes: Array, truth: Array, *, k: int | None = None) -> Array:
    """One over the place of the first true item, 0 when none is listed, (n,).

    Examples
    --------
    >>> reciprocal_rank(np.array([[4, 2, 7]]), np.array([[7.0, 2.0]])).tolist()
    [0.5]
    """
    found = _Matched.of(codes, truth, _depth(codes, k))
    places = np.arange(1, found.gains.shape[1] + 1)
    best = (found.gains / places).max(axis=1, initial=0.0)
    return _ratio(best, np.minimum(found.n_true, 1.0))


def head_kept(truth: Array, n_items: int, *, spread: float = SPREAD) -> Array:
    """The share of each item's true interactions that a debiased judgement keeps, (n_items,).

    Items counted more often than ``border = floor(Q3 + spread (Q3 - Q1))`` (quartiles of the counts
    of the items that came about, of distinct units each) keep ``border/count``; the others 1.

    Raises
    ------
    UsageError : a true item at or above ``n_items``

    Examples
    --------
    >>> head_kept(np.array([[0.0, 1], [0, 2], [0, 3], [0, 4]]), n_items=6).tolist()
    [0.25, 1.0, 1.0, 1.0, 1.0, 1.0]
    """
    rows, items = _listed(truth)
    if len(items) and int(items.max()) >= n_items:
        raise UsageError(
            "a true item is not in the catalogue",
            got=f"item {int(items.max())}",
            expected=f"codes below {n_items}",
        )
    pairs = np.unique(rows * max(n_items, 1) + items)
    counts = np.bincount(pairs % max(n_items, 1), minlength=n_items).astype(np.float64)
    seen = counts[counts > 0]
    if not len(seen):
        return np.ones(n_items)
    q1, q3 = np.quantile(seen, [0.25, 0.75])
    border = max(np.floor(q3 + spread * (q3 - q1)), 1.0)
    return np.asarray(np.minimum(1.0, border / np.maximum(counts, 1.0)))


def thinned(truth: Array, kept: Array, ids: Array, *, seed: int = 0) -> Array:
    """``truth`` (n, m) with interactions of head items left out at random: debiased metrics.

    An interaction of item i stays with the chance ``kept[i]`` (:func:`head_kept`). The draw hangs
    on ``seed``, the unit's id (n,) and the item alone, so that every model is judged by the same
    interactions, whichever units are asked for with it. Any metric of the result is debiased;
    units whose truth is gone are not judged.

    A list of the same popular items gains less than by the plain metric: what it was right about
    counts no more often than an item of the middle. RecTools draws a fixed number per item;
    here it is that number on average, which makes draws of different units independent.

    Raises
    ------
    UsageError : ids that are not one per unit

    References
    ----------
    .. [1] ``DebiasConfig`` of RecTools 0.8, rectools/metrics/debias.py (Apache 2.0).
    .. [2] Carraro & Bridge (2022), A sampling approach to debiasing the offline evaluation of
       recommender systems, Journal of Intelligent Information Systems 58.

    Examples
    --------
    >>> true = np.tile([0.0, 1.0], (1000, 1))
    >>> less = thinned(true, np.array([0.25, 1.0]), np.arange(1000))
    >>> np.isfinite(less).sum(axis=0).tolist()
    [261, 1000]
    """
    given, unit = np.asarray(truth, dtype=np.float64), np.asarray(ids)
    if given.ndim != 2 or unit.shape != given.shape[:1]:
        raise UsageError(
            "units and what came about do not fit",
            got=f"ids {unit.shape}, truth {given.shape}",
            expected="ids (n,) and truth (n, m)",
        )
    known = _known(given)
    items = np.where(known, given, 0).astype(np.int64)
    stays = _uniform(unit.astype(np.int64)[:, None], items, seed) < np.asarray(kept)[items]
    return np.where(known & stays, given, np.nan)


class _Matched:
    """What each slot of the lists gained, and what there was to gain."""

    __slots__ = ("gains", "grade", "n_true", "row")

    def __init__(self, gains: Array, n_true: Array, row: Array, grade: Array) -> None:
        self.gains = gains  # (n, min(k, depth))
        self.n_true = n_true  # (n,) distinct true items
        self.row, self.grade = row, grade  # of each distinct true item, in order of rows

    @classmethod
    def of(cls, codes: Array, truth: Array, k: int, grades: ArrayLike | None = None) -> _Matched:
        lists, n = _checked(codes, truth, k)
        rows, items = _listed(truth)
        known = _known(truth)
        grade = np.ones(len(rows)) if grades is None else _beside(grades, known)
        rows, items, grade = rows[grade > 0], items[grade > 0], grade[grade > 0]
        # one number per pair of unit and item: sorting these is far cheaper than comparing all
        width = 1 + max(int(items.max(initial=0)), int(lists.max(initial=0)))
        pairs, place = np.unique(rows * width + items, return_inverse=True)
        best = np.zeros(len(pairs))
        np.maximum.at(best, place, grade)
        row = pairs // width
        slots = np.arange(n)[:, None] * width + lists
        at = np.searchsorted(pairs, slots).clip(max=max(len(pairs) - 1, 0))
        right = (lists >= 0) & (pairs[at] == slots if len(pairs) else False)
        gains = np.where(right & ~repeated(lists), best[at] if len(pairs) else 0.0, 0.0)
        return cls(gains, np.bincount(row, minlength=n).astype(np.float64), row, best)

    def ideal(self, discount: Array) -> Array:
        """The discounted gain of the best list there could be, (n,)."""
        order = np.lexsort((-self.grade, self.row))
        row, grade = self.row[order], self.grade[order]
        starts = np.cumsum(self.n_true) - self.n_true
        place = np.arange(len(row)) - starts[row].astype(np.int64)
        kept = place < len(discount)
        gained = grade[kept] * discount[place[kept]]
        return np.bincount(row[kept], weights=gained, minlength=len(self.n_true))


def repeated(codes: Array) -> Array:
    """Which slots (n, depth) hold an item that stands earlier in the same list; bool.

    Examples
    --------
    >>> repeated(np.array([[3, 5, 3, -1, -1]])).tolist()
    [[False, False, True, False, False]]
    """
    lists = np.asarray(codes)
    order = np.argsort(lists, axis=1, kind="stable")
    ordered = np.take_along_axis(lists, order, axis=1)
    again = np.zeros(lists.shape, dtype=bool)
    again[:, 1:] = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
    found = np.zeros(lists.shape, dtype=bool)
    np.put_along_axis(found, order, again, axis=1)
    return found


def _checked(codes: Array, truth: Array, k: int) -> tuple[Array, int]:
    lists, true = np.asarray(codes), np.asarray(truth)
    if lists.ndim != 2 or true.ndim != 2 or len(lists) != len(true) or k < 1:
        raise UsageError(
            "lists cannot be judged",
            got=f"lists {lists.shape}, truth {true.shape}, k {k}",
            expected="lists (n, depth) and truth (n, m) of the same units, and k from 1",
        )
    return lists[:, :k].astype(np.int64), len(lists)


def _known(truth: Array) -> Array:
    true = np.asarray(truth, dtype=np.float64)
    return np.isfinite(true) & (true >= 0)


def _listed(truth: Array) -> tuple[Array, Array]:
    """The unit and the item of every true interaction, both int64, in order of units."""
    rows, columns = np.nonzero(_known(truth))
    return rows, np.asarray(truth)[rows, columns].astype(np.int64)


def _beside(grades: ArrayLike, known: Array) -> Array:
    table = np.asarray(grades, dtype=np.float64)
    if table.shape != known.shape:
        raise UsageError(
            "grades do not fit what came about",
            got=f"grades {table.shape}, truth {known.shape}",
            expected="one grade beside each true item",
        )
    return np.nan_to_num(table[known], nan=0.0)


def _depth(codes: Array, k: int | None) -> int:
    return max(np.asarray(codes).shape[-1], 1) if k is None else k


def _ratio(value: Array, of: Array) -> Array:
    judged = of > 0
    return np.where(judged, value / np.where(judged, of, 1.0), np.nan)


def _uniform(unit: Array, item: Array, seed: int) -> Array:
    """A number in [0, 1) for each pair: splitmix64, so that no draw hangs on another pair."""
    with np.errstate(over="ignore"):
        owner = unit.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        state = _mixed(owner ^ np.uint64(seed % 2**64)) ^ item.astype(np.uint64)
        return (_mixed(state) >> np.uint64(11)).astype(np.float64) / 2.0**53


def _mixed(z: Array) -> Array:
    z = z + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)))
