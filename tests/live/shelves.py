"""A store with a model that lists items, packed by hand in a moment.

Two halves of users each meet one half of the items, 100 to 123; item 100 is met most. Version 1
lists by neighbours, version 2 what is popular, so that a list tells who gave it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from everfit.column import DEPTH, Column
from everfit.data.table import Table
from everfit.evidence.interval import Interval
from everfit.learners.contract import FitBudget, History
from everfit.learners.listing import NeighbourLists, PopularLists
from everfit.plain import as_plain
from everfit.records import Decision, Problem, Source, Version
from everfit.release.manifest import FORMAT, Manifest, seal
from everfit.serve.load import open_version
from everfit.store import open_store

MODEL = "movies"
AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
N_USERS, N_ITEMS, HALF = 60, 24, 12
LABELS = tuple(str(100 + item) for item in range(N_ITEMS))
TITLES = [f"Film {100 + item}" for item in range(N_ITEMS - 1)] + [None]
PROBLEM = Problem("recommend", "item", "ndcg", "lists", LABELS, label_type="int")


def met_so_far() -> tuple[list[int], list[int]]:
    """Users and the items that they met, in the order of time."""
    rng = np.random.default_rng(3)
    users, items = [], []
    for user in range(N_USERS):
        side = user % 2
        own = [int(i) for i in rng.choice(HALF, 6, replace=False) + side * HALF]
        met = [0, *own] if side == 0 else own
        users += [user] * len(met)
        items += met
    return users, items


@cache
def history() -> History:
    """What the versions are fitted to; the last interaction was in September 2020."""
    users, items = met_so_far()
    at = np.arange(len(users)) * 3600.0 + 1.6e9
    frame = pl.DataFrame({
        "user": [f"u{user}" for user in users],
        "at": pl.Series((at * 1e6).astype(np.int64)).cast(pl.Datetime("us")),
    })  # fmt: skip
    columns = (Column("user", "category", "group"), Column("at", "date", "time"))
    table = Table(frame, columns, Source("test", "", len(users), 2))
    return History(table, np.array(items, dtype=np.float64), "lists", 2 * DEPTH, n_items=N_ITEMS)


def lists_store(folder: Path, numbers: Sequence[int] = (1, 2), *, model: str = MODEL) -> Path:
    """A store with these versions; the first one is the champion."""
    store = open_store(folder)
    try:
        run = store.begin_run(model, {"budget_s": 1.0, "seed": 0, "data_sha256": "d" * 64})
        for number in numbers:
            with store.packing(model, number) as place:
                sha256 = pack_lists(place, number, store.key(), model)
            version = Version(
                model, number, str(store.folder(model, number)), sha256, PROBLEM,
                Interval(0.4, 0.5, 0.6, n=100), run.id, "lists", AT,
            )  # fmt: skip
            first = number == numbers[0]
            kind = "released" if first else "kept"
            told = Decision(model, kind, f"{kind} v{number}", at=AT)
            aliases = {"champion": number} if first else None
            store.commit(told, version=version, aliases=aliases, run=run)
        store.finish_run(run, "done")
    finally:
        store.close()
    return folder


def pack_lists(place: Path, number: int, key: bytes, model: str = MODEL) -> str:
    """Pack a version; gives the hash of its manifest."""
    learner = NeighbourLists(shrink=1.0) if number == 1 else PopularLists(days=0.0)
    part = dict(learner.fit(history(), FitBudget(30.0)).save(place / "m0"))
    plan: dict[str, Any] = {
        "format": 1, "form": "lists", "labels": list(LABELS), "label_type": "int",
        "columns": [{"name": "user", "kind": "category"}],
        "members": [{"weight": 1.0, "folder": "m0", "part": part}],
    }  # fmt: skip
    (place / "plan.json").write_text(json.dumps(plan))
    (place / "items.json").write_text(json.dumps({"titles": TITLES}))
    lists = open_version(place)
    golden = [
        {"input": {"user": user}, "expected": lists.numbers({"user": user})}
        for user in ("u1", "u2", "a stranger")
    ]
    (place / "golden.json").write_text(json.dumps(golden))
    (place / "card.md").write_text(f"# {model} v{number}\n")
    manifest = Manifest(
        FORMAT, "0", model, f"v{number}", AT.isoformat(), as_plain(PROBLEM),
        tuple(as_plain(column) for column in lists.columns), (), {}, {},
    )  # fmt: skip
    return seal(place, manifest, key).sha256
