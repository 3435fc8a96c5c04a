"""How long one list takes: 60,000 items, 50,000 users, one user at a time on one core.

python -m bench.lists_serve                  the median and the slowest 1% of each kind of model

Users and items are synthetic: histories of 5 to 200 items, items as popular as by Zipf, 200
neighbours and 400 followers of each item. Beside them in the same minute, ask by ask in turn: the
bare sum of the history's neighbours with numpy.argpartition, which is the least there is to do.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse

from everfit.column import Array, Column
from everfit.lists.asked import Histories, Interactions
from everfit.lists.lagged import Lagged
from everfit.lists.neighbours import Neighbours
from everfit.lists.popular import Popular
from everfit.serve.lists.listed import Wanted
from everfit.serve.lists.lists import Lists, Part

ITEMS, USERS, ASKS, K = 60_000, 50_000, 400, 10


def histories(rng: np.random.Generator, chance: Array) -> Histories:
    """Users with 5 to 200 items each, drawn by popularity."""
    lengths = np.minimum(5 + rng.geometric(1 / 30, USERS), 200)
    users = np.repeat(np.arange(USERS), lengths)
    items = rng.choice(ITEMS, users.size, p=chance)
    at = np.sort(rng.random(users.size)) * 1e7 + 1.7e9
    seen = Interactions.of(users, items, at=at, n_users=USERS, n_items=ITEMS)
    names = np.array([f"u{user:06d}" for user in range(USERS)])
    return Histories(names, seen.histories())


def pairs(rng: np.random.Generator, chance: Array, kept: int) -> sparse.csr_array:
    """``kept`` neighbours of each item, popular ones more often."""
    places = rng.choice(ITEMS, (ITEMS, kept), p=chance).astype(np.int32)
    places.sort(axis=1)
    # a name that stands twice in a row is moved to its neighbour, so that each stands once
    clash = np.zeros_like(places, dtype=bool)
    clash[:, 1:] = places[:, 1:] <= places[:, :-1]
    values = rng.random((ITEMS, kept), dtype=np.float32)
    values[clash] = 0.0
    made = sparse.csr_array(
        (values.ravel(), places.ravel(), np.arange(ITEMS + 1) * kept), shape=(ITEMS, ITEMS)
    )
    made.sum_duplicates()
    made.eliminate_zeros()
    return made


def models(rng: np.random.Generator) -> tuple[dict[str, Lists], Histories, sparse.csr_array]:
    """Versions as a server has them, by name."""
    chance = 1.0 / np.arange(10, ITEMS + 10)
    chance = rng.permutation(chance / chance.sum())
    known = histories(rng, chance)
    base = (chance / chance.max()).astype(np.float32)
    near, after = pairs(rng, chance, 200), pairs(rng, chance, 400)
    scorers: dict[str, Any] = {
        "popular": Popular(base),
        "neighbours": Neighbours(near, base, decay=0.9),
        "lagged": Lagged(near, after, base),
    }

    def version(*names: str) -> Lists:
        parts = [Part(1 / len(names), scorers[name], known) for name in names]
        labels = [str(item) for item in range(ITEMS)]
        user = Column("user", "identifier")
        return Lists(labels=labels, label_type="int", columns=[user], user="user", parts=parts)

    made = {name: version(name) for name in scorers}
    return made | {"blend of 3": version(*scorers)}, known, near


def least(known: Histories, near: sparse.csr_array, user: int) -> Array:
    """The best items by the plain sum of what the history's neighbours say."""
    asked = known.asked
    met = asked.items[asked.starts[user] : asked.starts[user + 1]]
    total = np.zeros(ITEMS, dtype=np.float32)
    for back, item in enumerate(met[::-1].tolist()):
        place = slice(near.indptr[item], near.indptr[item + 1])
        total[near.indices[place]] += np.float32(0.9**back) * near.data[place]
    total[met] = -1.0
    best = np.argpartition(-total, K)[:K]  # ascending would stumble over the many zeros
    return np.asarray(best[np.argsort(-total[best])])


def main() -> None:
    """Print one JSON line a model: milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--asks", type=int, default=ASKS)
    asks = parser.parse_args().asks
    rng = np.random.default_rng(0)
    versions, known, near = models(rng)
    allowed = rng.choice(ITEMS, 1_000, replace=False).tolist()
    ways: dict[str, Callable[[int], object]] = {
        name: lambda user, lists=lists: lists.top(f"u{user:06d}", wanted=Wanted(K))  # type: ignore[misc]
        for name, lists in versions.items()
    }
    ways["neighbours, 1,000 allowed"] = lambda user: versions["neighbours"].top(
        f"u{user:06d}", wanted=Wanted(K, allowed)
    )
    ways["numpy.argpartition"] = lambda user: least(known, near, user)
    took: dict[str, list[float]] = {name: [] for name in ways}
    for user in rng.choice(USERS, asks, replace=False).tolist():
        for name, way in ways.items():
            start = time.perf_counter()
            way(user)
            took[name].append(1e3 * (time.perf_counter() - start))
    for name, times in took.items():
        median, slow = np.percentile(times, [50, 99])
        line = {"model": name, "median_ms": round(median, 3), "p99_ms": round(slow, 3)}
        print(json.dumps(line | {"asks": asks, "items": ITEMS, "users": USERS}))


if __name__ == "__main__":
    main()
