"""Do the 95% ranges of answers hold on rows that were held back? On the open tabular sets.

For each set: a quarter of the rows is held back (the last quarter where rows are in time order), a
run with a budget sees the rest, and its champion answers the held-back rows one by one. For a
number: the share of outcomes inside their ranges, over all rows and in the lowest and highest
quarter of the answers. For classes: the rows are put in 10 groups by the probability of the
predicted label, and a group agrees when the share of predictions that came true is within the mean
range, or misses it by less than its own sampling error (1.96 standard errors).

    python -m bench.ranges --budget 10 [--sets abalone,diamonds] [--out .bench/ranges.json]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import everfit
from bench.open_sets import divide, load, sets
from everfit.serve import Answer, open_plan

GROUPS = 10


def answers_of(train: pl.DataFrame, test: pl.DataFrame, target: str, budget: float) -> list[Answer]:
    """The champion of a run over ``train`` answers ``test``."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        train.write_csv(folder / "train.csv")
        everfit.run(
            folder / "train.csv", target, name="bench", budget=budget, seed=0,
            store=folder / "store", progress="none",
        )  # fmt: skip
        (plan,) = (folder / "store").rglob("plan.json")
        scorer = open_plan(plan.parent)
        return [scorer.row(row) for row in test.drop(target).iter_rows(named=True)]


def numbers(answers: list[Answer], truth: Any) -> dict[str, Any]:
    """Shares of outcomes inside, and the median width against the spread of the outcomes."""
    ranges = np.array([a.range for a in answers])
    held = (ranges[:, 0] <= truth) & (truth <= ranges[:, 1])
    order = np.argsort([float(a.value) for a in answers], kind="stable")
    quarters = np.array_split(order, 4)
    wide = np.diff(np.quantile(truth, [0.025, 0.975]))[0]
    return {
        "inside": round(float(held.mean()), 3),
        "lowest quarter": round(float(held[quarters[0]].mean()), 3),
        "highest quarter": round(float(held[quarters[-1]].mean()), 3),
        "median width / spread": round(float(np.median(np.diff(ranges, axis=1)) / wide), 2),
    }


def classes(answers: list[Answer], truth: list[str]) -> dict[str, Any]:
    """In how many groups the share that came true agrees with the ranges."""
    came = np.array(
        [str(a.value).lower() == t.lower() for a, t in zip(answers, truth, strict=True)]
    )
    ranges = np.array([a.range for a in answers])
    order = np.argsort([max(a.probabilities or ()) for a in answers], kind="stable")
    agree = 0
    for rows in np.array_split(order, GROUPS):
        share, (low, high) = came[rows].mean(), ranges[rows].mean(axis=0)
        noise = 1.96 * np.sqrt(max(share * (1 - share), 1 / len(rows)) / len(rows))
        agree += bool(low - noise <= share <= high + noise)
    width = float(np.median(np.diff(ranges, axis=1)))
    return {"groups that agree": agree, "of": GROUPS, "median width": round(width, 3)}


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budget", type=float, default=10.0)
    parser.add_argument("--sets", default="")
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args()
    wanted = options.sets.split(",") if options.sets else [entry["name"] for entry in sets()]
    found: dict[str, Any] = {}
    for entry in sets():
        name, target = entry["name"], entry["target"]
        if name not in wanted:
            continue
        train, test = divide(name, load(entry), seed=0)
        answers = answers_of(train, test, target, options.budget)
        if entry["task"] == "regression":
            found[name] = numbers(answers, test[target].cast(pl.Float64).to_numpy())
        else:
            found[name] = classes(answers, test[target].cast(pl.String).to_list())
        print(name, json.dumps(found[name]), flush=True)
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
