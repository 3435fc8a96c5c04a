"""Lists: what each learner of lists costs at a size of many shops, how quick one list is, and how
good lists are on MovieLens-100K where a data folder is given.

python -m bench.lists                          cost of each learner and of one list
python -m bench.lists --size 100000 5000       the same at another size: interactions, items
python -m bench.lists --movielens FOLDER       global time cuts and leave-one-out
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from everfit.column import DEPTH, Array
from everfit.data.table import Table
from everfit.learners import make
from everfit.learners.contract import FitBudget, History
from everfit.lists.top import top
from everfit.records import Column, Source

DAY_S = 86_400.0
COLUMNS = (Column("user", "identifier", "group"), Column("at", "number", "time"))
LEARNERS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("popular", {"days": None}),
    ("neighbours", {}),
    ("ease", {}),
    ("lagged", {}),
    ("factors", {}),
    ("content", {}),
    ("reranked", {}),
)


def shop(n: int, n_items: int, *, seed: int = 0) -> tuple[Array, Array, Array]:
    """Users, items and times of a log of two years, as shops have it.

    Items appear over the first 700 days and fade with a half-life of 90 days; what is left of them
    is by a power law. A user has two of 50 tastes, comes back for some weeks, and half of the time
    takes what lies next to the last item of the taste.
    """
    rng = np.random.default_rng(seed)
    n_users = max(2, n // 20)
    born = np.sort(rng.uniform(-200, 700, n_items))
    weight = rng.permutation(1.0 / np.arange(1, n_items + 1) ** 0.8)
    taste = rng.integers(0, 50, n_items)
    of_taste = [np.flatnonzero(taste == t) for t in range(50)]
    users = np.minimum((rng.pareto(1.2, n) * n_users / 40).astype(int), n_users - 1)
    users = rng.permutation(n_users)[users]
    begin = rng.uniform(0, 690, n_users)
    at = np.sort(np.minimum(begin[users] + rng.exponential(25, n), 730.0))
    users = users[np.argsort(np.minimum(begin[users], 0), kind="stable")]
    own = rng.integers(0, 50, (n_users, 2))
    items = np.empty(n, dtype=np.int64)
    day, weights = -1, [np.ones(1)] * 50
    last = np.full(n_users, -1)
    leaps, draws, which = rng.random(n), rng.random(n), rng.integers(0, 2, n)
    for i in range(n):
        if int(at[i]) // 7 != day:
            day = int(at[i]) // 7
            age = at[i] - born
            now = np.where(age >= 0, weight * 0.5 ** (age / 90.0), 0.0) + 1e-12
            weights = [np.cumsum(now[some]) for some in of_taste]
        user = users[i]
        if leaps[i] < 0.5 and last[user] >= 0:
            some = of_taste[taste[last[user]]]
            place = int(np.searchsorted(some, last[user])) + 1 + int(3 * draws[i])
            items[i] = some[place % some.size]
        else:
            t = own[user, which[i]]
            place = int(np.searchsorted(weights[t], draws[i] * weights[t][-1]))
            items[i] = of_taste[t][min(place, of_taste[t].size - 1)]
        last[user] = items[i]
    return users, items, at * DAY_S + 1.6e9


def history_of(users: Array, items: Array, at: Array, n_items: int) -> History:
    """A log as a learner sees it, with two columns of items."""
    frame = pl.DataFrame({"user": users, "at": at})
    table = Table(frame, COLUMNS, Source("bench", "", frame.height, 2))
    rng = np.random.default_rng(1)
    told = pl.DataFrame(
        {"kind": [f"k{k}" for k in rng.integers(0, 50, n_items)],
         "words": [" ".join(f"w{w}" for w in rng.integers(0, 3_000, 6)) for _ in range(n_items)]}
    )  # fmt: skip
    columns = (Column("kind", "category"), Column("words", "text"))
    described = Table(told, columns, Source("bench", "", n_items, 2))
    return History(
        table, items.astype(np.float64), "lists", 2 * DEPTH, items=described, n_items=n_items
    )


def fit_one(name: str, settings: Mapping[str, Any], n: int, n_items: int) -> dict[str, Any]:
    """Fit one learner alone in this process, and time its answers."""
    users, items, at = kept(n, n_items)
    cut = int(0.95 * n)
    history = history_of(users[:cut], items[:cut], at[:cut], n_items)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    learner: Any = make(name, settings)
    began, cpu = time.monotonic(), time.process_time()
    learner.fit(history, FitBudget(600.0, 1))
    fit_s, fit_cpu = time.monotonic() - began, time.process_time() - cpu
    later = np.unique(users[cut:])
    some = np.sort(np.random.default_rng(0).permutation(later.size)[:2_000])
    asks = Table(pl.DataFrame({"user": later[some]}), COLUMNS[:1], Source("", "", some.size, 1))
    cpu = time.process_time()
    answers = learner.answer(asks)
    per_ask = 1e6 * (time.process_time() - cpu) / some.size
    return {
        "learner": name, "fit_s": fit_s, "fit_cpu_s": fit_cpu, "ask_us": per_ask,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "data_gb": before / 2**20, "ndcg": ndcg(answers, later[some], users, items, cut),
        "facts": {key: value for key, value in learner.facts_.items() if key != "users"},
    }  # fmt: skip


def ndcg(answers: Array, asked: Array, users: Array, items: Array, cut: int) -> float:
    """Mean NDCG@10 of lists for what users met newly after ``cut``."""
    n_items = int(items.max()) + 1
    keys = users.astype(np.int64) * n_items + items
    new = np.setdiff1d(keys[cut:], keys[:cut])
    discount = 1.0 / np.log2(np.arange(2, 12))
    gains = []
    for user, row in zip(asked.tolist(), answers[:, :10], strict=True):
        low, high = np.searchsorted(new, [user * n_items, (user + 1) * n_items])
        right = new[low:high]
        if right.size:
            hit = np.isin(row + user * n_items, right)
            gains.append(float(hit @ discount / discount[: right.size].sum()))
    return float(np.mean(gains))


def kept(n: int, n_items: int) -> tuple[Array, Array, Array]:
    """The log of this size, made once and kept in the temporary folder."""
    import tempfile

    path = Path(tempfile.gettempdir()) / f"everfit_shop_{n}_{n_items}.npz"
    if not path.exists():
        users, items, at = shop(n, n_items)
        np.savez(path, users=users, items=items, at=at)
    with np.load(path) as stored:
        return stored["users"], stored["items"], stored["at"]


def quickness(n_items: int = 60_000, n: int = 300_000) -> None:
    """How long one list of ten takes over a large catalogue, by scorer, in milliseconds."""
    users, items, at = kept(n, n_items)
    history = history_of(users, items, at, n_items)
    for name, settings in LEARNERS:
        if name == "ease":
            continue  # no dense matrix of so many items
        learner: Any = make(name, settings).fit(history, FitBudget(600.0, 1))
        scorer, histories = learner.scorer_, learner.histories_
        long = np.flatnonzero(histories.asked.lengths > 3)[:300]
        asks = [histories.asked.take(np.array([user])) for user in long]
        times = []
        for ask in asks:
            began = time.perf_counter()
            top(scorer.scores(ask), depth=10, seen=ask)
            times.append(1e3 * (time.perf_counter() - began))
        slow = np.quantile(times, 0.95)
        print(f"  {name:11s} median {np.median(times):.2f} ms, 95% {slow:.2f} ms", flush=True)


def costs(n: int, n_items: int) -> None:
    """Each learner in a process of its own, so that its peak memory is its own."""
    kept(n, n_items)
    for name, settings in LEARNERS:
        told = json.dumps([name, settings, n, n_items])
        found = subprocess.run(
            [sys.executable, "-m", "bench.lists", "--one", told], capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        if found.returncode:
            print(f"  {name:11s} {found.stderr.strip().splitlines()[-1]}")
            continue
        row = json.loads(found.stdout)
        print(
            f"  {name:11s} {row['fit_cpu_s']:6.1f} s of a core ({row['fit_s']:.1f} s on the clock),"
            f" {row['peak_gb']:.2f} GB ({row['data_gb']:.2f} GB of it data),"
            f" {row['ask_us']:.0f} us an ask in batch, NDCG@10 {row['ndcg']:.4f}  {row['facts']}",
            flush=True,
        )


def movielens(folder: Path) -> None:
    """Global time cuts, and leave-one-out by the strict protocol."""
    from bench.movielens import leave_one_out, time_cuts

    time_cuts(folder)
    leave_one_out(folder)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", nargs=2, type=int, default=(1_000_000, 20_000))
    parser.add_argument("--movielens", type=Path)
    parser.add_argument("--quick", action="store_true", help="the time of one list only")
    parser.add_argument("--one")
    given = parser.parse_args()
    if given.one:
        print(json.dumps(fit_one(*json.loads(given.one)), default=float))
    elif given.movielens:
        movielens(given.movielens)
    else:
        if not given.quick:
            print(f"{given.size[0]:,} interactions, {given.size[1]:,} items, one core")
            costs(*given.size)
        print("one list of ten over 60,000 items")
        quickness()
    return 0


if __name__ == "__main__":
    sys.exit(main())
