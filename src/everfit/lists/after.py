"""Histories with what happened after a fit: new interactions count without a refit."""

from __future__ import annotations

import numpy as np

from everfit.column import Array
from everfit.lists.asked import Asked, Histories


def extended(
    histories: Histories, names: Array, items: Array, at: Array, weight: Array | None = None
) -> Histories:
    """``histories`` with more interactions, of users that are known and of new ones.

    Parameters
    ----------
    names : text (m,), the users
    items : int (m,), codes of the catalogue; those below 0 are left out
    at : float64 (m,), seconds since 1970; NaN counts as newer than all that is known
    weight : (m,), None for 1 each

    Examples
    --------
    >>> none = Asked.one(np.array([], dtype=np.int32)).take(np.array([], dtype=np.int64))
    >>> empty = Histories(np.array([], dtype=np.str_), none)
    >>> more = extended(empty, np.array(["b", "a", "b"]), np.array([3, 5, 4]), np.arange(3.0))
    >>> more.of(["b"]).items.tolist(), more.of(["a"]).items.tolist()
    ([3, 4], [5])
    """
    known = np.asarray(items) >= 0
    if not known.any():
        return histories
    old = histories.asked
    said = np.concatenate([np.repeat(histories.names, old.lengths), np.asarray(names)[known]])
    when = np.asarray(at, dtype=np.float64)[known]
    newest = float(old.now.max(initial=0.0))
    when = np.where(np.isfinite(when), when, newest)
    heavy = np.ones(int(known.sum())) if weight is None else np.asarray(weight)[known]
    codes = np.concatenate([old.items, np.asarray(items)[known]]).astype(np.int32)
    times = np.concatenate([old.at, when])
    weights = np.concatenate([old.weight, heavy]).astype(np.float32)
    users, user = np.unique(said, return_inverse=True)
    order = np.lexsort((np.arange(times.size), times, user))
    starts = np.concatenate([[0], np.cumsum(np.bincount(user))]).astype(np.int64)
    now = np.full(users.size, max(newest, float(when.max())))
    asked = Asked(
        starts,
        codes[order],
        times[order],
        weights[order],
        now,
        np.arange(users.size, dtype=np.int32),
    )
    return Histories(users, asked)
