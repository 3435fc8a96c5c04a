"""A small simulated model for tests: real data, a real store, real fits, a clock of its own."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import polars as pl

from everfit.data.table import Table
from everfit.executors import InlineExecutor
from everfit.loop.fit.fit import fit
from everfit.loop.fit.job import FitJob
from everfit.loop.fit.job import Hands as FitHands
from everfit.loop.run import Means, Request, run
from everfit.loop.tick import Ticked, tick
from everfit.loop.turn.hands import Hands
from everfit.records import Because, Decision, Policy, Upkeep, Version
from everfit.release.gates import manifest_holds
from everfit.simulate.answering import Answering, Asking, instants, spread_over
from everfit.simulate.record import SimulatedRecord
from everfit.simulate.stream import Stream, Streaming, stream_of
from everfit.simulate.world import Clock
from everfit.store import open_store
from everfit.store.contract import RunHandle, Store

MODEL = "small"


@dataclass
class Small:
    """One model with its store, record and clock; ``turn`` lives a window and takes its turn."""

    folder: Path
    stream: Stream
    upkeep: Upkeep
    clock: Clock = field(default_factory=Clock)
    fits: list[FitJob] = field(default_factory=list)
    index: int = 0

    def __post_init__(self) -> None:
        trained = _trained(self.stream)
        shutil.copytree(trained, self.folder / "store")
        self.store: Store = open_store(str(self.folder / "store"), create=False)
        self.record = SimulatedRecord(self.folder / "record", self.clock)
        self.answering = Answering(self.store, MODEL)
        self.start = self.clock.now

    def hands(self, store: Store | None = None) -> Hands:
        kept = store or self.store

        def made(job: FitJob, hold: RunHandle) -> Decision:
            self.fits.append(job)
            return fit(job, FitHands(kept, self.record, InlineExecutor), hold).decision

        def holds(version: Version) -> Because:
            folder = kept.root / version.folder
            return manifest_holds(folder, key=kept.key(), sha256=version.sha256)

        return Hands(
            store=kept, record=self.record, fit=made, checks=lambda version: (holds(version),),
            holds=holds, upkeep_of=lambda model: self.upkeep, clock=self.clock,
        )  # fmt: skip

    def live(self, change: Callable[[pl.DataFrame], pl.DataFrame] | None = None) -> None:
        """A window of traffic, and the time that it takes."""
        rows = self.stream.window(self.index)
        if change is not None:
            rows = change(rows)
        length = timedelta(seconds=self.upkeep.window_s)
        start, target = self.start, self.stream.target
        champion = self.store.version(MODEL, "champion")
        at = instants(spread_over(rows.height, start.replace(tzinfo=None), length))
        told = at + timedelta(seconds=self.upkeep.label_delay_s)
        asking = Asking(self.index, rows.drop(target), at, rows[target], told)
        values = self.answering.values(champion, asking.rows)
        self.record.add(start, start + length, self.answering.answer(asking, champion, values))
        self.start = start + length
        self.clock.now = self.start + timedelta(seconds=self.hands().grace_s)
        self.index += 1

    def turn(self, store: Store | None = None) -> Ticked:
        hold = self.store.hold(MODEL, ttl_s=600.0)
        try:
            return tick(MODEL, self.hands(store), hold)
        finally:
            self.store.let_go(hold)

    def kinds(self) -> list[str]:
        return [d.kind for d in self.store.decisions(MODEL, newest_first=False)]


def small(folder: Path, table: Table, target: str, *, rows: int = 150, windows: int = 30,
          first: float = 0.5, **rules: object) -> Small:  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    stream = stream_of(table, target, Streaming(first=first, rows=rows, windows=windows))
    upkeep = replace(Upkeep(retrain_budget_s=60.0, search_budget_s=8.0), **rules)
    return Small(folder, stream, upkeep)


_KEPT: dict[tuple, Path] = {}


def _trained(stream: Stream) -> Path:
    """A store with a first version of this stream; made once for all tests of a process."""
    key = (stream.target, stream.begin.height, tuple(stream.begin.columns))
    if key not in _KEPT:
        folder = Path(tempfile.mkdtemp(prefix="everfit-small-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        begin = folder / "begin.parquet"
        stream.begin.write_parquet(begin)
        store = open_store(str(folder / "store"), create=True)
        request = Request(
            source=str(begin), target=stream.target, name=MODEL, budget_s=4.0,
            policy=Policy(), started=time.monotonic(),
        )  # fmt: skip
        run(request, Means(lambda: store, InlineExecutor, 1, lambda p: None, Clock()))
        store.close()
        _KEPT[key] = folder / "store"
    return _KEPT[key]
