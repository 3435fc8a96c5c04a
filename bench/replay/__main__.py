"""Streams lived through by the loop, beside never refitting and refitting by the clock.

Every way begins with the same first version and refits with the same code and the same settings;
outcomes come a week (of the stream) after they were asked. Reported: accuracy (or mean squared
error), fits, recalibrations, promotions, time; and the learning curve.

    python -m bench.replay [elec2 bike-hour energy films adult] [--windows N] [--keep DIR]
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from bench.replay.sets import REPLAYS
from bench.replay.ways import Begun, begun, by_the_clock, lived, spread
from everfit.simulate.result import Simulated

WORSE, RATIO, SHARE = 0.002, 1.005, 1 / 3  # the bars: accuracy, loss, fits
MADE = ("retrained", "searched")


def facts(done: Simulated) -> dict[str, Any]:
    """One way in numbers; fits that gave no version count too."""
    acts = Counter(row.kind for row in done.decisions)
    steps = Counter(kind for one in done.windows for kind, _ in one.steps)
    recalibrated = acts["recalibrated"]
    return {
        "accuracy": done.got.right,
        "loss": done.got.loss,
        "score": done.got.score,
        "static_accuracy": done.never.right,
        "static_loss": done.never.loss,
        "static_score": done.never.score,
        "fits": steps["fit"] - recalibrated,
        "recalibrated": recalibrated,
        "promoted": acts["promoted"],
        "kinds": dict(acts),
        "seconds": round(done.seconds, 1),
    }


def curve(start: Begun, done: Simulated) -> list[tuple[int, float]]:
    """Rows learnt by then, and how good the answers of the next tenth of the windows were."""
    n, found = len(done.windows), []
    tenths = max(1, n // 10)
    for low in range(0, n, tenths):
        part = done.windows[low : low + tenths]
        rows = sum(one.n for one in part)
        value = sum(one.n * (one.got.right if one.got.right is not None else one.got.loss)
                    for one in part) / rows  # fmt: skip
        found.append((start.replay.first + low * start.replay.rows, round(value, 4)))
    return found


def replay(name: str, folder: Path, windows: int | None) -> bool:
    """Replay one stream in all ways; True when the bars are met."""
    start = begun(REPLAYS[name], folder, windows=windows)
    stream, block = start.world.stream, start.replay.block
    print(f"\n{name}: {stream.begin.height:,} rows, then {stream.n_windows} windows of "
          f"{stream.n_rows:,}; first: {start.first.decision.headline}", flush=True)  # fmt: skip
    found: dict[str, dict[str, Any]] = {}
    curves = {}
    plans: list[tuple[str, Any]] = [("ours", None), ("every", lambda count: count % block == 0)]
    for way, when in plans:
        began = time.process_time()
        done = lived(start, way, None if when is None else by_the_clock(when))
        found[way] = facts(done) | {"cpu_s": round(time.process_time() - began, 1)}
        curves[way] = curve(start, done)
        print(json.dumps({way: found[way]}), flush=True)
    at = spread(found["ours"]["fits"], stream.n_windows)
    done = lived(start, "periodic", by_the_clock(lambda count: count in at))
    found["periodic"] = facts(done)
    found["static"] = {
        key.removeprefix("static_"): value
        for key, value in found["ours"].items() if key.startswith("static_")
    } | {"fits": 0, "recalibrated": 0, "promoted": 0, "seconds": 0}  # fmt: skip
    return report(name, found, curves)


def report(name: str, found: dict[str, dict[str, Any]], curves: dict[str, Any]) -> bool:
    """Print the table of one stream and say whether the bars are met."""
    share = found["ours"]["accuracy"] is not None
    key = "accuracy" if share else "loss"
    print(f"\n{name}  {key:<10} {'fits':>5} {'recal.':>6} {'promoted':>8} {'s':>7}")
    for way in ("static", "every", "periodic", "ours"):
        one = found[way]
        print(f"  {way:<9} {one[key]:>10.4f} {one['fits']:>5} {one['recalibrated']:>6} "
              f"{one['promoted']:>8} {one['seconds']:>7}")  # fmt: skip
    for way, points in curves.items():
        print(f"  curve of {way}: " + "  ".join(f"{n:,}: {value:.4f}" for n, value in points))
    ours, every, periodic = found["ours"], found["every"], found["periodic"]
    if share:
        good = ours[key] >= every[key] - WORSE
        better = ours[key] > periodic[key] or ours["fits"] == 0
    else:
        good = ours[key] <= every[key] * RATIO
        better = ours[key] < periodic[key] or ours["fits"] == 0
    few = ours["fits"] <= math.floor(every["fits"] * SHARE)
    print(f"  as good as every block: {good}; at most a third of its fits: {few}; "
          f"better than periodic: {better}", flush=True)  # fmt: skip
    return good and few and better


def main() -> int:
    """Replay what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=["elec2", "bike-hour", "energy", "films"])
    parser.add_argument("--windows", type=int, default=None)
    parser.add_argument("--keep", type=Path, default=None)
    asked = parser.parse_args()
    met = []
    for name in asked.names:
        place = asked.keep or Path(tempfile.mkdtemp(prefix="replay-"))
        met.append(replay(name, place / name, asked.windows))
    return int(not all(met))


if __name__ == "__main__":
    sys.exit(main())
