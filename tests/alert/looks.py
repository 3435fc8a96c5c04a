"""Looks at health, decisions and a real store to keep them in: what alert tests are made of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from everfit.alert.message import Cause, Message
from everfit.alert.telling import tell
from everfit.evidence.interval import Interval
from everfit.plain import as_plain
from everfit.records import (
    Alarm,
    Because,
    Decision,
    Finding,
    Health,
    Performance,
    Step,
    Upkeep,
)
from everfit.store import Journal, open_store
from everfit.store.contract import RunHandle

DAY0 = datetime(2026, 11, 1, 4, 0, tzinfo=UTC)
DAY = timedelta(days=1)
FLOOR = Finding("floor", "fail", "The metric is on the wrong side of the floor since 1 Nov.")
MOVED = Finding("data drift", "warn", "`plan` moved since 1 Nov.", columns=("plan",))


def cause(name: str = "loss", state: str = "needs_you", worse: float = 1.2) -> Cause:
    return Cause(
        name, state, f"{name} is off", "It means this.", "Everfit looks.", "nothing yet", worse
    )  # type: ignore[arg-type]


def firing(
    model: str = "churn", name: str = "loss", at: datetime = DAY0, **changes: object
) -> Message:
    made = {"event": "firing", "number": 1, "part": 0, "fired_at": at, "cause": cause(name)}
    return Message(model=model, at=at, **(made | changes))  # type: ignore[arg-type]


def health(*findings: Finding, score: float = 0.71, alarms: Sequence[Alarm] = ()) -> Health:
    severities = {finding.severity for finding in findings}
    state = "needs_you" if "fail" in severities else "watch" if findings else "healthy"
    measured = Performance(
        1,
        DAY0,
        DAY0 + DAY,
        400,
        500,
        Interval(0.3, 0.35, 0.4),
        Interval(score - 0.01, score, score + 0.01),
    )
    return Health(
        "churn", "v1", state, "one sentence", findings=findings, measured=(measured,),
        alarms=tuple(alarms), bound=0.3,
    )  # type: ignore[arg-type]  # fmt: skip


class Turns:
    """A model of a real store, day by day: a look, what maintain made of it, and what is told."""

    def __init__(self, folder: Path, upkeep: Upkeep | None = None) -> None:
        self.store: Journal = open_store(folder / "store", create=True)
        run = self.store.begin_run("churn", {})
        self.store.finish_run(run, "done", [])
        self.upkeep = upkeep or Upkeep(floor=0.8)
        self.now = DAY0
        self.n = 0

    def hold(self) -> RunHandle:
        return self.store.hold("churn", ttl_s=60.0)

    def look(self, seen: Health, act: str = "nothing", waits_for: str = "") -> tuple[Message, ...]:
        """One day: a look is written down, and what it makes people hear."""
        self.now += DAY
        self.n += 1
        hold = self.hold()
        key = f"{self.now.isoformat()}/none/v1"
        self.store.note(hold, [Step("churn", "health", key, as_plain(seen), self.now)])
        acted = {"act": act, "details": {"waits_for": waits_for} if waits_for else {}}
        self.store.note(hold, [Step("churn", "action", key, acted, self.now)])
        told = tell(self.store, hold, "churn", self.upkeep, self.now)
        self.store.let_go(hold)
        return told

    def decide(self, kind: str, by: str = "system") -> tuple[Message, ...]:
        """One hour later something is decided."""
        self.now += timedelta(hours=1)
        decision = Decision("churn", kind, f"It was {kind}.", by=by, at=self.now,
                            because=(Because("it is so", False),))  # fmt: skip
        self.store.commit(decision)
        return self.wait(0)

    def wait(self, hours: float) -> tuple[Message, ...]:
        """Time goes by, and people are told what is to be told."""
        self.now += timedelta(hours=hours)
        hold = self.hold()
        told = tell(self.store, hold, "churn", self.upkeep, self.now)
        self.store.let_go(hold)
        return told
