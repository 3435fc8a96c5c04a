"""Ways of looking after a model: the loop, and refitting by the clock with the same code."""

from __future__ import annotations

import pickle
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bench.replay.sets import Replay
from everfit.errors import StoreBusy
from everfit.executors import InlineExecutor
from everfit.loop.fit.fit import fit
from everfit.loop.fit.job import FitJob
from everfit.loop.fit.job import Hands as FitHands
from everfit.loop.run import Request, RunResult
from everfit.loop.tick import Ticked
from everfit.loop.turn.windows import floor_to
from everfit.records import Decision, Hypothesis, Upkeep
from everfit.simulate.begin import Given, Wanted, begin, world_of
from everfit.simulate.result import Simulated, simulated
from everfit.simulate.stream import Streaming
from everfit.simulate.world import HOLD_S, World, first_version, live
from everfit.store import RunHandle, Store, open_store
from everfit.study.field.portfolio import portfolio

FIRST_S, FIT_S = 300.0, 600.0  # limits that are not reached: load must not decide what is learnt
LEAST_ROWS = 500  # outcomes between two recalibrations
ROUNDS = {"n_rounds": 200, "lr": 0.08, "leaves": 31}


@dataclass(frozen=True, slots=True)
class Begun:
    """A stream with its first version, from which every way begins."""

    replay: Replay
    world: World
    wanted: Wanted
    first: RunResult
    folder: Path


class NoSearch:
    """A study that ends with what is listed."""

    def __init__(self, race: object) -> None:
        """Nothing is kept."""

    def run(self, left: Callable[[], float]) -> tuple[str, int]:
        """Nothing is tried."""
        return "nothing more is listed", 0


def few(*facts: Any, **more: Any) -> tuple[Hypothesis, ...]:
    """A line, and one boosted model of fixed rounds: the same whenever it is fitted again."""
    why = "rounds that nobody has to find: a fit takes a second"
    boosted = Hypothesis("boosted trees, 200 rounds", "boosted", ROUNDS, why)
    return portfolio(*facts, **more)[0], boosted


@contextmanager
def light() -> Iterator[None]:
    """All ways learn with two hypotheses alone, so that hundreds of fits are minutes."""
    listed, tried = "everfit.study.field.entering.portfolio", "everfit.study.conduct.Search"
    with patch(listed, few), patch(tried, NoSearch):
        yield


def begun(replay: Replay, folder: Path, *, seed: int = 0, windows: int | None = None) -> Begun:
    """The first version of a stream, made once, in a store of its own; found again there."""
    table = replay.table()
    upkeep = Upkeep(
        window_s=replay.window_s,
        label_delay_s=replay.delay_s,
        retrain_budget_s=FIT_S,
        search_budget_s=FIT_S,
        least_rows=LEAST_ROWS,
    )
    streaming = Streaming(
        first=replay.first, rows=replay.rows, windows=windows or replay.windows, seed=seed
    )
    request = Request(table, replay.target, name=replay.name, budget_s=FIRST_S, seed=seed)
    wanted = Wanted(request, streaming, upkeep)
    kept = folder / "first.pickle"
    if not kept.exists():
        shutil.rmtree(folder / "first", ignore_errors=True)
    store = open_store(str(folder / "first" if not kept.exists() else folder / "again"),
                       create=True)  # fmt: skip
    world = begin(wanted, Given(store, InlineExecutor, folder / "rows"))
    if kept.exists():
        first = pickle.loads(kept.read_bytes())
    else:
        first = first_version(world)
        kept.write_bytes(pickle.dumps(first))
    store.close()
    return Begun(replay, world, replace(wanted, request=world.request), first, folder)


def lived(start: Begun, name: str, turn: Callable[[World, str], Ticked] | None) -> Simulated:
    """Live through the stream in a copy of the first store; None takes the turns of the loop."""
    place = start.folder / name
    for old in (place, start.folder / f"{name}-of"):  # of a try that was broken off
        shutil.rmtree(old, ignore_errors=True)
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


def _refit(world: World, model: str, hold: RunHandle, count: int) -> Ticked:
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
