"""Assess beside others on one table of 500,000 x 30 mixed columns: ratios within one run.

(a) a hand-written DuckDB query of the facts of a profile (nulls, distinct, quantiles, top values,
correlations, duplicates), (b) our profile of the same table, (c) our whole assessment, and, in
environments of their own because their pins are stale, (d) deepchecks' data integrity suite and
(e) ydata-profiling in minimal mode, both from the same CSV file, reading included.

    python -m bench.assess [--rows 500000] [--others] [--cache .bench/assess]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

PINS = {
    "deepchecks": [
        "deepchecks==0.19.1",
        "numpy<2",
        "pandas<2.3",
        "scikit-learn>=1.6,<1.8",
        "setuptools<81",
    ],
    "ydata": ["ydata-profiling==4.18.4", "pandas<3", "setuptools<81"],
}
SCRIPTS = {
    "deepchecks": """
import sys, time, warnings; warnings.filterwarnings("ignore")
import pandas as pd
from deepchecks.tabular import Dataset
from deepchecks.tabular.suites import data_integrity
begun = time.perf_counter()
frame = pd.read_csv(sys.argv[1], parse_dates=["day", "stamp"])
data = Dataset(frame, label="y", cat_features=[c for c in frame if c.startswith("cat")])
data_integrity().run(data)
print("SECONDS", time.perf_counter() - begun)
""",
    "ydata": """
