"""Candidates of several scorers, put in order by trees that know the items and the asking user.

LambdaRank: Burges (2010), From RankNet to LambdaRank to LambdaMART. Trees: LightGBM.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from everfit.column import Array
from everfit.lists.asked import Asked, Interactions
from everfit.lists.content import Content
from everfit.lists.lagged import Lagged
from everfit.lists.popular import DAY_S, popularity
from everfit.lists.scorer import with_base
from everfit.lists.top import in_order, top, top_shared

WINDOWS = (1.0, 7.0, 30.0, 90.0, 0.0)  # days of popularity that trees see, 0 for all time
WIDE = 60  # candidates of each voice: more are found, and few of them are right
FACTS = len(WINDOWS) + 4  # of an item
NEVER = 1e4  # days, for what has not happened


@dataclass(frozen=True, slots=True)
class Reranked:
    """Lists of the other scorers, in the order of trees fitted on the newest part of a history.

    Parameters
    ----------
    lagged : neighbours and followers
    content : what is written about items; None where nothing is
    facts : float32 (n_items, FACTS), see :func:`item_facts`
    trees : the bytes of LightGBM's text, uint8
    again : what was met is a candidate too
    """

    lagged: Lagged
    content: Content | None
    facts: Array
    trees: Array
    again: bool = False
    order: Array = field(init=False)
    name: ClassVar[str] = "reranked"

    def __post_init__(self) -> None:
        object.__setattr__(self, "order", in_order(self.lagged.base))

    @property
    def base(self) -> Array:
        """Recent popularity, float32 (n_items,)."""
        return self.lagged.base

    def scores(self, asked: Asked) -> Array:
        """Scores float32 (n, n_items): candidates in 1..2 by the trees, others in 0..1.

        An ask without a history gets what is popular: the trees have seen none of that kind.
        """
        found = np.tile(self.base * np.float32(0.999), (asked.n, 1))
        known = np.flatnonzero(asked.lengths)
        if not known.size:
            return found
        rows, items, features = self.candidates(asked.take(known))
        if rows.size:
            raw = _booster(self.trees.tobytes()).predict(features, num_threads=1)
            low = np.full(known.size, np.inf)
            high = np.full(known.size, -np.inf)
            np.minimum.at(low, rows, raw)
            np.maximum.at(high, rows, raw)
            span = np.maximum(high - low, 1e-12)
            found[known[rows], items] = 1.0 + (raw - low[rows]) / span[rows]
        return found

    def candidates(self, asked: Asked) -> tuple[Array, Array, Array]:
        """Asks (m,), items (m,) and features (m, k) of all candidates, by ask and code."""
        seen = None if self.again else asked
        n, n_items = asked.n, self.base.size
        near, after = self.lagged.parts(asked)
        both = near + np.float32(self.lagged.alpha) * after
        voices = [near, after, with_base(both, self.base, self.lagged.mix)]
        if self.content is not None:
            voices.append(self.content.personal(asked))
        lists = [top(voice, depth=WIDE, seen=seen)[0] for voice in voices]
        lists.append(self._popular(asked))
        codes = np.concatenate(lists, axis=1).astype(np.int64)
        keys = codes + np.arange(n)[:, None] * n_items
        chosen = np.unique(keys[codes >= 0])
        rows, items = chosen // n_items, chosen % n_items
        columns = [_beside(voice, rows, items) for voice in voices]
        matrix = np.column_stack([*columns, self.facts[items], user_facts(asked, self.facts)[rows]])
        return rows, items, matrix.astype(np.float32)

    def _popular(self, asked: Asked) -> Array:
        """The popular items, int32 (n, WIDE)."""
        return top_shared(self.base, asked, depth=WIDE, again=self.again, order=self.order)[0]

    def because(self, asked: Asked, item: int) -> list[tuple[int, float]]:
        """The past items of a single ask that speak for ``item``."""
        return self.lagged.because(asked, item)

    def similar(self, item: int) -> Array:
        """How near each item is to ``item``, float32 (n_items,)."""
        return self.lagged.similar(item)

    def arrays(self) -> dict[str, Array]:
        """What was learnt, as plain arrays."""
        found = {f"lagged_{key}": value for key, value in self.lagged.arrays().items()}
        if self.content is not None:
            found |= {f"content_{key}": value for key, value in self.content.arrays().items()}
        return found | {"base": self.base, "facts": self.facts, "trees": self.trees}

    def settings(self) -> dict[str, Any]:
        """What else is needed to answer, as plain data."""
        content = None if self.content is None else self.content.settings()
        return {"lagged": self.lagged.settings(), "content": content, "again": self.again}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array], settings: Mapping[str, Any]) -> Reranked:
        """The inverse of :meth:`arrays` and :meth:`settings`."""
        lagged = Lagged.from_arrays(_under("lagged_", arrays), settings["lagged"])
        content = None
        if settings["content"] is not None:
            content = Content.from_arrays(_under("content_", arrays), settings["content"])
        return cls(lagged, content, arrays["facts"], arrays["trees"], bool(settings["again"]))


def item_facts(seen: Interactions) -> Array:
    """What trees know of each item at the newest time, float32 (n_items, FACTS).

    Log share of the interactions in each window; days since it was first and last met; the log of
    how its last 7 days compare with its last 90; how many users met it, as a log.
    """
    n_items = seen.n_items
    columns = []
    for days in WINDOWS:
        share = popularity(seen, days=days)
        columns.append(np.log(share + 1e-4))
    first, last = np.full(n_items, -np.inf), np.full(n_items, -np.inf)
    last[seen.items] = seen.at  # sorted by time: the last one stays
    first[seen.items[::-1]] = seen.at[::-1]
    for at in (first, last):
        days_ago = np.where(np.isfinite(at), (seen.newest - at) / DAY_S, NEVER)
        columns.append(np.minimum(days_ago if seen.timed else 0.0 * days_ago, NEVER))
    columns.append(columns[1] - columns[3])
    columns.append(np.log1p(np.bincount(seen.items, minlength=n_items)))
    return np.column_stack(columns).astype(np.float32)


def user_facts(asked: Asked, facts: Array) -> Array:
    """What trees know of each asking user, float32 (n, 4).

    The log of how much was met, the mean of its popularity now and over all time, and of its age.
    """
    rows = np.repeat(np.arange(asked.n), asked.lengths)
    counts = np.maximum(asked.lengths, 1)
    columns = [np.log1p(asked.lengths)]
    for fact in (2, len(WINDOWS) - 1, len(WINDOWS)):
        total = np.bincount(rows, weights=facts[asked.items, fact], minlength=asked.n)
        columns.append(total / counts)
    return np.column_stack(columns).astype(np.float32)


def _beside(voice: Array, rows: Array, items: Array) -> Array:
    """Scores of candidates beside the highest of their ask, which is 1."""
    high = np.maximum(voice.max(axis=1, initial=0.0), 1e-12)
    return np.asarray(voice[rows, items] / high[rows])


def _under(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {key[len(prefix) :]: arrays[key] for key in arrays if key.startswith(prefix)}


@lru_cache(maxsize=8)
def _booster(text: bytes) -> Any:
    import lightgbm

    return lightgbm.Booster(model_str=text.decode())
