"""A year of daily windows of 10,000 rows through the real loop: how much processor time it takes.

Rows of adult are drawn again and again, outcomes come a week late. The bar is 5 minutes on 2 cores;
on a machine that is shared, processor time is what can be compared.

    python -m bench.replay.year [--windows 365] [--rows 10000] [--profile FILE]
"""

from __future__ import annotations

import argparse
import cProfile
import os
import tempfile
import time
from pathlib import Path

from bench.replay.sets import DAY_S, adult
from everfit.executors import InlineExecutor
from everfit.loop.run import Request
from everfit.records import Upkeep
from everfit.simulate.begin import Given, Wanted, begin
from everfit.simulate.stream import Streaming
from everfit.simulate.world import first_version, live
from everfit.store import open_store

BAR_S, CORES = 300.0, 2


def main() -> int:
    """Live a year and print the processor time of each month."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=365)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--profile", type=Path, default=None)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="year-"))
    store = open_store(str(folder / "store"), create=True)
    upkeep = Upkeep(label_delay_s=7 * DAY_S, retrain_budget_s=120.0, search_budget_s=120.0)
    wanted = Wanted(
        Request(adult(), "income", name="year", budget_s=20.0),
        Streaming(first=0.3, rows=asked.rows, windows=asked.windows),
        upkeep,
    )
    world = begin(wanted, Given(store, InlineExecutor, folder / "simulated"))
    first = first_version(world)
    print(first.decision.headline, flush=True)
    profile = cProfile.Profile()
    began, month, fits = time.process_time(), time.process_time(), 0.0
    wall, windows = time.monotonic(), 0
    if asked.profile is not None:
        profile.enable()
    before = time.process_time()
    for one in live(world, first):
        windows += 1
        now = time.process_time()
        fits += now - before if any(kind == "fit" for kind, _ in one.steps) else 0.0
        before = now
        if windows % 30 == 0:
            print(f"  {windows:>4} windows  {now - month:6.1f} s of a core for the last 30, "
                  f"{one.version}", flush=True)  # fmt: skip
            month = now
    spent = time.process_time() - began
    profile.disable()
    if asked.profile is not None:
        profile.dump_stats(asked.profile)
    children = os.times().children_user + os.times().children_system
    print(f"{windows} windows of {asked.rows:,} rows: {spent:.0f} s of a core, of which "
          f"{fits:.0f} s in windows with fits; {children:.0f} s in processes that check versions; "
          f"{time.monotonic() - wall:.0f} s on the wall")  # fmt: skip
    year = (spent + children) * 365 / max(1, windows)
    print(f"a year of it: {year:.0f} s of a core; bar {BAR_S:.0f} s on {CORES} cores")
    return int(year > BAR_S)


if __name__ == "__main__":
    raise SystemExit(main())
