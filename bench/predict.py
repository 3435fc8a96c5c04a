"""How long one row and one table take, beside the bare native libraries in the same process.

Five measurements; each with a reference taken in the same run, since absolute times follow the
machine. Versions are packed with ranges, as a release packs them:

1. one row through a single LightGBM (200 trees of 31 leaves, 20 numbers, 5 categories), from a dict
   to probabilities; reference: ``Booster.predict`` of one prepared numpy row. Beside it what the C
   call alone takes for features that are in its buffer already, the same again and new ones;
2. one row of telco_churn through a blend of CatBoost (1,000 trees of depth 6), 2 LightGBM, a
   forest of 200 trees and a linear model; reference: ``predict`` of that CatBoost for one prepared
   row;
3. a table of 100,000 rows through LightGBM and CatBoost, from mixed columns to probabilities.
   References: both boosters' ``predict`` of what was encoded for them beforehand, a float64 matrix
   for LightGBM, a data frame with whole numbers for the categories for CatBoost; and the same with
   CatBoost's pool built beforehand too. The time on the clock and that of the processor;
4. one explanation by 32 permutations of answers to telco_churn, by the blend and its members;
5. a fresh process that imports what a worker needs to answer: processor time and memory.

    python -m bench.predict [--rows 100000] [--out .bench/predict.json]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from array import array
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import pandas as pd
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
from everfit.serve.engines.trees import Trees
from everfit.serve.explain import contributions

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


def seconds_of(call: Callable[[], Any], times: int = 5) -> Array:
    """The shortest of a few calls, in seconds: on the clock, and of the processor."""
    taken = []
    for _ in range(times):
        start, used = perf_counter(), process_time()
        call()
        taken.append((perf_counter() - start, process_time() - used))
    shortest: Array = np.array(taken).min(axis=0)
    return shortest


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
        "ranges": {"edges": np.linspace(0.51, 0.99, 25).tolist(), "low": [-0.05] * 26,
                   "high": [0.04] * 26, "least": 0.0, "most": 1.0},
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
    vector = array("d", bytes(8 * matrix.shape[1]))
    trees = Trees(learner.booster_.model_to_string(), vector)
    prepared = [array("d", row) for row in matrix[: len(whole)]]

    def call(number: int) -> None:
        vector[:] = prepared[number % len(prepared)]
        trees.row()

    return {
        # as the prototype of the issue was timed: branches and caches then know the row
        "the same row again": median_us(lambda i: scorer.row(whole[0])),
        "row": median_us(lambda i: scorer.row(whole[i % len(whole)])),
        "row with missing values": median_us(lambda i: scorer.row(some[i % len(some)])),
        "the C call alone, the same row again": median_us(lambda i: call(0)),
        "the C call alone": median_us(call),
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
    whole = set(symmetric.plan_.categorical)
    frame = pd.DataFrame({
        i: matrix[:, i].astype(np.float32) if i not in whole
        else np.nan_to_num(matrix[:, i], nan=-1.0).astype(np.int32) for i in range(matrix.shape[1])
    })  # fmt: skip
    prepared = pool(symmetric.plan_, matrix)
    found: dict[str, Any] = {"rows": n}
    boosters = {"lightgbm": lambda: boosted.booster_.predict(matrix)}
    references = {
        "encoded": boosters | {"catboost": lambda: symmetric.model_.predict(frame)},
        "encoded and pooled": boosters | {"catboost": lambda: symmetric.model_.predict(prepared)},
    }
    for name, learners in (
        ("lightgbm", [boosted]), ("catboost", [symmetric]), ("both", [boosted, symmetric])
    ):  # fmt: skip
        scorer = packed(folder / name, asks, learners)
        scorer.table(asks.take(np.arange(min(n, 25_000))))  # libraries load with the first table
        ours = seconds_of(lambda s=scorer: s.table(asks))
        found[name] = {"seconds": ours.round(3).tolist()}
        for reference, bare in references.items():
            used = [seconds_of(call) for key, call in bare.items() if name in (key, "both")]
            theirs = np.sum(used, axis=0)
            found[name][reference] = {
                "seconds": theirs.round(3).tolist(), "ratio": (ours / theirs).round(2).tolist()
            }  # fmt: skip
    return found


def one_explanation(folder: Path) -> dict[str, Any]:
    """Measurement 4, with the versions that measurement 2 left."""
    rows = telco()[0].frame.to_dicts()
    found = {}
    for place in sorted(folder.iterdir()):
        scorer = open_plan(place)
        explain = partial(contributions, scorer, rows[:24])
        found[place.name] = round(
            median_us(lambda i, e=explain: e(rows[100 + i]), 30)["median"] / 1e3, 1
        )
    return found


def one_start() -> dict[str, float]:
    """Measurement 5: the median of 9 processes."""
    code = (
        "import everfit.serve.load, everfit.release.manifest, pathlib, time;"
        "used = time.process_time(); told = pathlib.Path('/proc/self/status').read_text();"
        "print(used, told.split('VmHWM:')[1].split()[0])"
    )
    told = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(9)
    ]
    seconds, size = np.median([[float(x) for x in one.stdout.split()] for one in told], axis=0)
    return {"processor seconds": round(float(seconds), 3), "MB": round(float(size) / 1024, 1)}


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
            "table (s: clock, processor)": one_table(folder / "tables", options.rows),
            "one explanation (ms)": one_explanation(folder / "blends"),
            "imports of a worker": one_start(),
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
