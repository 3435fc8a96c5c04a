"""The command ``tick``: one turn of each model, for those who have a scheduler already."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Event

import typer

from everfit import wire
from everfit.errors import EverfitError, StoreBusy
from everfit.faces.cli.everywhere import Face
from everfit.faces.cli.opening import house_of, settings_of
from everfit.faces.cli.turning.upping import stopped
from everfit.faces.words.ledger import decision_lines
from everfit.faces.words.shapes import dump, envelope
from everfit.house import House
from everfit.loop.runner import Ending, once
from everfit.loop.tick import Ticked
from everfit.records import Decision
from everfit.settings import Settings
from everfit.store import RunHandle
from everfit.wire import Turning

ALERTS_S = 30.0  # for sending, after the turns


@dataclass(frozen=True, slots=True)
class Told:
    """A turn of one model: what it did, the rows that it wrote, and what went wrong."""

    model: str
    done: Ticked
    decisions: tuple[Decision, ...] = ()
    error: EverfitError | None = None


def do_tick(face: Face, model: str | None) -> None:
    """Take a turn of each model; one that fails gives the exit code, and stops no other."""
    settings = settings_of(face)
    turns = wire.turning(face.store, lambda: settings, face.tell if face.verbose else _silent)
    try:
        with house_of(face, settings) as house, stopped() as stop:
            if model is not None:
                house.versions(model)  # an unknown model is told with near names
            names = house.models() if model is None else (model,)
            told = [_one(house, turns, name, stop) for name in names if not stop.is_set()]
            if settings.alerts and names and not stop.is_set():
                _send(face, house, settings)
    finally:
        turns.close()
    if face.as_json:
        face.data(dump(envelope("tick", turns=[_shape(one) for one in told])))
    else:
        _print(face, told)
    worst = next((one.error for one in told if one.error is not None), None)
    if worst is not None:
        raise typer.Exit(worst.exit_code)


def _send(face: Face, house: House, settings: Settings) -> None:
    """Send the alerts that wait; what is not taken waits for the next turn."""
    try:
        done = wire.outbox(house, lambda: settings).deliver(ALERTS_S)
    except EverfitError as error:
        face.tell(f"alerts were not sent: {error.what}")
        return
    for told in done.errors:
        face.tell(f"alerts: {told}; {done.waiting:,} waiting")


def _one(house: House, turns: Turning, model: str, stop: Event) -> Told:
    kept: list[Ticked] = []

    def turn(name: str, hold: RunHandle, ending: Ending) -> dict[str, int]:
        kept.append(turns.tick(name, hold, ending))
        return {}

    try:
        once(turns.store(), model, turn, stop)
    except EverfitError as error:
        return Told(model, Ticked(model), error=error)
    done = kept[0]
    written = set(done.decisions)
    rows = house.decisions(model, last=len(written) + 50) if written else ()
    return Told(model, done, tuple(d for d in reversed(rows) if d.id in written))


def _shape(told: Told) -> dict[str, object]:
    return {
        "model": told.model,
        "steps": [{"kind": kind, "key": key} for kind, key in told.done.steps],
        "decisions": told.decisions,
        "stopped": told.done.stopped,
        "error": None if told.error is None else told.error.as_dict(),
    }


def _print(face: Face, told: list[Told]) -> None:
    if not told:
        face.tell("No models yet: there is nothing to look after.")
    for one in told:
        if isinstance(one.error, StoreBusy):
            face.tell(f"{one.model}: {one.error.what} ({one.error.got})")
        elif one.error is not None:
            face.tell(f"{one.model}: {one.error}")
        elif not one.done.steps:
            face.data(f"{one.model}: nothing was due")
        else:
            face.data(f"{one.model}: {_counted(one.done)}")
            for decision in one.decisions:
                face.data("\n".join(decision_lines(decision)))


def _counted(done: Ticked) -> str:
    """The steps of a turn by kind, in the order in which they first came.

    Examples
    --------
    >>> _counted(Ticked("churn", (("asked", "a"), ("asked", "b"), ("health", "c"))))
    'asked 2, health 1'
    """
    kinds: dict[str, int] = {}
    for kind, _ in done.steps:
        kinds[kind] = kinds.get(kind, 0) + 1
    return ", ".join(f"{kind} {n}" for kind, n in kinds.items())


def _silent(line: str) -> None:
    """Say nothing."""
