"""Builds the house from one settings file: the only file that names concrete classes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from everfit.errors import ModelUnknown, SettingsError
from everfit.executors import Executor, InlineExecutor, LocalExecutor
from everfit.house import House
from everfit.plain import as_plain
from everfit.settings import Settings, store_place, tell_of
from everfit.store import Store, open_store

if TYPE_CHECKING:  # the loop and the log need polars, for which a server that starts does not wait
    import polars as pl

    from everfit.alert.courier import Courier
    from everfit.alert.outbox import Outbox
    from everfit.loop.runner import Ending, Runner
    from everfit.loop.tick import Ticked
    from everfit.loop.turn.hands import Watched
    from everfit.pose import Request
    from everfit.simulate.stream import Streaming
    from everfit.simulate.world import World
    from everfit.store import RunHandle

# in the order of the first hypotheses; heaviest last
WARM = (
    "everfit.study.fold",
    "sklearn.linear_model",
    "threadpoolctl",
    "lightgbm",
    "pandas",
    "catboost",
    "sklearn.ensemble",
    "sklearn.neural_network",
)


def house(store: str | Path | None = None, settings: Settings | None = None) -> House:
    """The house over ``store``, else that of settings, of ``EVERFIT_STORE``, or ``./.everfit``.

    The files of a store by URL lie where settings or ``EVERFIT_FILES`` say, else where they were
    when it was made. Nothing is opened or written yet.
    """
    place = store_place(store, settings)
    files = files_of(settings)
    slots = slots_here()
    return House(
        place=place,
        opener=lambda create: _store(place, files, create=create),
        make_executor=lambda: _executor(slots),
        threads=1,
        after=lambda: _mirror(place),
    )


@dataclass(slots=True)
class Turning:
    """Turns of the loop over one store, by the settings as they are at each turn.

    Parameters
    ----------
    place, files : as ``open_store`` takes them
    settings : read anew at each turn; what it gives holds for that turn
    tell : told a line of what is done
    after : called after each turn, also one that failed
    clock : the only clock that turns read
    """

    place: str
    files: str | None
    settings: Callable[[], Settings]
    tell: Callable[[str], None] = field(default=lambda line: None)
    after: Callable[[], None] = field(default=lambda: None)
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    _store: Store | None = field(default=None, init=False)
    _record: Watched | None = field(default=None, init=False)

    def store(self) -> Store:
        """The store, opened at the first call.

        Raises
        ------
        ModelUnknown : there is none yet
        """
        if self._store is None:
            self._store = _store(self.place, self.files, create=False)
        return self._store

    def tick(self, model: str, hold: RunHandle, ending: Ending) -> Ticked:
        """One turn of a model under its hold."""
        from everfit.live.sources import registered
        from everfit.loop.feed import pull_feeds, pulled_files
        from everfit.loop.supervised import Fitter
        from everfit.loop.tick import tick
        from everfit.loop.turn.hands import Hands
        from everfit.settings import plan_run, upkeep_of
        from everfit.settings.feeds import feeds_of

        settings, store = self.settings(), self.store()
        checked = House(self.place, lambda create: store, InlineExecutor, 1)
        fitter = Fitter(store, self.place, self.files, slots_here(), ending)
        sources = registered(settings.models)
        hands = Hands(
            store=store,
            record=self._recorded(store.root),
            fit=fitter.fit,
            checks=checked.checks,
            holds=checked.holds,
            upkeep_of=lambda name: upkeep_of(settings, name, metric=_metric(store, name)),
            policy_of=lambda name: plan_run(settings, name, {}).policy,
            pull=lambda name, held: pull_feeds(
                name, feeds_of(settings, name), store, held, now=self.clock()
            ),
            files_of=lambda name: pulled_files(store, name),
            lookup_of=sources.lookup_of,
            clock=self.clock,
            stopping=ending,
            tell=self.tell,
        )
        if any(d.kind == "turn_failed" for d in store.decisions(model, last=1)):
            self._tell(store, hold, model, settings)  # this one may fail as well
        done = tick(model, hands, hold)
        self._tell(store, hold, model, settings)
        return done

    def _tell(self, store: Store, hold: RunHandle, model: str, settings: Settings) -> None:
        """Write down what people must be told; who sends it, sends it later."""
        from everfit.alert.telling import tell
        from everfit.records import Upkeep
        from everfit.settings import upkeep_of

        try:
            upkeep = upkeep_of(settings, model, metric=_metric(store, model))
        except SettingsError:
            upkeep = Upkeep()  # rules that contradict each other are what must be told
        for message in tell(store, hold, model, upkeep, self.clock()):
            self.tell(f"{model}: alert {message.key} {message.event}")

    def turn(self, model: str, hold: RunHandle, ending: Ending) -> Mapping[str, Any]:
        """As :meth:`tick`, for the runner: facts about what was done."""
        try:
            done = self.tick(model, hold, ending)
        finally:
            self.after()
        if not done.steps:
            return {}
        return {"steps": [" ".join(step) for step in done.steps], "decisions": len(done.decisions)}

    def close(self) -> None:
        """Let go of what is open."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def _recorded(self, root: Path) -> Watched:
        """The log of traffic; an empty one while nothing was served."""
        from everfit.store.log.log import Log

        if self._record is None:
            try:
                source = self.place if "://" in self.place else root
                self._record = Log.open(source, root=root, create=False)
            except ModelUnknown:
                return Silent()
        return self._record


