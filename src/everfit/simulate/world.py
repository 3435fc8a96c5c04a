"""A year in a minute: traffic, outcomes and time made up, everything else real.

Each window of the stream is answered by whoever serves then and by whoever stands in the shadow;
outcomes are told after their delay; then the clock moves on and the loop has its turn, with its
real store, its real tests and its real fits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import polars as pl

from everfit.errors import Refused, StoreBusy
from everfit.loop.run import Means, Request, RunResult, run
from everfit.loop.tick import Ticked, tick
from everfit.loop.turn.hands import Hands
from everfit.loop.turn.windows import floor_to
from everfit.records import Decision, Upkeep
from everfit.simulate.answering import Answering, Asking, Judged, instants, judged, spread_over
from everfit.simulate.drift import told
from everfit.simulate.record import SimulatedRecord
from everfit.simulate.stream import Stream
from everfit.store.contract import Store

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
HOLD_S = 3600.0


class Clock:
    """The time of a simulation; it moves when it is told to, and ``skew`` is how wrong it goes."""

    def __init__(self, now: datetime = BEGIN) -> None:
        self.now = now
        self.skew = timedelta(0)

    def __call__(self) -> datetime:
        return self.now + self.skew


Turn = Callable[["World", str], Ticked]


def real_turn(world: World, model: str) -> Ticked:
    """One turn of the loop under a hold of its own."""
    hold = world.store.hold(model, ttl_s=HOLD_S)
    try:
        return tick(model, world.hands, hold)
    finally:
        with suppress(StoreBusy):
            world.store.let_go(hold)


@dataclass(frozen=True, slots=True)
class World:
    """A simulated model on a real store.

    Parameters
    ----------
    stream : rows to begin with, and the windows to come
    request : what a person asks for at the beginning; its source is written from the stream
    means : of the first run; the clock must be that of the world
    hands : of the turns, made from the store, the record and the clock
    turn : what is done at the end of each window; the real turn of the loop, unless a comparison
        puts another in its place
    """

    stream: Stream
    request: Request
    means: Means
    store: Store
    clock: Clock
    record: SimulatedRecord
    hands: Hands
    upkeep: Upkeep
    turn: Turn = field(default=real_turn)


@dataclass(frozen=True, slots=True)
class Lived:
    """One window as it was lived: who served, how good it was, what the turn did.

    ``got`` is how good the answers were on all that turned out, which the loop learns later;
    ``never`` how good the first version would have been.
    """

    index: int
    start: datetime
    version: str
    n: int
    got: Judged
    never: Judged
    steps: tuple[tuple[str, str], ...]
    decisions: tuple[Decision, ...]
    seconds: float


def first_version(world: World) -> RunResult:
    """The run that a person begins with; its version serves from the first window on.

    Raises
    ------
    Refused : it did not pass its gates, so that nothing can be simulated
    """
    result = run(world.request, world.means)
    if result.champion is None:
        raise Refused(
            "there is nothing to simulate: no version was released",
            got=result.decision.headline,
            expected="a first version that passes its gates",
            do="begin with more rows (--first), or give it more time (--budget)",
        )
    return result


def live(world: World, first: RunResult) -> Iterator[Lived]:
    """Live through the windows of the stream, one at a time; see the head of this module."""
    answering = Answering(world.store, first.model)
    length = timedelta(seconds=world.upkeep.window_s)
    begin = floor_to(world.clock.now, length)  # the loop's windows lie on this grid
    if begin < world.clock.now:
        begin += length
    for index in range(world.stream.n_windows):
        yield _window(world, first, answering, index, begin + index * length)


def _window(
    world: World, first: RunResult, answering: Answering, index: int, start: datetime
) -> Lived:
    began, model = time.monotonic(), first.model
    length = timedelta(seconds=world.upkeep.window_s)
    rows = world.stream.window(index)
    target = rows[world.stream.target]
    champion = world.store.version(model, "champion")
    asking = _asking(world, index, rows, start + world.clock.skew)
    values = answering.values(champion, asking.rows, asking.drawn)
    real = start + world.clock.skew
    world.record.add(real, real + length, answering.answer(asking, champion, values))
    before = world.store.revision()
    world.clock.now = start + length + timedelta(seconds=world.hands.grace_s)
    done = world.turn(world, model)
    written = world.store.revision() - before
    made = world.store.decisions(model, newest_first=False, last=written) if written else ()
    got = judged(values, target, champion.problem)
    never = got
    if first.champion is not None and first.champion.number != champion.number:
        values = answering.values(first.champion, asking.rows, asking.drawn)
        never = judged(values, target, first.champion.problem)
    return Lived(
        index=index,
        start=start,
        version=champion.name,
        n=rows.height,
        got=got,
        never=never,
        steps=done.steps,
        decisions=made,
        seconds=time.monotonic() - began,
    )


def _asking(world: World, index: int, rows: pl.DataFrame, start: datetime) -> Asking:
    """The questions of a window, and what will be told of them."""
    stream, upkeep = world.stream, world.upkeep
    length = timedelta(seconds=upkeep.window_s)
    at = instants(spread_over(rows.height, start.replace(tzinfo=None), length))
    outcomes, late = told(
        rows[stream.target], stream.streaming.drifts, index, seed=stream.streaming.seed
    )
    delay = timedelta(seconds=upkeep.label_delay_s) + late * length
    return Asking(index, rows.drop(stream.target), at, outcomes, at + delay, stream.drawn(index))
