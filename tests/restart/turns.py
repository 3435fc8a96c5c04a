"""A turn with a script: small, made of real writes, and the same story however often it is killed.

Each day of the script is a window that is over. On some days a version is fitted in a child and put
in the shadow; two days later it is promoted and the old champion stays as a fallback; once it is
rolled back. What is due is read from the store alone, as the real turn does it.

``python -m tests.restart.turns STORE MODEL DAYS TTL_S [SLOW_S]`` runs it until nothing is due.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from everfit.loop.child import Limits, in_child
from everfit.loop.runner import Ending, Pace, Runner
from everfit.records import Step
from everfit.store import Journal, RunHandle, open_store
from tests.store.build import AT, decision, packed, version

FIT_EVERY, TRIAL_AFTER = 3, 2
ROLL_BACK_ON = 8

Fit = Callable[[int, Ending], Mapping[str, Any]]


@dataclass
class Script:
    """The turn: ``fit`` makes what a version holds, ``linger_s`` is how long each step takes."""

    store: Callable[[], Journal]
    days: int
    fit: Fit = field(default=lambda day, ending: {"text": f"fit of day {day}"})
    linger_s: float = 0.0
    did: list[str] = field(default_factory=list)

    def __call__(self, model: str, hold: RunHandle, ending: Ending) -> Mapping[str, Any]:
        """Do all that is due, one step at a time."""
        n = 0
        while not ending():
            done = self._next(self.store(), model, hold, ending)
            if done is None:
                break
            n += 1
            self.did.append(done)
            time.sleep(self.linger_s)
        return {"steps": n} if n else {}

    def _next(self, store: Journal, model: str, hold: RunHandle, ending: Ending) -> str | None:
        seen = {(step.kind, step.key) for step in store.steps(model)}
        for day in range(1, self.days + 1):
            key = f"{day:03d}"
            if ("asked", key) not in seen:
                store.note(hold, [_step(model, "asked", key)])
                return f"asked {key}"
            if day % FIT_EVERY == 1 and ("fit", key) not in seen:
                self._fit(store, model, hold, day, ending)
                return f"fit {key}"
            if day % FIT_EVERY == 0 and ("trial", key) not in seen:
                _promote(store, model, hold, key)
                return f"trial {key}"
            if day == ROLL_BACK_ON and ("guard", key) not in seen:
                _roll_back(store, model, hold, key)
                return f"guard {key}"
        return None

    def _fit(self, store: Journal, model: str, hold: RunHandle, day: int, ending: Ending) -> None:
        run = store.begin_run(model, {"day": day}, under=hold)
        if store.trial(f"{model}-{day}", run) is None:
            store.save_trial(run, f"{model}-{day}", self.fit(day, ending))
        kept = store.trial(f"{model}-{day}")
        assert kept is not None
        number = store.next_number(model)
        made = version(number, packed(store, number, kept[0]["text"], model=model), model=model)
        alias = "shadow" if store.champion(model) else "champion"
        store.commit(
            decision(model, "retrained"),
            version=made,
            aliases={alias: number},
            run=run,
            steps=[_step(model, "fit", f"{day:03d}")],
        )
        store.finish_run(run, "done")


def _promote(store: Journal, model: str, hold: RunHandle, key: str) -> None:
    pointed = store.aliases(model)
    shadow = pointed["shadow"].number if "shadow" in pointed else None
    step = [_step(model, "trial", key)]
    if shadow is None:
        store.commit(decision(model, "kept"), run=hold, steps=step)
        return
    before = pointed["champion"].number
    moves = {"champion": shadow, "previous": before, "fallback": before, "shadow": None}
    store.commit(decision(model, "promoted"), aliases=moves, run=hold, steps=step)


def _roll_back(store: Journal, model: str, hold: RunHandle, key: str) -> None:
    old = store.aliases(model)["previous"].number
    moves = {"champion": old, "previous": None, "fallback": None}
    store.commit(
        decision(model, "rolled_back"), aliases=moves, run=hold, steps=[_step(model, "guard", key)]
    )


def _step(model: str, kind: str, key: str) -> Step:
    return Step(model, kind, key, {"day": int(key)}, AT + timedelta(days=int(key)))


def story(store: Journal, model: str) -> dict[str, Any]:
    """All that a run leaves behind, but ids and times."""
    return {
        "ledger": [(d.kind, d.version) for d in store.decisions(model, newest_first=False)],
        "steps": [(s.kind, s.key, dict(s.record), s.decision > 0) for s in store.steps(model)],
        "aliases": {name: alias.number for name, alias in sorted(store.aliases(model).items())},
        "versions": [
            (v.name, v.state, (Path(v.folder) / "m0" / "model.txt").read_text())
            for v in store.versions(model)
        ],
        "moves": _moves(store, model),
    }


def _moves(store: Journal, model: str) -> list[tuple[Any, ...]]:
    from sqlalchemy import text

    with store.database.read() as connection:
        asked = text(
            "SELECT name, from_number, to_number, rev FROM alias_log WHERE model = :m ORDER BY id"
        )
        return [tuple(row) for row in connection.execute(asked, {"m": model})]


def run_until_done(
    opener: Callable[[], Journal],
    script: Script,
    *,
    ttl_s: float = 60.0,
    say: Callable[[str, Mapping[str, Any]], None] = lambda event, facts: None,
) -> None:
    """A runner that stops when a turn of each model found nothing to do."""
    stop = threading.Event()

    def turn(model: str, hold: RunHandle, ending: Ending) -> Mapping[str, Any]:
        facts = script(model, hold, ending)
        if not facts and not ending():
            stop.set()
        return facts

    pace = Pace(ttl_s=ttl_s, stand_by_s=min(0.1, ttl_s / 10), look_s=0.1)
    Runner(opener, turn, lambda model: 0.05, say, pace=pace, stop=stop).run()


def make(opener: Callable[[], Journal], model: str) -> None:
    """A model without versions."""
    store = opener()
    store.finish_run(store.begin_run(model, {}), "done")
    store.close()


def fit_in_child(day: int, ending: Ending) -> Mapping[str, Any]:
    """As a real fit: in a process of its own, killed when the turn shall end."""
    arguments = {"day": day, "seconds": 0.2}
    outcome = in_child("tests.restart.turns:slow_fit", arguments, Limits(60.0), stop=ending)
    if outcome.status != "ok":
        raise RuntimeError(f"the fit of day {day}: {outcome.status} {outcome.error}")
    return outcome.value


def slow_fit(day: int, seconds: float) -> Mapping[str, Any]:
    """What the child does."""
    time.sleep(seconds)
    return {"text": f"fit of day {day}"}


def main(place: str, files: str, days: int, ttl_s: float, linger_s: float) -> None:
    """Run the script, with fits in children, telling of it as JSON lines."""

    def say(event: str, facts: Mapping[str, Any]) -> None:
        sys.stdout.write(json.dumps({"event": event, "pid": os.getpid(), **facts}) + "\n")
        sys.stdout.flush()

    opened: list[Journal] = []

    def opener() -> Journal:
        if not opened:
            opened.append(open_store(place, files=files))
        return opened[0]

    script = Script(opener, days, fit_in_child, linger_s)
    run_until_done(opener, script, ttl_s=ttl_s, say=say)
    say("done", {"did": script.did})


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5]))
