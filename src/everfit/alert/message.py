"""One message about one cause: fired, changed or over. A step of the store, and all there is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from everfit.plain import as_plain, from_plain
from everfit.records import Step

Event = Literal["firing", "updated", "resolved"]
Severity = Literal["needs_you", "watch"]
STEP = "alert"


@dataclass(frozen=True, slots=True)
class Cause:
    """Something that people should know about a model, as one look shows it.

    ``name`` groups: all of one name is one alert. ``means`` is what it means, ``doing`` what
    Everfit does about it, ``you_need`` what a person needs to do. ``worse`` grows with how bad it
    is, in any unit that stays the same for one name. ``limit_by`` says who set the limit.
    """

    name: str
    state: Severity
    headline: str
    means: str
    doing: str
    you_need: str
    worse: float = 0.0
    measured: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    limit: float | None = None
    limit_by: str = ""
    since: datetime | None = None
    about: tuple[str, ...] = ()
    decision: int = 0


@dataclass(frozen=True, slots=True)
class Message:
    """What is told about a cause: the ``number``-th time that it fired, message ``part`` of it.

    ``muted`` messages are kept and sent to nobody. ``at`` is the time of the loop.
    """

    model: str
    event: Event
    number: int
    part: int
    at: datetime
    cause: Cause
    fired_at: datetime
    muted: bool = False

    @property
    def alert(self) -> str:
        """The name of the alert within its model, the same from firing to resolved: ``loss#2``."""
        return f"{self.cause.name}#{self.number}"

    @property
    def key(self) -> str:
        """The name of the message within its model: ``loss#2.1``."""
        return f"{self.alert}.{self.part}"

    def step(self) -> Step:
        """The message as a step of the store."""
        record: dict[str, Any] = as_plain(self)
        return Step(self.model, STEP, self.key, record, self.at)


def message_of(step: Step) -> Message:
    """The inverse of :meth:`Message.step`."""
    return from_plain(Message, step.record)