import sys, time, warnings; warnings.filterwarnings("ignore")
import pandas as pd
from ydata_profiling import ProfileReport
begun = time.perf_counter()
frame = pd.read_csv(sys.argv[1], parse_dates=["day", "stamp"])
ProfileReport(frame, minimal=True, progress_bar=False).to_html()
print("SECONDS", time.perf_counter() - begun)
""",
}


def mixed(n: int, seed: int = 0) -> pl.DataFrame:
    """A table like that of `anchors/serving.md` part C: 15 floats with holes, 5 whole numbers,
    5 categories, text, boolean, date, time and an id; 0.4% of the rows come twice."""
    rng = np.random.default_rng(seed)
    data: dict[str, Any] = {}
    base = rng.normal(size=(n, 15))
    base[:, 1] = 0.8 * base[:, 0] + 0.6 * base[:, 1]
    for j in range(15):
        data[f"float{j}"] = np.where(rng.random(n) < 0.05, np.nan, base[:, j].round(6))
    for j, top in enumerate((10, 100, 1_000, 50_000, 10**6)):
        data[f"int{j}"] = rng.integers(0, top, n)
    for j, levels in enumerate((3, 12, 60, 400, 3_000)):
        words = np.array([f"level {k}" for k in range(levels)])
        data[f"cat{j}"] = words[(levels * rng.random(n) ** 2).astype(int)]
    syllables = np.array(["ka", "mo", "ri", "ten", "lu", "sha", "bo", "fen"])
    picks = syllables[rng.integers(0, 8, (n, 6))]
    data["text"] = [" ".join(row) for row in picks]
    data["flag"] = rng.random(n) < 0.3
    day = np.datetime64("2022-01-01", "D") + rng.integers(0, 900, n)
    data["day"] = day.astype("datetime64[us]")
    data["stamp"] = day.astype("datetime64[us]") + rng.integers(0, 86_400, n).astype(
        "timedelta64[s]"
    )
    data["id"] = [f"r{k:07d}" for k in rng.permutation(n)]
    score = base[:, 0] + base[:, 2] * (data["int0"] > 4) + rng.normal(size=n)
    data["y"] = np.where(score > 0.5, "yes", "no")
    frame = pl.DataFrame(data).with_columns(pl.selectors.float().fill_nan(None))
    twice = frame.head(n // 250)
    return pl.concat([frame.head(n - twice.height), twice])


def by_duckdb(frame: pl.DataFrame) -> None:
    """The facts in DuckDB, as a person would write them: approximate where DuckDB can."""
    import duckdb

    numbers = [c for c in frame.columns if frame[c].dtype.is_numeric()]
    facts = []
    for name in frame.columns:
        facts.append(
            f'count("{name}"), approx_count_distinct("{name}"), approx_top_k("{name}", 10)'
        )
    for name in numbers:
        facts.append(f'avg("{name}"), stddev("{name}"), min("{name}"), max("{name}")')
        facts.append(f'approx_quantile("{name}", [0.05, 0.25, 0.5, 0.75, 0.95])')
    pairs = [f'corr("{a}", "{b}")' for i, a in enumerate(numbers) for b in numbers[i + 1 :]]
    with duckdb.connect() as base:
        base.register("t", frame.to_arrow())
        base.execute(f"select {', '.join(facts)} from t").fetchall()
        base.execute(f"select {', '.join(pairs)} from t").fetchall()
        every = ", ".join(f'"{c}"' for c in frame.columns)
        base.execute(f"select count(*) - approx_count_distinct(hash({every})) from t").fetchall()


def best_of(work: Callable[[], object], times: int) -> float:
    """The shortest of ``times`` runs, in seconds."""
    shortest = float("inf")
    for _ in range(times):
        begun = time.perf_counter()
        work()
        shortest = min(shortest, time.perf_counter() - begun)
    return shortest


def ours(path: Path, times: int) -> dict[str, float]:
    """Seconds of the query, our profile, and the assessment with and without reading the file."""
    from everfit.assess import assess, profile
    from everfit.data.read import read
    from everfit.data.table import Table
    from everfit.tasks import pick

    begun = time.perf_counter()
    table = read(path).with_roles({"y": "target"})
    reading = time.perf_counter() - begun
    task, _ = pick(Table(table.frame.select("y"), (table.column("y"),), table.source))
    problem = task.problem(table, "y")
    rng = np.random.default_rng(0)
    # in turns, so that a busy machine is busy for both
    query, facts = [], []
    for _ in range(times):
        query.append(best_of(lambda: by_duckdb(table.frame), 1))
        facts.append(best_of(lambda: profile(table), 1))
    whole = best_of(lambda: assess(table, problem, task=task, rng=rng), max(1, times // 2))
    return {
        "duckdb query": min(query),
        "profile": min(facts),
        "assess": whole,
        "read and assess": reading + whole,
    }


def other(name: str, path: Path, cache: Path) -> float:
    """Seconds of another tool in its own environment, which is made on first use."""
    home = cache / f"venv-{name}"
    python = home / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        install = [str(python), "-m", "pip", "install", "-q", *PINS[name]]
        subprocess.run(install, check=True)
    told = subprocess.run(
        [str(python), "-c", SCRIPTS[name], str(path)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "MPLBACKEND": "agg"},
    )
    return float(told.stdout.split("SECONDS")[1])


def main() -> None:
    """Print ratios; 1 is ours where we are compared, the query where the profile is."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=500_000)
    options.add_argument("--times", type=int, default=3)
    options.add_argument("--others", action="store_true", help="deepchecks and ydata-profiling too")
    options.add_argument("--cache", type=Path, default=Path(".bench/assess"))
    options.add_argument("--out", type=Path)
    chosen = options.parse_args()
    chosen.cache.mkdir(parents=True, exist_ok=True)
    path = chosen.cache / f"mixed-{chosen.rows}.csv"
    if not path.exists():
        mixed(chosen.rows).write_csv(path)
    seconds = ours(path, chosen.times)
    ratios = {"profile / hand-written DuckDB query": seconds["profile"] / seconds["duckdb query"]}
    ratios["assess / profile"] = seconds["assess"] / seconds["profile"]
    for name in PINS if chosen.others else ():
        took = other(name, path.resolve(), chosen.cache)
        ratios[f"{name} / our read and assess"] = took / seconds["read and assess"]
    for what, ratio in ratios.items():
        print(f"{what:<45} {ratio:8.2f}")
    if chosen.out:
        chosen.out.write_text(json.dumps(ratios, indent=1))


if __name__ == "__main__":
    main()
