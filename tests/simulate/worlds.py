"""Small simulated worlds on real rows; the first version is made once and copied for each."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from everfit.data.read import read
from everfit.executors import InlineExecutor
from everfit.loop.run import Request, RunResult
from everfit.records import Upkeep
from everfit.simulate.begin import Given, Wanted, begin, world_of
from everfit.simulate.drift import read_drift
from everfit.simulate.stream import Streaming, stream_of
from everfit.simulate.world import Lived, World, first_version, live
from everfit.store import open_store

MODEL = "tumour"
FIRST, ROWS, WINDOWS = 0.5, 150, 20
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Start:
    """A first version in a store of its own, and the rows that it was made from."""

    folder: Path
    source: Path
    target: str
    wanted: Wanted
    first: RunResult

    def world(self, folder: Path, *drifts: str, windows: int = WINDOWS, **rules: object) -> World:
        """A world of its own with these drifts and rules; its first version is there already."""
        shutil.copytree(self.folder / "store", folder / "store")
        store = open_store(str(folder / "store"), create=False)
        streaming = replace(
            self.wanted.streaming,
            windows=windows,
            drifts=tuple(read_drift(text) for text in drifts),
        )
        upkeep = replace(self.wanted.upkeep, **rules)
        stream = stream_of(read(str(self.source)), self.target, streaming)
        wanted = replace(self.wanted, streaming=streaming, upkeep=upkeep)
        return world_of(wanted, stream, Given(store, InlineExecutor, folder / "simulated"))

    def live(self, world: World, n: int | None = None) -> list[Lived]:
        """The windows of a world, all or the first ``n``."""
        return list(islice(live(world, self.first), n))


def start(folder: Path, source: Path, target: str) -> Start:
    """A first version from the first rows of ``source``."""
    upkeep = Upkeep(label_delay_s=2 * DAY_S, retrain_budget_s=60.0, search_budget_s=60.0)
    streaming = Streaming(first=FIRST, rows=ROWS, windows=WINDOWS)
    request = Request(str(source), target, name=MODEL, budget_s=6.0)
    wanted = Wanted(request, streaming, upkeep)
    store = open_store(str(folder / "store"), create=True)
    world = begin(wanted, Given(store, InlineExecutor, folder / "simulated"))
    first = first_version(world)
    store.close()
    return Start(folder, source, target, replace(wanted, request=world.request), first)


def kinds(windows: Sequence[Lived]) -> list[str]:
    """The kinds of all decisions, in order."""
    return [row.kind for lived in windows for row in lived.decisions]
