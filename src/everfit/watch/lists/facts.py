"""One window of lists, reduced to plain facts: what was shown, and what was taken of it.

``codes`` (n, k) are the lists as they were shown, -1 where there is no item; ``people`` (n,) who
each was for. How widely lists spread hangs on how many are counted, so it is counted for fixed
numbers of people, one list each: windows of a busy and of a quiet day compare.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from everfit.column import Array
from everfit.evidence.interval import spread
from everfit.evidence.trial.differences import Differences
from everfit.lists.exposure import entropy, exposure, head_share, list_facts, repetition
from everfit.lists.metrics import hit

SIZES = (30, 100, 300, 1000)  # people whose lists are counted together


def shown_facts(
    codes: Array,
    people: Array,
    popularity: ArrayLike,
    *,
    n_users: int,
    start: datetime,
    cold: ArrayLike | None = None,
    k: int = 10,
    seed: int = 0,
) -> dict[str, Any]:
    """What a window showed, for ``Window.facts["lists"]``.

    Parameters
    ----------
    popularity : (n_items,) users who took each item before the window
    start : of the window; with ``seed`` it picks whose lists are counted
    cold : bool (n,), lists for somebody who was not known; None: nobody was new

    Returns
    -------
    counts ``n``, ``people``, ``cold``, ``repeating``; ``facts`` of all lists (``ListFacts``); and
    ``spread``: by number of people, the effective number of items shown (``e^entropy``) and the
    share of places that the head of the catalogue got. Sizes that the window lacks are left out.
    """
    counts = np.asarray(popularity, dtype=np.float64)
    lists = np.asarray(codes)
    again = repetition(lists, k=k)
    fresh = np.zeros(len(lists), dtype=bool) if cold is None else np.asarray(cold, dtype=bool)
    one_each = _one_each(np.asarray(people), np.random.default_rng([seed, int(start.timestamp())]))
    return {
        "n": len(lists),
        "people": len(one_each),
        "cold": int(fresh.sum()),
        "repeating": int((np.nan_to_num(again) > 0).sum()),
        "facts": list_facts(lists, counts, n_users=n_users, k=k).as_dict(),
        "spread": {
            str(size): _spread(lists[one_each[:size]], counts, k)
            for size in SIZES
            if size <= len(one_each)
        },
    }


def hit_facts(
    codes: Array, truth: Array, people: Array, *, popular: Array | None = None, k: int = 10
) -> dict[str, Any]:
    """What was taken of a window's lists once outcomes had their time.

    Parameters
    ----------
    truth : (n, m) item codes that were taken, filled up with NaN; without any a list is not judged
    popular : (n, k) what the recently most popular list would have been for the same request, -1
        throughout where it was not worked out: the shadow slice

    Returns
    -------
    ``judged`` lists, ``hits`` [low, mid, high] the hit rate with its range over people, and for the
    shadow slice both rates and their paired ``differences`` by person, the popular list as old
    """
    own = hit(codes, truth, k=k)
    judged = np.isfinite(own)
    who = np.asarray(people)
    rate = spread(own[judged], groups=who[judged]).interval()
    found: dict[str, Any] = {
        "judged": int(judged.sum()),
        "hits": [_plain(rate.low), _plain(rate.mid), _plain(rate.high)],
    }
    if popular is None:
        return found
    both = judged & (np.asarray(popular) >= 0).any(axis=1)
    other = hit(popular, truth, k=k)
    found["shadow"] = {
        "judged": int(both.sum()),
        "own": _plain(float(own[both].mean()) if both.any() else math.nan),
        "popular": _plain(float(other[both].mean()) if both.any() else math.nan),
        "differences": Differences.of(
            1.0 - other[both], 1.0 - own[both], 1.0, groups=who[both]
        ).as_dict(),
    }
    return found


def _one_each(people: Array, rng: np.random.Generator) -> Array:
    """One list of each person, in an order of chance: positions."""
    order = rng.permutation(len(people))
    _, first = np.unique(people[order], return_index=True)
    return np.asarray(order[np.sort(first)])


def _spread(lists: Array, popularity: Array, k: int) -> dict[str, float | None]:
    shown = exposure(lists, len(popularity), k=k)
    spread_of = entropy(shown)
    effective = math.exp(spread_of * math.log(len(shown))) if len(shown) > 1 else math.nan
    return {"effective": _plain(effective), "head": _plain(head_share(shown, popularity))}


def _plain(number: float) -> float | None:
    """JSON knows no NaN and no infinity."""
    return number if math.isfinite(number) else None
