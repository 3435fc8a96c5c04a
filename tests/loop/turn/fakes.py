"""A model in memory: versions, aliases, steps and windows as the store would give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from everfit.errors import ModelUnknown, Refused
from everfit.evidence.interval import Interval
from everfit.evidence.trial.differences import Differences
from everfit.loop.turn.hands import Hands
from everfit.loop.turn.state import State, read_state
from everfit.records import Because, Decision, Policy, Problem, Step, Upkeep, Version
from everfit.store.contract import Alias, RunHandle, Seen

MODEL = "m"
DAY = timedelta(days=1)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
PROBLEM = Problem("classify", "y", "log_loss", "probabilities", labels=("no", "yes"))
HOLD = RunHandle("", MODEL, 1)
FINE = (Because("loads", True),)


@dataclass(eq=False)
class Fake:
    """A store in memory that keeps the promises which a turn leans on."""

    versions_: dict[int, Version] = field(default_factory=dict)
    aliases_: dict[str, Alias] = field(default_factory=dict)
    rows: list[Decision] = field(default_factory=list)
    done: list[Step] = field(default_factory=list)
    root: Path = Path("nowhere")

    def steps(self, model, kind=None, *, last=None, after=None) -> tuple[Step, ...]:
        found = [s for s in self.done if kind in (None, s.kind)]
        found = [s for s in found if after is None or s.key > after]
        return tuple(found if last is None else found[-last:])

    def seen(self, model, *, kinds=(), after=0) -> Seen:
        newest = next((d for d in reversed(self.rows) if d.kind in kinds), None)
        return Seen(
            tuple(self.versions_.values()), dict(self.aliases_), newest,
            tuple(self.done[after:]), len(self.done),
        )  # fmt: skip

    def decisions(self, model, newest_first=True, *, kinds=(), last=None):
        rows = [d for d in self.rows if not kinds or d.kind in kinds]
        rows = rows if last is None else rows[-last:]
        return tuple(reversed(rows) if newest_first else rows)

    def version(self, model, name) -> Version:
        for version in self.versions_.values():
            if name in (version.name, version.state):
                return version
        raise ModelUnknown(f"no {name}")

    def result(self, model, run=None) -> Mapping[str, Any]:
        return {}

    def served_before(self, model, number) -> int | None:
        return None

    def note(self, hold, steps: Sequence[Step]) -> tuple[Step, ...]:
        known = {(s.kind, s.key) for s in self.done}
        new = [s for s in steps if (s.kind, s.key) not in known]
        self.done += new
        return tuple(new)

    def commit(self, decision, *, aliases=None, run=None, seen=None, steps=(), **_) -> Decision:
        if any((s.kind, s.key) == (t.kind, t.key) for s in steps for t in self.done):
            raise Refused("the step was done before")
        written = replace(decision, id=len(self.rows) + 1)
        self.rows.append(written)
        for name, number in (aliases or {}).items():
            self.point(name, number)
        self.done += [replace(s, decision=written.id) for s in steps]
        return written

    def point(self, name: str, number: int | None) -> None:
        """Move an alias, as the newest row of the ledger did."""
        before = self.aliases_.get(name)
        rev = before.rev + 1 if before else 1
        self.aliases_[name] = Alias(MODEL, name, number, rev, len(self.rows))
        if name == "champion":
            for n, version in self.versions_.items():
                state = "champion" if n == number else "retired"
                self.versions_[n] = replace(version, state=state)


@dataclass
class Model:
    """A model whose windows are made up: ``live`` closes one, ``state`` reads it."""

    upkeep: Upkeep = field(default_factory=Upkeep)
    policy: Policy = field(default_factory=Policy)
    store: Fake = field(default_factory=Fake)
    now: datetime = BEGIN
    checks: tuple[Because, ...] = FINE
    asked: list[Any] = field(default_factory=list)

    def add(self, number: int, until: datetime | None = None) -> Version:
        """A version with the data cut ``until``; it points nowhere yet."""
        made = Version(
            MODEL, number, f"v{number}", f"sha{number}", PROBLEM, Interval(0.7, 0.8, 0.9), "1",
            "c", BEGIN - DAY, loss_bound=1.0, until=until,
        )  # fmt: skip
        self.store.versions_[number] = made
        return made

    def by_hand(self, **aliases: int | None) -> None:
        """Somebody moves aliases."""
        self.store.rows.append(
            Decision(MODEL, "shadow", "by hand", by="ann", at=self.now, id=len(self.store.rows) + 1)
        )
        for name, number in aliases.items():
            self.store.point(name, number)

    def live(self, champion: int, *, pairs: Mapping[int, float] | None = None,
             adapted: Mapping[int, float] | None = None, n: int = 400,
             outcomes: Mapping[str, int] | None = None, days: int = 1) -> None:  # fmt: skip
        """A day whose matured window pairs others with the champion: by version, the mean gain."""
        start = self.now
        self.now = start + days * DAY
        facts = {
            "versions": {str(champion): {"n": n, "asked": n, "mean": 0.3}},
            "shadows": {}, "maps": {}, "certified": [0.2, 0.3, 0.4], "champion": champion,
            "pairs": {str(v): differences(gain, n, start) for v, gain in (pairs or {}).items()},
            "adapted": {str(v): differences(gain, n, start) for v, gain in (adapted or {}).items()},
            "outcomes": {"values": dict(outcomes or {"no": n // 2, "yes": n // 2}), "told": n,
                         "missing": 0, "late": 0, "wrong": 0},
        }  # fmt: skip
        record = {
            "kind": "matured", "start": start.isoformat(), "end": self.now.isoformat(),
            "version": champion, "n": n, "facts": facts,
        }  # fmt: skip
        self.store.done.append(Step(MODEL, "matured", start.isoformat(), record, self.now))

    def hands(self) -> Hands:
        """Hands whose fits are noted, and make nothing."""
        return Hands(
            store=self.store, record=None, fit=lambda job, hold: self.asked.append(job),
            checks=lambda version: self.checks, holds=lambda version: self.checks[0],
            upkeep_of=lambda model: self.upkeep, policy_of=lambda model: self.policy,
            clock=lambda: self.now,
        )  # fmt: skip

    def state(self) -> State:
        """What a turn would read now."""
        found = read_state(MODEL, self.hands())
        assert found is not None
        return found

    def do(self, stage) -> tuple[str, str, int] | None:
        """One stage of a turn."""
        return stage(self.state(), self.hands(), HOLD)

    def closed(self, kind: str) -> list[Step]:
        """Looks of a kind that ended a trial."""
        return [s for s in self.store.steps(MODEL, kind) if s.record.get("closed")]

    def fitted(self, act: str, version: int | None, from_: int, **more: Any) -> None:
        """The step of a fit that was made now."""
        record = {"act": act, "champion": from_, "version": version,
                  "until": self.now.isoformat(), "content": ""} | more  # fmt: skip
        key = f"fit-{len(self.store.done)}"
        self.store.done.append(Step(MODEL, "fit", key, record, self.now))


def differences(gain: float, n: int, start: datetime) -> dict[str, object]:
    """Paired differences of 0-1 losses whose mean is about ``gain``."""
    rng = np.random.default_rng(int(start.timestamp()))
    d = rng.choice([1.0, 0.0, -1.0], size=n, p=[0.1 + gain / 2, 0.8, 0.1 - gain / 2])
    return Differences.of_values(d).as_dict()


def served(champion: int = 1, **rules: Any) -> Model:
    """A model whose champion serves from the first day on."""
    model = Model(upkeep=replace(Upkeep(), **rules))
    model.add(champion)
    model.by_hand(champion=champion)
    return model
