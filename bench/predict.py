"""How long one row and one table take, beside the bare native libraries in the same process.

Three measurements; each is a median with the ratio to a reference taken in the same run, since
absolute times follow the machine:

1. one row through a single LightGBM (200 trees of 31 leaves, 20 numbers, 5 categories), from a dict
   to probabilities; reference: ``Booster.predict`` of one prepared numpy row;
2. one row of telco_churn through a blend of CatBoost (1,000 trees of depth 6), 2 LightGBM, a
   forest of 200 trees and a linear model; reference: ``predict`` of that CatBoost for one prepared
   row;
3. a table of 100,000 rows through LightGBM and CatBoost; reference: both boosters' own
   ``predict`` on prepared matrices. Features are part of our time, not of theirs.

    python -m bench.predict [--rows 100000] [--out .bench/predict.json]
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import polars as pl

from everfit.data.read import read
from everfit.data.table import Table
from everfit.learners.boosted import Boosted
from everfit.learners.contract import FitBudget, History
from everfit.learners.forest import Forest
from everfit.learners.linear import Linear
from everfit.learners.symmetric import Symmetric, pool
from everfit.plain import as_plain
from everfit.records import Array, Column, Source
from everfit.serve import Scorer, open_plan

SHARED = Path(os.environ.get("EVERFIT_SHARED", Path(__file__).resolve().parents[2] / "shared"))
CALLS = 3_000


def median_us(call: Callable[[int], Any], calls: int = CALLS) -> dict[str, float]:
    """Microseconds of one call: median, 10% and 99%; ``call`` gets the number of the call."""
    seconds = np.empty(calls)
    for number in range(calls):
        start = perf_counter()
        call(number)
        seconds[number] = perf_counter() - start
    low, mid, high = 1e6 * np.quantile(seconds, [0.1, 0.5, 0.99])
    return {
        "median": round(float(mid), 2),
        "p10": round(float(low), 2),
        "p99": round(float(high), 2),
    }


def seconds_of(call: Callable[[], Any], times: int = 3) -> float:
    """The shortest of a few calls, in seconds."""
    taken = []
    for _ in range(times):
        start = perf_counter()
        call()
        taken.append(perf_counter() - start)
    return min(taken)


def made(n: int, seed: int = 0) -> tuple[Table, Array]:
    """20 numbers and 5 categories with 5% missing, and a class that depends on some of them."""
    rng = np.random.default_rng(seed)
    numbers = rng.standard_normal((n, 20))
    levels = rng.integers(0, 12, (n, 5))
    score = numbers[:, 0] + numbers[:, 1] * numbers[:, 2] + (levels[:, 0] % 3 == 0)
    target = (score + rng.standard_normal(n) > 0.5).astype(float)
    gone = rng.random((n, 20)) < 0.05
    columns = [Column(f"n{i}", "number") for i in range(20)]
    columns += [Column(f"c{i}", "category") for i in range(5)]
    data: dict[str, Any] = {
        f"n{i}": pl.Series(np.where(gone[:, i], np.nan, numbers[:, i])).fill_nan(None)
        for i in range(20)
    }
    data |= {f"c{i}": [f"level {v}" for v in levels[:, i]] for i in range(5)}
    return Table(pl.DataFrame(data), tuple(columns), Source("made", "", n, 25)), target


def telco() -> tuple[Table, Array]:
    """telco_churn as the reader gives it, without its identifier and target."""
    table = read(SHARED / "data" / "telco_churn" / "data.csv")
    target = table.frame["Churn"].cast(pl.String).str.to_lowercase().is_in(["yes", "true"])
    return table.drop(["Churn", "customerID"]), target.to_numpy().astype(float)


def packed(folder: Path, table: Table, learners: Sequence[Any]) -> Scorer:
    """The learners as one version of equal weights, opened."""
    columns = []
    for column in table.columns:
        plain = as_plain(column) | {"low": None, "high": None, "default": None}
        if column.kind == "number":
            known = table.frame[column.name].cast(pl.Float64)
            plain |= {"low": known.min(), "high": known.max()}
        columns.append(plain)
    members = []
    for i, learner in enumerate(learners):
        (folder / f"m{i}").mkdir(parents=True)
        part = dict(learner.save(folder / f"m{i}"))
        members.append({"weight": 1.0 / len(learners), "folder": f"m{i}", "part": part})
    plan = {
        "format": 1, "form": "probabilities", "labels": ["no", "yes"], "label_type": "str",
        "columns": columns, "members": members, "calibration": {},
    }  # fmt: skip
    (folder / "plan.json").write_text(json.dumps(plan))
    return open_plan(folder)


def fitted(learner: Any, table: Table, target: Array, rounds: int | None) -> Any:
    """The learner fitted with a fixed number of rounds."""
    history = History(table, target, "probabilities", 2)
    return learner.fit(
        history, FitBudget(seconds=600.0, threads=os.cpu_count() or 1, rounds=rounds)
    )


def one_lightgbm(folder: Path) -> dict[str, Any]:
    """Measurement 1."""
    table, target = made(5_000)
    learner = fitted(Boosted(leaves=31), table, target, 200)
    scorer = packed(folder, table, [learner])
    whole = table.frame.drop_nulls().to_dicts()
    some = table.frame.filter(pl.any_horizontal(pl.all().is_null())).to_dicts()
    matrix = learner.plan_.transform(table)
    return {
        # as the prototype of the issue was timed: branches and caches then know the row
        "the same row again": median_us(lambda i: scorer.row(whole[0])),
        "row": median_us(lambda i: scorer.row(whole[i % len(whole)])),
        "row with missing values": median_us(lambda i: scorer.row(some[i % len(some)])),
        "reference": median_us(lambda i: learner.booster_.predict(matrix[i % 1_000][None, :])),
    }


def one_blend(folder: Path) -> dict[str, Any]:
    """Measurement 2, with each member alone."""
    table, target = telco()
    makers: list[tuple[str, Any, int | None]] = [
        ("catboost", Symmetric(depth=6, lr=0.03), 1_000),
        ("lightgbm", Boosted(), 200),
        ("lightgbm engineered", Boosted(view="engineered"), 200),
        ("forest", Forest(trees=200), 200),
        ("linear", Linear(), None),
    ]
    learners = {name: fitted(learner, table, target, n) for name, learner, n in makers}
    rows = table.frame.to_dicts()
    found: dict[str, Any] = {}
    for name, learner in learners.items():
        scorer = packed(folder / name.replace(" ", "-"), table, [learner])
        found[name] = median_us(lambda i, s=scorer: s.row(rows[i % len(rows)]))
    blend = packed(folder / "blend", table, list(learners.values()))
    cat = learners["catboost"]
    asks = pool(cat.plan_, cat.plan_.transform(table.take(np.array([0]))))
    return {
        "row": median_us(lambda i: blend.row(rows[i % len(rows)])),
        "reference": median_us(lambda i: cat.model_.predict(asks), 500),
        "members": found,
    }


def one_table(folder: Path, n: int) -> dict[str, Any]:
    """Measurement 3."""
    table, target = made(5_000)
    boosted = fitted(Boosted(leaves=31), table, target, 200)
    symmetric = fitted(Symmetric(depth=6, lr=0.1), table, target, 300)
    asks, _ = made(n, seed=1)
    matrix = boosted.plan_.transform(asks)
    prepared = pool(symmetric.plan_, matrix)
    found: dict[str, Any] = {"rows": n}
    bare = {
        "lightgbm": lambda: boosted.booster_.predict(matrix),
        "catboost": lambda: symmetric.model_.predict(prepared),
    }
    for name, learners in (
        ("lightgbm", [boosted]), ("catboost", [symmetric]), ("both", [boosted, symmetric])
    ):  # fmt: skip
        scorer = packed(folder / name, asks, learners)
        scorer.table(asks.take(np.arange(min(n, 25_000))))  # libraries load with the first table
        ours = seconds_of(lambda s=scorer: s.table(asks))
        theirs = sum(seconds_of(call) for key, call in bare.items() if name in (key, "both"))
        found[name] = {
            "seconds": round(ours, 3),
            "reference": round(theirs, 3),
            "ratio": round(ours / theirs, 2),
        }  # fmt: skip
    return found


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = {
            "load average": round(load, 1),
            "one row, one LightGBM (us)": one_lightgbm(folder / "one"),
            "one row, blend (us)": one_blend(folder / "blends"),
            "table (s)": one_table(folder / "tables", options.rows),
        }
    for key in ("one row, one LightGBM (us)", "one row, blend (us)"):
        part: Any = found[key]
        part["ratio"] = round(part["row"]["median"] / part["reference"]["median"], 2)
    text = json.dumps(found, indent=2)
    print(text)
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text)


if __name__ == "__main__":
    main()
