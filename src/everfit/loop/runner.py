"""The runner: takes turns with every model of a store, one runner at a time, for as long as it may.

::

    run            take the right to run -> rounds -> let go; when it is lost, stand by again
    a round        for each model: hold it, take its turn, let go
    between        sleep until a model's interval is over or the ledger has grown
    pulse          a thread that renews the right, and the hold of the turn under way

Nothing is remembered but when to look again. A turn reads from the store what is due, so that a
runner that was killed, stopped, or that slept for a month goes on like any other.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from everfit.errors import EverfitError, Interrupted, StoreBusy
from everfit.loop.pulse import Pulse
from everfit.records import Because, Decision
from everfit.store.contract import RunHandle, RunnerHandle, Store

BUSY_S = 2.0  # before a model that somebody else holds is asked for again
FIRST_BACK_OFF_S, MOST_BACK_OFF_S = 1.0, 600.0  # before a turn that failed is tried again

Ending = Callable[[], bool]
Turn = Callable[[str, RunHandle, Ending], Mapping[str, Any]]
Say = Callable[[str, Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Pace:
    """How often things are looked at, in seconds.

    Parameters
    ----------
    ttl_s : a runner that is silent for so long is followed by the next
    stand_by_s : between two tries of a runner that waits for its right
    look_s : between two looks at whether the ledger has grown
    rest_s : longest rest, after which models that are new are seen even without a decision
    """

    ttl_s: float = 5.0
    stand_by_s: float = 0.5
    look_s: float = 1.0
    rest_s: float = 60.0


@dataclass(slots=True)
class _Next:
    """When a model is looked at again, on the monotonic clock, and how often its turn failed."""

    at: float = 0.0
    falls: int = 0


@dataclass(slots=True)
class Runner:
    """Runs the loop of one store until ``stop`` is set.

    Parameters
    ----------
    open_store : opens the store; it raises while there is none or it does not answer
    turn : one turn of a model under its hold; gives facts about what it did, none when nothing was
        due. Its third argument says whether to end soon: asked to stop, or the right was lost
    every_s : the longest time between two turns of a model, by its policy
    say : told of what happens, as an event and its facts
    """

    open_store: Callable[[], Store]
    turn: Turn
    every_s: Callable[[str], float]
    say: Say
    name: str = "loop"
    pace: Pace = field(default_factory=Pace)
    stop: threading.Event = field(default_factory=threading.Event)
    _next: dict[str, _Next] = field(default_factory=dict, init=False)
    _store: Store | None = field(default=None, init=False)
    _away: str = field(default="", init=False)  # why the store does not answer

    def run(self) -> None:
        """Take turns until it is told to stop; what is finished is in the store."""
        try:
            while not self.stop.is_set():
                runner = self._stand_by()
                if runner is None:
                    return
                self._rule(runner)
        finally:
            if self._store is not None:
                self._store.close()

    def _stand_by(self) -> RunnerHandle | None:
        """The right to run, waited for; None when told to stop."""
        waits = False
        while not self.stop.is_set():
            try:
                runner = self._opened().take_runner(self.name, ttl_s=self.pace.ttl_s)
            except StoreBusy as error:
                if not waits:
                    self.say("stands_by", {"for": error.got})
                waits = True
            except EverfitError as error:
                self._lost_store(error)
            else:
                self._found_store()
                self.say("runs", {"epoch": runner.epoch})
                return runner
            self.stop.wait(self.pace.stand_by_s)
        return None

    def _rule(self, runner: RunnerHandle) -> None:
        """Rounds for as long as the right lasts."""
        store = self._opened()
        with Pulse(store, runner, ttl_s=self.pace.ttl_s) as pulse:
            while not self._ends(pulse):
                before = self._revision(store)
                if self._round(store, runner, pulse):
                    self._rest(store, before, pulse)
                else:
                    self.stop.wait(self.pace.stand_by_s)
        if pulse.lost.is_set():
            self.say("lost_its_right", {"epoch": runner.epoch})
            return
        with contextlib.suppress(EverfitError):  # it ends by itself, a little later
            store.release_runner(runner)

    def _ends(self, pulse: Pulse) -> bool:
        return self.stop.is_set() or pulse.lost.is_set()

    def _round(self, store: Store, runner: RunnerHandle, pulse: Pulse) -> bool:
        """A turn of each model that is due; whether the store answered."""
        try:
            models = store.models()
        except EverfitError as error:
            self._lost_store(error)
            return False
        self._found_store()
        self._next = {model: self._next.get(model, _Next()) for model in models}
        for model, when in self._next.items():
            if not self._ends(pulse) and time.monotonic() >= when.at:
                wait_s = self._one(store, runner, pulse, model)
                when.at = time.monotonic() + wait_s
        return True

    def _one(self, store: Store, runner: RunnerHandle, pulse: Pulse, model: str) -> float:
        """One turn of a model; gives the seconds until the next."""
        when = self._next[model]
        try:
            every_s = self.every_s(model)
            hold = store.hold(model, ttl_s=self.pace.ttl_s, runner=runner)
        except StoreBusy:
            return BUSY_S  # a person's run has it; or our right was lost, of which the pulse tells
        except EverfitError as error:
            return self._fell(when, model, error)
        with pulse.beside(hold):
            try:
                facts = self.turn(model, hold, lambda: self.stop.is_set() or pulse.gone(hold))
            except Interrupted:
                return BUSY_S
            except Exception as error:  # noqa: BLE001 - one model must not stop the others
                if when.falls == 1:  # the first may be of a moment
                    _record(store, hold, error)
                return self._fell(when, model, error)
        if facts:
            self.say("turn", {"model": model, **facts})
        when.falls = 0
        return every_s

    def _fell(self, when: _Next, model: str, error: Exception) -> float:
        wait_s = min(FIRST_BACK_OFF_S * 2.0 ** min(when.falls, 30), MOST_BACK_OFF_S)
        when.falls += 1
        told = {"model": model, "times": when.falls, "again_in_s": wait_s}
        self.say("turn_failed", told | _facts_of(error))
        return wait_s

    def _rest(self, store: Store, before: int | None, pulse: Pulse) -> None:
        """Sleep until a model is due again, or the ledger is not as it was before the round."""
        until = time.monotonic() + self.pace.rest_s
        while not self._ends(pulse):
            grown = self._revision(store) != before
            now = time.monotonic()
            if grown:
                for when in self._next.values():
                    if when.falls == 0:
                        when.at = min(when.at, now)
            soonest = min((when.at for when in self._next.values()), default=until)
            soonest = min(soonest, until)
            if grown or soonest <= now:
                return
            self.stop.wait(min(self.pace.look_s, soonest - now))

    def _revision(self, store: Store) -> int | None:
        try:
            return store.revision()
        except EverfitError as error:
            self._lost_store(error)
            return None

    def _opened(self) -> Store:
        if self._store is None:
            self._store = self.open_store()
        return self._store

    def _lost_store(self, error: EverfitError) -> None:
        """Say once that the store does not answer; it is tried again."""
        if self._away != error.what:
            self.say("store_lost", _facts_of(error))
        self._away = error.what

    def _found_store(self) -> None:
        if self._away:
            self.say("store_back", {})
        self._away = ""


def once(store: Store, model: str, turn: Turn, stop: threading.Event) -> Mapping[str, Any]:
    """One turn of a model, without the right to run the loop: for a scheduler that calls us.

    Raises
    ------
    ModelUnknown : no such model
    StoreBusy : somebody else holds it, or it was lost meanwhile
    EverfitError : whatever the turn raised
    """
    ttl_s = Pace().ttl_s
    hold = store.hold(model, ttl_s=ttl_s)
    with Pulse(store, None, ttl_s=ttl_s) as pulse, pulse.beside(hold):
        return turn(model, hold, lambda: stop.is_set() or pulse.gone(hold))


def _record(store: Store, hold: RunHandle, error: Exception) -> None:
    """Write into the ledger that a turn failed, unless that is the last thing that it says."""
    decision = failed(hold.model, error)
    with contextlib.suppress(EverfitError):  # the store itself may be what failed
        last = store.decisions(hold.model, last=1)
        if not last or (last[0].kind, last[0].headline) != (decision.kind, decision.headline):
            store.commit(decision, run=hold)


def failed(model: str, error: Exception) -> Decision:
    """The row of the ledger about a turn that failed.

    Examples
    --------
    >>> failed("churn", OSError("no route")).headline
    'The turn failed and is tried again: OSError: no route'
    """
    facts = _facts_of(error)
    parts = (facts.get(part, "") for part in ("got", "expected", "do"))
    return Decision(
        model=model,
        kind="turn_failed",
        headline=f"The turn failed and is tried again: {facts['code']}: {facts['message']}",
        because=(Because("the turn ends", False, note="; ".join(part for part in parts if part)),),
        not_done=("what was due: nothing is changed until a turn ends",),
        would_change="a turn that ends",
    )


def _facts_of(error: Exception) -> dict[str, Any]:
    if isinstance(error, EverfitError):
        return dict(error.as_dict())
    return {"code": type(error).__name__, "message": str(error)}
