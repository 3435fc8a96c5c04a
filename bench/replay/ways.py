"""Ways of looking after a model: the loop, and refitting by the clock with the same code."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from bench.replay.sets import Replay
from everfit.errors import StoreBusy
from everfit.executors import InlineExecutor
from everfit.loop.fit.fit import fit
from everfit.loop.fit.job import FitJob
from everfit.loop.fit.job import Hands as FitHands
from everfit.loop.run import Request, RunResult
from everfit.loop.tick import Ticked
from everfit.loop.turn.windows import floor_to
from everfit.records import Decision, Upkeep
from everfit.simulate.begin import Given, Wanted, begin, world_of
from everfit.simulate.result import Simulated, simulated
from everfit.simulate.stream import Streaming
from everfit.simulate.world import HOLD_S, World, first_version, live
from everfit.store import Store, open_store

FIRST_S, FIT_S = 60.0, 600.0  # of the first run; of a fit: load must not decide what is learnt


@dataclass(frozen=True, slots=True)
class Begun:
    """A stream with its first version, from which every way begins."""

    replay: Replay
    world: World
    wanted: Wanted
    first: RunResult
    folder: Path


def begun(replay: Replay, folder: Path, *, seed: int = 0, windows: int | None = None) -> Begun:
    """The first version of a stream, made once, in a store of its own."""
    table = replay.table()
    upkeep = Upkeep(
        window_s=replay.window_s,
        label_delay_s=replay.delay_s,
        retrain_budget_s=FIT_S,
        search_budget_s=FIT_S,
    )
    streaming = Streaming(
        first=replay.first, rows=replay.rows, windows=windows or replay.windows, seed=seed
    )
    request = Request(table, replay.target, name=replay.name, budget_s=FIRST_S, seed=seed)
    wanted = Wanted(request, streaming, upkeep)
    store = open_store(str(folder / "first"), create=True)
    world = begin(wanted, Given(store, InlineExecutor, folder / "rows"))
    first = first_version(world)
    store.close()
    return Begun(replay, world, replace(wanted, request=world.request), first, folder)


def lived(start: Begun, name: str, turn: Callable[[World, str], Ticked] | None) -> Simulated:
    """Live through the stream in a copy of the first store; None takes the turns of the loop."""
    place = start.folder / name
    shutil.copytree(start.folder / "first", place)
    store = open_store(str(place), create=False)
    world = world_of(
        start.wanted, start.world.stream, Given(store, InlineExecutor, start.folder / f"{name}-of")
    )
    if turn is not None:
        world = replace(world, turn=turn)
    began = time.monotonic()
    windows = []
    for one in live(world, start.first):
        windows.append(one)
        said = ", ".join(row.kind for row in one.decisions if row.kind != "did_nothing")
        if said or one.index % 50 == 0:
            print(f"  {name} {one.index} {one.version} {one.got.score:.4f} {said}", flush=True)
    store.close()
    return simulated(world, start.first, windows, time.monotonic() - began, str(place))


def by_the_clock(when: Callable[[int], bool]) -> Callable[[World, str], Ticked]:
    """Turns that refit at the windows that ``when`` names and let the new version serve at once."""
    count = 0

    def turn(world: World, model: str) -> Ticked:
        nonlocal count
        count += 1
        if not when(count):
            return Ticked(model)
        hold = world.store.hold(model, ttl_s=HOLD_S)
        try:
            return _refit(world, model, hold, count)
        finally:
            with suppress(StoreBusy):
                world.store.let_go(hold)

    return turn


def _refit(world: World, model: str, hold: object, count: int) -> Ticked:
    store: Store = world.store
    champion = store.version(model, "champion")
    length = timedelta(seconds=world.upkeep.window_s)
    now: datetime = world.clock()
    job = FitJob(
        model=model,
        act="retrain",
        until=floor_to(now, length),
        now=now,
        champion=champion.number,
        budget_s=world.upkeep.retrain_budget_s,
        upkeep=world.upkeep,
        policy=world.request.policy,
        about=f"block {count:06d}",
    )
    made = fit(job, FitHands(store, world.record, InlineExecutor), hold)
    if made.version is None:
        return Ticked(model, (("fit", made.decision.headline),))
    number = made.version.number
    row = Decision(
        model=model,
        kind="promoted",
        headline=f"v{number} serves because its time had come",
        version=made.version.name,
        at=now,
    )
    moves = {"champion": number, "previous": champion.number, "shadow": None}
    store.commit(
        row, aliases=moves, run=hold, seen={n: a.rev for n, a in store.aliases(model).items()}
    )
    return Ticked(model, (("fit", made.version.name),))


def spread(n_fits: int, n_windows: int) -> set[int]:
    """The windows, from 1, after which ``n_fits`` fits are made, evenly spread.

    Examples
    --------
    >>> sorted(spread(3, 12))
    [3, 6, 9]
    """
    return {round((i + 1) * n_windows / (n_fits + 1)) for i in range(n_fits)}
