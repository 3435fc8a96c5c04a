"""The newest part of a history, kept back inside it, to choose settings by: never later than it.

What is asked there is what a task asks: who comes back, what is met next, all items ranked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from everfit.column import Array
from everfit.lists.asked import Asked, Interactions
from everfit.lists.popular import ALL_TIME, DAY_S, Windows, popularity_over
from everfit.lists.top import top, top_shared

SHARE = 0.1  # of the interactions in one part
PARTS, FEW = 3, 300_000  # below so many interactions one part has too few users to choose by
SCORES = 10_000_000  # asks times items of one part: 40 MB for each set of scores
ASKS = 3_000  # users of one part; more tell settings apart no better
SHOWN = 10  # the length of the list by which settings are chosen
WINDOWS = (1.0, 3.0, 7.0, 14.0, 30.0, 60.0, 90.0, 180.0, 365.0)
USUAL: Windows = ((7.0, 0.0), (30.0, 0.0), (90.0, 0.0))
CLEARLY = 2.0  # standard errors
HALF_LIVES = (2.0, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0)
DISCOUNT = 1.0 / np.log2(np.arange(2, SHOWN + 2))


@dataclass(frozen=True, slots=True)
class Newest:
    """One part kept back: what was before it, who is asked, and what they met then.

    ``pairs`` are sorted ask * n_items + item, int64; ``counts`` how many items each ask met.
    """

    before: Interactions
    asked: Asked
    pairs: Array
    counts: Array

    def gains(self, codes: Array) -> Array:
        """NDCG@10 of lists (n, 10 or more), divided by what can be reached, float64 (n,)."""
        shown = codes[:, :SHOWN].astype(np.int64)
        width = shown.shape[1]
        keys = shown + np.arange(shown.shape[0])[:, None] * self.before.n_items
        place = np.minimum(np.searchsorted(self.pairs, keys), self.pairs.size - 1)
        hit = (self.pairs[place] == keys) & (shown >= 0)
        best = np.cumsum(DISCOUNT)[np.minimum(self.counts, SHOWN) - 1]
        return np.asarray((hit * DISCOUNT[:width]).sum(axis=1) / best)

    def gain(self, scores: Array, *, again: bool = False) -> float:
        """The mean NDCG@10 of scores (n, n_items)."""
        lists, _ = top(scores, depth=SHOWN, seen=None if again else self.asked)
        return float(self.gains(lists).mean())


def newest_parts(
    seen: Interactions, *, seed: int = 0, again: bool = False, warm: bool = False,
    last: bool = False, share: float = SHARE, most: int = PARTS, cells: int = SCORES,
) -> tuple[Newest, ...]:  # fmt: skip
    """Up to ``most`` parts kept back, the newest first; empty where a history is too short.

    Where users share one time, a part is a ``share`` of the interactions, and what stands before it
    is all that is older. Where times are positions in each user's own history, the one part is the
    last item of each user.

    Parameters
    ----------
    again : what a user has met may be met again
    warm : only users with a history are asked
    last : keep back the last item of each user in any case
    cells : asks times items of one part, at most
    """
    how = _How(seed, again, warm, cells)
    if last or not seen.timed:
        part = _last_of_each(seen, replace(how, warm=True))
        return () if part is None else (part,)
    found = []
    for back in range(most if seen.n < FEW else 1):
        low, high = (round(seen.n * (1.0 - share * (back + more))) for more in (1, 0))
        if low < 1 or high - low < 1:
            break
        part = _part(seen, np.arange(low), np.arange(low, high), how)
        if part is not None:
            found.append(part)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _How:
    seed: int
    again: bool
    warm: bool
    cells: int


def _last_of_each(seen: Interactions, how: _How) -> Newest | None:
    order = np.argsort(seen.users, kind="stable")
    history = seen.histories()
    back = history.steps_back()
    long = np.repeat(history.lengths > 1, history.lengths)
    older, newer = np.sort(order[(back > 0) | ~long]), np.sort(order[(back == 0) & long])
    return _part(seen, older, newer, how)


def _part(seen: Interactions, older: Array, newer: Array, how: _How) -> Newest | None:
    before, n_items = seen.take(older), seen.n_items
    pairs = np.unique(seen.users[newer].astype(np.int64) * n_items + seen.items[newer])
    if not how.again:
        known = before.users.astype(np.int64) * n_items + before.items
        pairs = pairs[~np.isin(pairs, known)]
    users = np.unique(pairs // n_items)
    histories = before.histories()
    if how.warm:
        users = users[histories.lengths[users] > 0]
    most = min(ASKS, max(50, how.cells // max(1, n_items)))
    if users.size > most:
        users = np.sort(np.random.default_rng(how.seed).choice(users, most, replace=False))
    pairs = pairs[np.isin(pairs // n_items, users)]
    if not users.size:
        return None
    ask = np.searchsorted(users, pairs // n_items)
    return Newest(
        before, histories.take(users), ask * n_items + pairs % n_items,
        np.bincount(ask, minlength=users.size),
    )  # fmt: skip


def best_windows(parts: Sequence[Newest], *, again: bool = False) -> Windows:
    """The window or half-life whose popularity told the newest parts best.

    It must be better than the mean of the ``USUAL`` ones by twice the standard error of their
    paired difference: what is best on few asks is mostly luck (MovieLens-100K, five cuts: NDCG@10
    0.140 with what was best, 0.151 with 30 days for all).
    """
    timed = [part for part in parts if part.before.timed]
    if not timed:
        return USUAL if not parts else ALL_TIME
    span = (timed[0].before.newest - float(timed[0].before.at[0])) / DAY_S
    tried: list[Windows] = [((days, 0.0),) for days in WINDOWS if days < span] + [ALL_TIME]
    tried += [((0.0, days),) for days in HALF_LIVES if days < span]
    usual = _told(timed, USUAL, again)
    best, most = USUAL, 0.0
    for windows in tried:
        more = _told(timed, windows, again) - usual
        gain = float(more.mean()) - CLEARLY * _doubt(more)
        best, most = (windows, gain) if gain > most else (best, most)
    return best


def _told(parts: Sequence[Newest], windows: Windows, again: bool) -> Array:
    """NDCG@10 of the mean popularity over windows for all asks of all parts."""
    found = []
    for part in parts:
        base = popularity_over(part.before, windows)
        lists, _ = top_shared(base, part.asked, depth=SHOWN, again=again)
        found.append(part.gains(lists))
    return np.concatenate(found)


def best_of(
    values: Sequence[float], parts: Sequence[Newest], scores: Callable[[int, float], Array],
    *, again: bool = False,
) -> tuple[float, float]:  # fmt: skip
    """The value whose scores told the newest parts best, and its mean NDCG@10.

    The first value is the usual one: another must be better by more than the standard error of
    their paired difference.

    Parameters
    ----------
    scores : gives float32 (n, n_items) for the part at a position and a value
    """

    def told(value: float) -> Array:
        found = []
        for i, part in enumerate(parts):
            lists, _ = top(scores(i, value), depth=SHOWN, seen=None if again else part.asked)
            found.append(part.gains(lists))
        return np.concatenate(found)

    usual = told(values[0])
    best, most, gain = values[0], 0.0, float(usual.mean())
    for value in values[1:]:
        more = told(value) - usual
        sure = float(more.mean()) - _doubt(more)
        if sure > most:
            best, most, gain = value, sure, float(usual.mean() + more.mean())
    return best, gain


def _doubt(difference: Array) -> float:
    """The standard error of a mean."""
    return float(difference.std() / np.sqrt(max(1, difference.size)))
