"""Made records of who met what: users with tastes, a time, and a table of items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from everfit.data.read import read
from everfit.data.table import Table
from everfit.records import Problem, Role
from everfit.tasks import TASKS

DAY_S = 86_400
BEGIN_S = 1_700_000_000  # 2023-11-14
ROLES: dict[str, Role] = {"user": "group", "item": "target", "timestamp": "time"}


def meetings(
    n: int = 4_000,
    *,
    n_users: int = 120,
    n_items: int = 80,
    tastes: int = 4,
    taste: float = 0.9,
    days: int = 200,
    seed: int = 0,
) -> pl.DataFrame:
    """``n`` meetings of users with items, by time; a user meets an item once.

    Each user likes one of ``tastes`` kinds of items and meets them with the chance ``taste``, else
    any item; popular items are met more often. Items have the kind ``number % tastes``.
    """
    rng = np.random.default_rng(seed)
    liking = rng.integers(0, tastes, n_users)
    popular = 1.0 / np.arange(1, n_items + 1) ** 0.7
    kind = np.arange(n_items) % tastes
    seen = np.zeros((n_users, n_items), dtype=bool)
    at = np.sort(rng.integers(0, days * DAY_S, n))
    rows = []
    for when in at:
        user = int(rng.integers(0, n_users))
        chance = popular * ~seen[user]
        if rng.random() < taste and (chance * (kind == liking[user])).any():
            chance = chance * (kind == liking[user])
        if not chance.any():
            continue
        item = int(rng.choice(n_items, p=chance / chance.sum()))
        seen[user, item] = True
        rows.append((f"u{user}", f"i{item:03d}", BEGIN_S + int(when)))
    return pl.DataFrame(rows, schema=["user", "item", "timestamp"], orient="row")


def catalogue(n_items: int = 80, tastes: int = 4) -> pl.DataFrame:
    """What the items are: their kind in words."""
    words = ["a quiet drama", "a loud comedy", "a long western", "a short cartoon"]
    return pl.DataFrame(
        {
            "item": [f"i{number:03d}" for number in range(n_items)],
            "about": [words[number % tastes % 4] for number in range(n_items)],
        }
    )


def posed(
    source: Any, *, beside: Mapping[str, Any] | None = None, roles: dict[str, Role] | None = None
) -> tuple[Table, Problem]:
    """The table of ``source`` and the problem that it poses."""
    table = read(source, roles=roles or ROLES)
    tables = {name: read(one, roles={"item": "ignore"}) for name, one in (beside or {}).items()}
    target = next(name for name, role in (roles or ROLES).items() if role == "target")
    return table, TASKS["recommend"].problem(table, target, beside=tables)
