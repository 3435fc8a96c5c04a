"""The best of many scores, in order; lists as answers, and several models' lists as one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from everfit.column import DEPTH, Array
from everfit.lists.asked import CELLS, Asked

NONE = np.iinfo(np.int64).min  # the key of an item that must not be shown
LOW = np.int64(0xFFFFFFFF)
LARGE = 16  # times the length of a list: from so many items on, rows are looked at one by one
LEAST = 1.0 / DEPTH  # what the last item of a list counts in a blend: more than one that is absent


def top(
    scores: Array, *, depth: int, seen: Asked | None = None, allowed: Array | None = None
) -> tuple[Array, Array]:
    """The ``depth`` best items of each ask: codes int32 and scores float32, both (n, depth).

    Equal scores stand by code. Where fewer items may be shown, codes are -1 and scores 0.

    Parameters
    ----------
    scores : float32 (n, n_items), finite
    seen : its items are left out, ask by ask
    allowed : bool (n_items,), the items that may be shown; None for all

    Examples
    --------
    >>> top(np.array([[0.1, 0.9, 0.9]], dtype=np.float32), depth=2)[0].tolist()
    [[1, 2]]
    """
    n, n_items = scores.shape
    if n_items >= LARGE * depth:
        return _by_row(scores, depth, seen, allowed)
    # one integer a score: its order above, and below it the code, smaller codes first
    keys = _sortable(np.asarray(scores, dtype=np.float32)).astype(np.int64)
    keys <<= 32
    keys |= LOW - np.arange(n_items, dtype=np.int64)
    if seen is not None and seen.items.size:
        keys[np.repeat(np.arange(n), seen.lengths), seen.items] = NONE
    if allowed is not None:
        keys[:, ~allowed] = NONE
    kept = min(depth, n_items)
    if kept < n_items:
        keys = np.partition(keys, n_items - kept, axis=1)[:, n_items - kept :]
    keys = np.sort(keys, axis=1)[:, ::-1]
    codes = np.full((n, depth), -1, dtype=np.int32)
    best = np.zeros((n, depth), dtype=np.float32)
    there = keys != NONE
    places = np.where(there, LOW - (keys & LOW), 0)
    codes[:, :kept] = np.where(there, places, -1)
    if n_items:
        best[:, :kept] = np.where(there, np.take_along_axis(scores, places, axis=1), 0.0)
    return codes, best


def _by_row(
    scores: Array, depth: int, seen: Asked | None, allowed: Array | None
) -> tuple[Array, Array]:
    """The same where there are many more items than are kept, row by row."""
    n = scores.shape[0]
    codes = np.full((n, depth), -1, dtype=np.int32)
    found = np.zeros((n, depth), dtype=np.float32)
    for i in range(n):
        left = scores[i].astype(np.float32)
        if seen is not None:
            left[seen.items[seen.starts[i] : seen.starts[i + 1]]] = -np.inf
        if allowed is not None:
            left[~allowed] = -np.inf
        best = _best(left, depth)
        codes[i, : best.size], found[i, : best.size] = best, scores[i, best]
    return codes, found


def _best(left: Array, kept: int) -> Array:
    """Codes of the ``kept`` largest finite values, largest first, equal ones by code.

    The highest of each of many strided parts are few, and the ``kept`` largest of them are a floor
    under which nothing is kept. A partition of all values takes 20 times as long where most are
    equal, as scores of sparse neighbours are.
    """
    n_parts = 4 * kept
    parts = left[: left.size // n_parts * n_parts].reshape(-1, n_parts)
    floor = np.sort(parts.max(axis=0))[n_parts - kept]
    above = np.flatnonzero(left > floor)
    best = above[np.lexsort((above, -left[above]))][:kept]
    if best.size < kept and floor > -np.inf:
        best = np.concatenate([best, np.flatnonzero(left == floor)[: kept - best.size]])
    return best


def in_order(base: Array) -> Array:
    """Codes by falling score, equal scores by code, int64 (n_items,)."""
    return np.lexsort((np.arange(base.size), -base))


def top_shared(
    base: Array, asked: Asked, *, depth: int, again: bool = False, order: Array | None = None
) -> tuple[Array, Array]:
    """The same as :func:`top` where all asks share one score ``base``, float32 (n_items,).

    Costs a sort of the items, unless their ``order`` is known (:func:`in_order`), and the lengths
    of the histories; not asks times items.
    """
    n, n_items = asked.n, base.size
    seen = 0 if again else int(asked.lengths.max(initial=0))
    order = (in_order(base) if order is None else order)[: depth + seen]
    place = np.full(n_items, -1, dtype=np.int64)
    place[order] = np.arange(order.size)
    codes = np.full((n, depth), -1, dtype=np.int32)
    scores = np.zeros((n, depth), dtype=np.float32)
    step = max(1, CELLS // max(1, order.size))
    for low in range(0, n, step):
        high = min(low + step, n)
        open_ = np.ones((high - low, order.size), dtype=bool)
        if not again:
            flat = slice(asked.starts[low], asked.starts[high])
            rows = np.repeat(np.arange(high - low), asked.lengths[low:high])
            met = place[asked.items[flat]]
            open_[rows[met >= 0], met[met >= 0]] = False
        rank = np.cumsum(open_, axis=1) - 1
        rows, columns = np.nonzero(open_ & (rank < depth))
        codes[low + rows, rank[rows, columns]] = order[columns]
        scores[low + rows, rank[rows, columns]] = base[order[columns]]
    return codes, scores


def _sortable(scores: Array) -> Array:
    """Integers int32 in the same order as finite float32 ``scores``; -0.0 counts as 0.0."""
    bits = (scores + np.float32(0.0)).view(np.int32)
    return np.asarray(bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF)))


def pack(codes: Array, scores: Array) -> Array:
    """Lists as answers, float64 (n, 2 * DEPTH): codes first (-1: none), then their scores."""
    n, depth = codes.shape[0], min(codes.shape[1], DEPTH)
    values = np.zeros((n, 2 * DEPTH))
    values[:, :DEPTH] = -1.0
    values[:, :depth] = codes[:, :depth]
    values[:, DEPTH : DEPTH + depth] = np.where(codes[:, :depth] >= 0, scores[:, :depth], 0.0)
    return values


def unpack(values: Array) -> tuple[Array, Array]:
    """The inverse of :func:`pack`: codes int32 (n, DEPTH) and scores float64 (n, DEPTH)."""
    return values[:, :DEPTH].astype(np.int32), values[:, DEPTH:]


def mixed(parts: Sequence[Array], weights: Sequence[float]) -> Array:
    """Several models' answers to the same asks as one, float64 (n, 2 * DEPTH).

    Each model's scores are scaled ask by ask to [1 / DEPTH, 1] over its list, an item that it does
    not list counts 0; then the weighted sum decides, equal sums stand by code.

    Parameters
    ----------
    parts : answers, each (n, 2 * DEPTH)
    weights : one for each; only their proportions matter

    Examples
    --------
    >>> a = pack(np.array([[3, 1]]), np.array([[9.0, 5.0]]))
    >>> b = pack(np.array([[1, 2]]), np.array([[0.8, 0.1]]))
    >>> unpack(mixed([a, b], [0.5, 0.5]))[0][0, :3].tolist()
    [1, 3, 2]
    """
    total = float(sum(weights))
    n = parts[0].shape[0]
    codes = np.concatenate([unpack(part)[0] for part in parts], axis=1)
    shares = [w / total * scaled(part) for part, w in zip(parts, weights, strict=True)]
    values = np.concatenate(shares, axis=1)
    order = np.argsort(codes, axis=1, kind="stable")
    codes = np.take_along_axis(codes, order, axis=1)
    sums = np.cumsum(np.take_along_axis(values, order, axis=1), axis=1)
    # the sum of one item's shares: what has been summed at its last place less what was before it
    last = np.ones(codes.shape, dtype=bool)
    last[:, :-1] = codes[:, 1:] != codes[:, :-1]
    rows, places = np.nonzero(last)
    ends = sums[rows, places]
    before = np.concatenate([[0.0], ends[:-1]])
    first = np.concatenate([[True], rows[1:] != rows[:-1]])
    found, gains = codes[rows, places], ends - np.where(first, 0.0, before)
    kept = found >= 0
    rows, found, gains = rows[kept], found[kept], np.round(gains[kept], 9)
    order = np.lexsort((found, -gains, rows))
    rows, found, gains = rows[order], found[order], gains[order]
    rank = np.arange(rows.size) - np.searchsorted(rows, np.arange(n))[rows]
    shown = rank < DEPTH
    answer = np.zeros((n, 2 * DEPTH))
    answer[:, :DEPTH] = -1.0
    answer[rows[shown], rank[shown]] = found[shown]
    answer[rows[shown], DEPTH + rank[shown]] = gains[shown]
    return answer


def scaled(part: Array) -> Array:
    """The scores of answers (n, 2 * DEPTH) in [1 / DEPTH, 1] for each ask, 0 where no item is."""
    codes, scores = unpack(part)
    there = codes >= 0
    high = np.where(there, scores, -np.inf).max(axis=1, keepdims=True)
    low = np.where(there, scores, np.inf).min(axis=1, keepdims=True)
    span = np.where(there.any(axis=1, keepdims=True), high - low, 1.0)
    share = np.ones_like(scores)
    np.divide(scores - np.where(np.isfinite(low), low, 0.0), span, out=share, where=span > 0)
    return np.where(there, LEAST + (1.0 - LEAST) * share, 0.0)
