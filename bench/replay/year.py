"""A year of daily windows of 10,000 rows through the real loop: how much processor time it takes.

Rows of adult are drawn again and again, outcomes come a week late. The bar is 5 minutes on 2 cores;
on a machine that is shared, processor time is what can be compared. Memory is the most so far.

    OMP_NUM_THREADS=1 python -m bench.replay.year [--windows 365] [--rows 10000] [--profile FILE]
"""

from __future__ import annotations

import argparse
import cProfile
import os
import resource
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.replay.sets import DAY_S, adult
from everfit.executors import InlineExecutor
from everfit.loop.run import Request
from everfit.loop.tick import Ticked
from everfit.records import Upkeep
from everfit.simulate.begin import Given, Wanted, begin
from everfit.simulate.stream import Streaming
from everfit.simulate.world import Lived, World, first_version, live, real_turn
from everfit.store import open_store

BAR_S, CORES = 300.0, 2
FIRST_S, FIT_S = 120.0, 600.0  # most of the first run and of a fit: load must not decide much
PART = 30  # windows of which a line is printed


@dataclass(slots=True)
class Spent:
    """Seconds of a core in some windows: of all, of turns, of windows with fits; kinds of steps."""

    began: float = field(default_factory=time.process_time)
    turns: float = 0.0
    fits: float = 0.0
    n_fits: int = 0
    steps: Counter[str] = field(default_factory=Counter)

    def add(self, one: Lived, turn: float, window: float) -> None:
        """Count one window."""
        self.turns += turn
        kinds = Counter(kind for kind, _ in one.steps)
        self.steps += kinds
        self.fits += window if kinds["fit"] else 0.0
        self.n_fits += kinds["fit"]

    def __str__(self) -> str:
        whole = time.process_time() - self.began
        return (
            f"{whole:6.1f} s of a core, {self.turns:6.1f} s of it in turns; "
            f"{self.fits:5.1f} s in windows with {self.n_fits} fits; {memory_mb():,.0f} MB"
        )


class Timed:
    """The real turn of the loop, and how long the last one took on a core."""

    last = 0.0

    def __call__(self, world: World, model: str) -> Ticked:
        began = time.process_time()
        try:
            return real_turn(world, model)
        finally:
            self.last = time.process_time() - began


def memory_mb() -> float:
    """The most memory that this process had so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    """Live a year and print the processor time of each part of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=365)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--profile", type=Path, default=None)
    asked = parser.parse_args()
    timed = Timed()
    world = replace(_world(asked.windows, asked.rows), turn=timed)
    first = first_version(world)
    print(first.decision.headline, flush=True)
    profile = cProfile.Profile(time.process_time)
    if asked.profile is not None:
        profile.enable()
    wall, before, windows = time.monotonic(), time.process_time(), 0
    year, part = Spent(), Spent()
    for one in live(world, first):
        windows += 1
        now = time.process_time()
        for spent in (year, part):
            spent.add(one, timed.last, now - before)
        before = now
        if windows % PART == 0:
            wall_s = time.monotonic() - wall
            print(f"  {windows:>4} windows {part}; {one.version}, {wall_s:,.0f} s on the wall, "
                  f"load {os.getloadavg()[0]:.1f}", flush=True)  # fmt: skip
            part = Spent()
    spent_s = time.process_time() - year.began
    profile.disable()
    if asked.profile is not None:
        profile.dump_stats(asked.profile)
    children = os.times().children_user + os.times().children_system
    print(f"{windows} windows of {asked.rows:,} rows: {year}; {children:.0f} s in processes that "
          f"check versions; {time.monotonic() - wall:.0f} s on the wall")  # fmt: skip
    print(f"steps: {dict(year.steps)}")
    whole = (spent_s + children) * 365 / max(1, windows)
    print(f"a year of it: {whole:.0f} s of a core; bar {BAR_S:.0f} s on {CORES} cores")
    return int(whole > BAR_S)


def _world(windows: int, rows: int) -> World:
    folder = Path(tempfile.mkdtemp(prefix="year-"))
    store = open_store(str(folder / "store"), create=True)
    upkeep = Upkeep(label_delay_s=7 * DAY_S, retrain_budget_s=FIT_S, search_budget_s=FIRST_S)
    wanted = Wanted(
        Request(adult(), "income", name="year", budget_s=FIRST_S),
        Streaming(first=0.3, rows=rows, windows=windows),
        upkeep,
    )
    return begin(wanted, Given(store, InlineExecutor, folder / "simulated"))


if __name__ == "__main__":
    raise SystemExit(main())
