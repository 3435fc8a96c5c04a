"""The learning curve: each version of a replay asked about the same rows, which none has seen.

Versions of ``bench.replay --keep DIR`` are asked about the rows behind the stream. Reported: rows
that each learnt from, accuracy, log loss, and whether they rise from run to run (Mann-Kendall).

    python -m bench.replay.curve --keep DIR [--name adult]
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from bench.replay.sets import REPLAYS
from everfit.evidence.trend import Trend, rising
from everfit.simulate.answering import Answering, judged
from everfit.store import open_store

WAYS = ("every", "ours")


@dataclass(frozen=True, slots=True)
class Point:
    """One version: rows that it learnt from, and how good it was on rows that none has seen."""

    version: str
    rows: int
    accuracy: float
    loss: float


def curve_of(name: str, way: Path) -> tuple[int, list[Point]]:
    """Rows asked about, and the versions of one way in the order in which they were made."""
    replay = REPLAYS[name]
    frame = replay.table()
    asked = frame[replay.first + (replay.windows or 0) * replay.rows :]
    target, rows = asked[replay.target], asked.drop(replay.target)
    store = open_store(str(way), create=False)
    answering = Answering(store, name)
    found = []
    for version in reversed(store.versions(name)):
        got = judged(answering.values(version, rows), target, version.problem)
        learnt = int(store.result(name, version.run)["assessment"]["n_rows"])
        found.append(Point(version.name, learnt, float(got.right or 0.0), got.loss))
    store.close()
    return asked.height, found


def told(points: list[Point]) -> tuple[Trend, Trend]:
    """The trends of the accuracy, and of the loss turned so that it rises too."""
    return rising([p.accuracy for p in points]), rising([-p.loss for p in points])


def main() -> int:
    """Print the learning curve of each way that is kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, required=True)
    parser.add_argument("--name", default="adult")
    asked = parser.parse_args()
    for way in WAYS:
        folder = asked.keep / asked.name / way
        if not folder.exists():
            continue
        n, points = curve_of(asked.name, folder)
        print(f"{way}: {len(points)} versions on {n:,} rows that none has seen")
        print("  rows learnt  accuracy  log loss")
        for point in points:
            print(f"  {point.rows:>11,}  {point.accuracy:8.4f}  {point.loss:8.4f}  {point.version}")
        if len(points) >= 4:
            for word, trend in zip(("accuracy", "log loss"), told(points), strict=True):
                print(f"  {word} gets better: {trend.rises} of {trend.pairs} pairs, "
                      f"tau {trend.tau:.2f}, p {trend.p:.2g}")  # fmt: skip
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