class Silent:
    """The record of a store that never served."""

    def span(self, model: str) -> tuple[datetime, datetime] | None:
        """None: nothing was asked."""
        return None

    def joined(self, model: str, **wanted: Any) -> Iterator[pl.DataFrame]:
        """No batches."""
        return iter(())


def turning(
    store: str | Path | None,
    settings: Callable[[], Settings],
    tell: Callable[[str], None] = lambda line: None,
) -> Turning:
    """Turns over ``store``, found as :func:`house` finds it. Nothing is opened yet."""
    now = settings()
    return Turning(store_place(store, now), files_of(now), settings, tell)


def runner(
    turns: Turning, say: Callable[[str, Mapping[str, Any]], None], *, every_s: float, stop: Event
) -> Runner:
    """What runs the loop of a store: a turn of each model at least every ``every_s`` seconds."""
    from everfit.loop.runner import Runner

    return Runner(turns.store, turns.turn, lambda model: every_s, say, stop=stop)


@dataclass(frozen=True, slots=True)
class Simulating:
    """A simulation that is asked for; ``folder`` becomes its store, ``kept`` when it stays.

    ``rules`` are those of upkeep, by their names in the file; None means that nothing was said.
    """

    request: Request
    streaming: Streaming
    rules: Mapping[str, Any]
    folder: Path
    kept: bool = False


def simulation(asked: Simulating, settings: Settings) -> World:
    """A made-up world on a store of its own, by the rules of ``settings``.

    A fit that nobody gave a time takes at most that of the first run.

    Raises
    ------
    EverfitError : the data, the rules or the store cannot be used
    """
    from everfit.pose import named
    from everfit.settings import upkeep_of
    from everfit.simulate.begin import Given, Wanted, begin

    request, slots = asked.request, slots_here()
    name = named(request)
    said = {key: value for key, value in asked.rules.items() if value is not None}
    who = upkeep_of(settings, name, metric=request.metric, given=said).set_by
    for field_, rule in (
        ("retrain_budget_s", "retrain_budget"),
        ("search_budget_s", "search_budget"),
    ):
        if field_ not in who:
            said[rule] = request.budget_s
    upkeep = upkeep_of(settings, name, metric=request.metric, given=said)
    store = _store(str(asked.folder), None, create=True)
    given = Given(store, lambda: _executor(slots), asked.folder / "simulated" / name)
    try:
        return begin(Wanted(request, asked.streaming, upkeep), given)
    except BaseException:
        store.close()
        raise


def files_of(settings: Settings | None) -> str | None:
    """Where the files of a store by URL lie, where settings or ``EVERFIT_FILES`` say it."""
    told = settings.files if settings is not None else None
    return told or os.environ.get("EVERFIT_FILES") or None


def outbox(house: House, settings: Callable[[], Settings]) -> Outbox:
    """What the targets of the settings have not been told of the store of ``house``.

    Raises
    ------
    EverfitError : there is no store yet, or it cannot be opened
    """
    from everfit.alert.outbox import Outbox, source_of  # most stores tell nobody

    return Outbox(
        house,
        lambda: settings().alerts,
        source=source_of(house.key()),
        tell=lambda model: tell_of(settings(), model),
    )


def courier(
    turns: Turning, say: Callable[[str, Mapping[str, Any]], None] = lambda event, facts: None
) -> Courier:
    """What sends alerts beside the turns, in a thread with a store of its own."""
    from everfit.alert.courier import Courier

    return Courier(
        lambda: outbox(house(turns.place, turns.settings()), turns.settings),
        say=lambda done: say("alerts", as_plain(done)),
    )


def _metric(store: Store, model: str) -> str | None:
    """What people read of a model: a floor must be where this can be."""
    champion = store.champion(model)
    return None if champion is None else champion.problem.metric


def slots_here() -> int:
    """How many fits run side by side: one a core that this process may use."""
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:  # not on macOS
        return max(1, os.cpu_count() or 1)


def _store(place: str, files: str | None, *, create: bool) -> Store:
    return open_store(place, files=files, create=create)


def _mirror(place: str) -> None:
    if os.environ.get("MLFLOW_TRACKING_URI"):
        from everfit.mirror.background import start  # most stores are mirrored nowhere

        start(place)


def _executor(slots: int) -> Executor:
    if os.environ.get("EVERFIT_EXECUTOR") == "inline":
        return InlineExecutor()
    return LocalExecutor(slots, threads=1, warm=WARM)
