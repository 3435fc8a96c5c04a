"""Small seeded logs of users who walk from item to item, and of crowds that follow the news."""

from __future__ import annotations

import numpy as np

from everfit.lists.asked import Interactions

DAY_S = 86_400.0


def walks(
    n_users: int = 120, n_items: int = 60, length: int = 20, *, seed: int = 0, noise: float = 0.2
) -> Interactions:
    """Each user walks along a ring of items, one step at a time, with some leaps."""
    rng = np.random.default_rng(seed)
    users, items, at = [], [], []
    for user in range(n_users):
        place, begin = int(rng.integers(n_items)), float(rng.uniform(0, 200 * DAY_S))
        for step in range(length):
            place = int(rng.integers(n_items)) if rng.random() < noise else (place + 1) % n_items
            users.append(user)
            items.append(place)
            at.append(begin + 3_600.0 * step)
    return Interactions.of(
        np.array(users), np.array(items), at=np.array(at), n_users=n_users, n_items=n_items
    )


def groups(
    n_users: int = 150, n_items: int = 60, length: int = 15, *, n_groups: int = 3, seed: int = 0
) -> Interactions:
    """Each user belongs to a group and meets the items of that group; a few are of another."""
    rng = np.random.default_rng(seed)
    size = n_items // n_groups
    users, items, at = [], [], []
    for user in range(n_users):
        own = user % n_groups
        for _ in range(length):
            group = own if rng.random() < 0.9 else int(rng.integers(n_groups))
            users.append(user)
            items.append(group * size + int(size * rng.beta(1.0, 2.0)))
            at.append(float(rng.uniform(0, 100 * DAY_S)))
    return Interactions.of(
        np.array(users), np.array(items), at=np.array(at), n_users=n_users, n_items=n_items
    )


def news(n: int = 6_000, n_items: int = 100, *, seed: int = 0) -> Interactions:
    """Items are met for ten days after they appear, whoever asks; one appears each day."""
    rng = np.random.default_rng(seed)
    at = np.sort(rng.uniform(10 * DAY_S, n_items * DAY_S, n))
    items = np.floor(at / DAY_S - rng.uniform(0, 10, n)).astype(int)
    return Interactions.of(rng.integers(0, 200, n), items, at=at, n_users=200, n_items=n_items)
