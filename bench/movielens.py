"""Lists on MovieLens-100K: cuts of time, and leave-one-out by the strict protocol.

python -m bench.movielens FOLDER [learner ...]     FOLDER holds ratings.parquet and items.parquet
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from bench.lists import ndcg
from everfit.column import DEPTH, Array
from everfit.data.table import Table
from everfit.learners import make
from everfit.learners.contract import FitBudget, History
from everfit.lists.asked import Asked
from everfit.lists.top import top
from everfit.records import Column, Source

COLUMNS = (Column("user_id", "identifier", "group"), Column("timestamp", "number", "time"))
TOLD = (
    Column("item_id", "identifier"), Column("movie_title", "text"),
    Column("release_year", "number"), Column("class", "category"),
)  # fmt: skip
CUTS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9)  # the last is the one that is compared with others
TRIED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("popular", {"days": 7.0}),
    ("popular", {"days": 30.0}),
    ("popular", {"days": 90.0}),
    ("popular", {"days": None}),
    ("neighbours", {}),
    ("ease", {"mix": 1e-4}),
    ("ease", {}),
    ("lagged", {}),
    ("factors", {}),
    ("content", {}),
    ("reranked", {}),
)


class Ratings:
    """The log sorted by time, ties in the order of the file."""

    def __init__(self, folder: Path) -> None:
        rows = pl.read_parquet(folder / "ratings.parquet").sort("timestamp", maintain_order=True)
        told = pl.read_parquet(folder / "items.parquet").sort("item_id")
        told = told.with_columns(pl.col("release_year").cast(pl.Float64, strict=False))
        place = {item: at for at, item in enumerate(told["item_id"].to_list())}
        self.items = np.array([place[item] for item in rows["item_id"].to_list()])
        self.users = rows["user_id"].to_numpy()
        self.n_items = told.height
        self._told = Table(told.select([c.name for c in TOLD]), TOLD, _source(told.height))
        self._table = Table(rows.select("user_id", "timestamp"), COLUMNS, _source(rows.height))

    def history(self, rows: Array) -> History:
        """These rows as a learner sees them."""
        target = self.items[rows].astype(np.float64)
        table = self._table.take(rows)
        return History(table, target, "lists", 2 * DEPTH, items=self._told, n_items=self.n_items)


def _source(n: int) -> Source:
    return Source("bench", "", n, 2)


def time_cuts(folder: Path, only: tuple[str, ...] = ()) -> None:
    """NDCG@10 of users known at each cut, for what they met newly in the next tenth."""
    data = Ratings(folder)
    print("NDCG@10 by cut of time, next tenth, all items ranked, met items left out")
    print(f"{'':44s}" + "".join(f"{cut:8.1f}" for cut in CUTS) + "  first five")
    for name, settings in TRIED:
        if only and name not in only:
            continue
        found = []
        for cut in CUTS:
            low, high = round(cut * data.users.size), round((cut + 0.1) * data.users.size)
            warm = np.intersect1d(data.users[:low], data.users[low:high])
            learner: Any = make(name, settings).fit(data.history(np.arange(low)), FitBudget(900.0))
            asks = Table(pl.DataFrame({"user_id": warm}), COLUMNS[:1], _source(warm.size))
            found.append(
                ndcg(learner.answer(asks), warm, data.users[:high], data.items[:high], low)
            )
        row = "".join(f"{value:8.4f}" for value in found)
        print(f"{name:12s}{settings!s:32.32s}{row}{np.mean(found[:-1]):10.4f}", flush=True)


def leave_one_out(folder: Path, only: tuple[str, ...] = ()) -> None:
    """The last item of each user. Strict: the item before it is in the history, not in the fit."""
    data = Ratings(folder)
    order = np.argsort(data.users, kind="stable")
    counts = np.unique(data.users, return_counts=True)[1]
    back = np.repeat(np.cumsum(counts), counts) - np.arange(order.size) - 1
    target = data.items[order[back == 0]]
    print("leave-one-out, all items ranked, met items left out: recall@10 / NDCG@10")
    for name, settings in TRIED:
        if (name == "popular" and settings["days"] is not None) or (only and name not in only):
            continue
        how = settings if name == "popular" else settings | {"inner": "last"}
        row = []
        for kept in (2, 1):
            learner: Any = make(name, how).fit(
                data.history(np.sort(order[back >= kept])), FitBudget(900.0)
            )
            asked = _asked(data, order, back)
            names = learner.histories_.names.astype(int).argsort()
            asked = replace(asked, users=names.astype(np.int32))
            codes, _ = top(learner.scorer_.scores(asked), depth=10, seen=asked)
            hit = codes == target[:, None]
            gain = (hit / np.log2(np.arange(2, 12))).sum(axis=1).mean()
            row.append(f"{hit.any(axis=1).mean():.4f} / {gain:.4f}")
        print(f"{name:12s}{settings!s:32.32s} strict {row[0]}   refit {row[1]}", flush=True)


def _asked(data: Ratings, order: Array, back: Array) -> Asked:
    """Each user's history without the last item."""
    kept = order[back >= 1]
    counts = np.unique(data.users[kept], return_counts=True)[1]
    n = counts.size
    return Asked(
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        data.items[kept].astype(np.int32), np.zeros(kept.size),
        np.ones(kept.size, dtype=np.float32), np.zeros(n), np.full(n, -1, dtype=np.int32),
    )  # fmt: skip


if __name__ == "__main__":
    time_cuts(Path(sys.argv[1]), tuple(sys.argv[2:]))
    leave_one_out(Path(sys.argv[1]), tuple(sys.argv[2:]))
