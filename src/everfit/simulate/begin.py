"""How a simulation begins: a data set is cut, and a world is built around its first rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from everfit.data.read import read
from everfit.errors import Refused
from everfit.executors import Executor, InlineExecutor
from everfit.loop.fit.fit import fit
from everfit.loop.fit.job import FitJob
from everfit.loop.fit.job import Hands as FitHands
from everfit.loop.run import Means, Request, named
from everfit.loop.turn.hands import Hands
from everfit.pose import Tell
from everfit.records import Because, Decision, Upkeep, Version
from everfit.release.gates import load_fresh, loads, manifest_holds, reproduces
from everfit.simulate.record import SimulatedRecord
from everfit.simulate.stream import Stream, Streaming, stream_of
from everfit.simulate.world import Clock, World
from everfit.store.contract import RunHandle, Store

VERIFY_S = 60.0  # loading a version in a process of its own
FIRST_ROWS = "first-rows.parquet"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person wants simulated.

    Parameters
    ----------
    request : the question; its source is the whole data set, its budget that of the first run
    streaming : how the data set becomes a stream
    upkeep : the rules that the loop goes by
    """

    request: Request
    streaming: Streaming = field(default_factory=Streaming)
    upkeep: Upkeep = field(default_factory=Upkeep)


@dataclass(frozen=True, slots=True)
class Given:
    """What a simulation works with; ``wire`` chooses them.

    ``folder`` takes the first rows and the answers of the simulation.
    """

    store: Store
    make_executor: Callable[[], Executor]
    folder: Path
    tell: Tell = field(default=lambda progress: None)


def begin(wanted: Wanted, given: Given) -> World:
    """Read and cut the data, and build the world; nothing is learnt yet.

    Raises
    ------
    DataError, UsageError : the data cannot be read or cut, or a drift cannot be made
    Refused : the store has a model of this name: its ledger is not to be mixed with a made-up one
    """
    request, store = wanted.request, given.store
    name = named(request)
    if name in store.models():
        raise Refused(
            f"the store has a model {name!r}",
            got=f"a simulation of {name!r} in {store.root}",
            expected="a name that is not taken, or a store of its own",
            do="give another --name, or another --store",
        )
    stream = _stream(wanted)
    given.folder.mkdir(parents=True, exist_ok=True)
    first = given.folder / FIRST_ROWS
    stream.begin.write_parquet(first)
    asked = replace(
        request, source=str(first), name=name, header=None, query=None, started=time.monotonic()
    )
    return world_of(replace(wanted, request=asked), stream, given)


def world_of(wanted: Wanted, stream: Stream, given: Given) -> World:
    """The world around a stream and a store; the model may have a first version already."""
    clock = Clock()
    record = SimulatedRecord(given.folder / "answers", clock)
    return World(
        stream=stream,
        request=wanted.request,
        means=Means(lambda: given.store, given.make_executor, 1, given.tell, clock),
        store=given.store,
        clock=clock,
        record=record,
        hands=_hands(wanted, given.store, record, clock),
        upkeep=wanted.upkeep,
    )


def _stream(wanted: Wanted) -> Stream:
    request = wanted.request
    table = read(
        request.source,
        query=request.query,
        kinds=dict(request.kinds) or None,
        roles={**request.roles, request.target: "target"},
        header=request.header,
    )
    times = [column for column, role in request.roles.items() if role == "time"]
    streaming = wanted.streaming
    if streaming.time is None and times:
        streaming = replace(streaming, time=times[0])
    return stream_of(table, request.target, streaming)


def _hands(wanted: Wanted, store: Store, record: SimulatedRecord, clock: Clock) -> Hands:
    """The hands of the turns: the real ones, but for the clock and the record."""

    def made(job: FitJob, hold: RunHandle) -> Decision:
        # in this process: a child of its own would take longer to start than most fits take
        return fit(job, FitHands(store, record, InlineExecutor), hold).decision

    def checks(version: Version) -> Sequence[Because]:
        held = holds(version)
        if not held.passed:
            return (held,)
        fresh = load_fresh(store.root / version.folder, left_s=VERIFY_S, trusted=version.trusted)
        return held, loads(fresh), reproduces(fresh)

    def holds(version: Version) -> Because:
        folder = store.root / version.folder
        return manifest_holds(folder, key=store.key(), sha256=version.sha256)

    return Hands(
        store=store,
        record=record,
        fit=made,
        checks=checks,
        holds=holds,
        upkeep_of=lambda model: wanted.upkeep,
        policy_of=lambda model: wanted.request.policy,
        clock=clock,
    )
