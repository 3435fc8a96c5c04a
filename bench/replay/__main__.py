"""Streams lived through by the loop, beside never refitting and refitting by the clock.

Every way begins with the same first version and refits with the same code and the same settings;
outcomes come a week (of the stream) after they were asked. Reported: accuracy (or mean squared
error), fits, recalibrations, promotions, time; and how both went on over the stream. What is
finished is found again in ``--keep``.

    python -m bench.replay [elec2 bike-hour energy films adult] [--windows N] [--keep DIR] [--full]
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from bench.replay.sets import REPLAYS
from bench.replay.ways import Begun, begun, by_the_clock, light, lived, spread
from everfit.simulate.result import Simulated

WORSE, RATIO, SHARE = 0.002, 1.005, 1 / 3  # the bars: accuracy, loss, fits
NEVER = {"fits": 0, "recalibrated": 0, "promoted": 0, "rolled_back": 0, "seconds": 0.0}


def facts(start: Begun, done: Simulated) -> dict[str, Any]:
    """One way in numbers; fits that gave no version count too."""
    acts = Counter(row.kind for row in done.decisions)
    steps = Counter(kind for one in done.windows for kind, _ in one.steps)
    followed = sum(" follows " in row.headline for row in done.kind("promoted"))
    return {
        "accuracy": done.got.right,
        "loss": done.got.loss,
        "never": {"accuracy": done.never.right, "loss": done.never.loss},
        "fits": steps["fit"] - acts["recalibrated"],
        "recalibrated": acts["recalibrated"],
        "promoted": acts["promoted"] - followed,
        "rolled_back": acts["rolled_back"],
        "kinds": dict(acts),
        "curve": curve(start, done),
        "seconds": round(done.seconds, 1),
    }


def curve(start: Begun, done: Simulated) -> list[tuple[int, float]]:
    """Rows seen by then, and how good the answers of the next tenth of the windows were."""
    n, found = len(done.windows), []
    tenths = max(1, math.ceil(n / 10))
    for low in range(0, n, tenths):
        part = done.windows[low : low + tenths]
        rows = sum(one.n for one in part)
        value = sum(one.n * (one.got.right if one.got.right is not None else one.got.loss)
                    for one in part) / rows  # fmt: skip
        found.append((start.replay.first + low * start.replay.rows, round(value, 4)))
    return found


def way(start: Begun, name: str, when: Callable[[int], bool] | None) -> dict[str, Any]:
    """One way in numbers, lived now or found from before."""
    kept = start.folder / f"{name}.json"
    if not kept.exists():
        done = lived(start, name, None if when is None else by_the_clock(when))
        kept.write_text(json.dumps(facts(start, done)))
    found: dict[str, Any] = json.loads(kept.read_text())
    print(json.dumps({name: found}), flush=True)
    return found


def replay(name: str, folder: Path, windows: int | None, only: str) -> bool:
    """Replay one stream in all ways; True when the bars are met."""
    folder.mkdir(parents=True, exist_ok=True)
    start = begun(REPLAYS[name], folder, windows=windows)
    stream, block = start.world.stream, start.replay.block
    print(f"\n{name}: {stream.begin.height:,} rows, then {stream.n_windows} windows of "
          f"{stream.n_rows:,}; first: {start.first.decision.headline}", flush=True)  # fmt: skip
    found: dict[str, dict[str, Any]] = {}
    if only in ("", "every"):
        found["every"] = way(start, "every", lambda count: count % block == 0)
    if only in ("", "ours"):
        found["ours"] = way(start, "ours", None)
    if only:
        return True
    fits = found["ours"]["fits"]
    at = spread(fits, stream.n_windows)
    found["periodic"] = way(start, f"periodic-{fits}", lambda count: count in at)
    found["never"] = found["ours"]["never"] | NEVER
    return report(name, found)


def report(name: str, found: dict[str, dict[str, Any]]) -> bool:
    """Print the table of one stream and say whether the bars are met."""
    share = found["ours"]["accuracy"] is not None
    key = "accuracy" if share else "loss"
    print(f"\n{name:<10} {key:>10} {'loss':>10} {'fits':>5} {'recal.':>6} {'promoted':>8} "
          f"{'back':>4} {'s':>7}")  # fmt: skip
    for one_way in ("never", "every", "periodic", "ours"):
        one = found[one_way]
        print(f"  {one_way:<9} {one[key]:>10.4f} {one['loss']:>10.4f} {one['fits']:>5} "
              f"{one['recalibrated']:>6} {one['promoted']:>8} {one['rolled_back']:>4} "
              f"{one['seconds']:>7}")  # fmt: skip
    for one_way in ("every", "periodic", "ours"):
        points = found[one_way]["curve"]
        print(f"  {one_way}: " + "  ".join(f"{n:,}: {value:.4f}" for n, value in points))
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
    return bool(good and few and better)


def main() -> int:
    """Replay what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=["elec2", "bike-hour", "energy", "films"])
    parser.add_argument("--windows", type=int, default=None)
    parser.add_argument("--keep", type=Path, default=None, help="where each way is kept")
    parser.add_argument("--full", action="store_true", help="learn with the whole search")
    parser.add_argument("--only", default="", choices=["", "every", "ours"])
    asked = parser.parse_args()
    met = []
    for name in asked.names:
        place = asked.keep or Path(tempfile.mkdtemp(prefix="replay-"))
        with nullcontext() if asked.full else light():
            met.append(replay(name, place / name, asked.windows, asked.only))
    return int(not all(met))


if __name__ == "__main__":
    sys.exit(main())
