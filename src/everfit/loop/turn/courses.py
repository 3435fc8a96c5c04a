"""Trials so far, read from their looks: which is open, what the others spent, when they ended.

A trial is one challenger against one line of champions, from its first look to its verdict. Its
terms are those of its first look: a trial that could be looked at on other terms half-way, or
twice on the same windows, would be wrong more often than it says.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from everfit.evidence.online.levels import Decision as Earlier
from everfit.loop.turn.state import State
from everfit.records import Step

WON = ("promoted", "proven", "rolled_back")
MOST_LOG = 700.0  # above it an exponential is no number
Who = tuple[int, int, bool]  # version, line of the champion, whether it is tried as recalibrated


@dataclass(slots=True)
class Course:
    """The looks of one trial, oldest first; ``closed`` once a verdict or an end was written."""

    who: Who
    looks: list[Step] = field(default_factory=list)
    closed: bool = False

    @property
    def last(self) -> dict[str, Any]:
        """The newest look."""
        return dict(self.looks[-1].record)

    @property
    def at(self) -> datetime:
        """When it was looked at last."""
        return self.looks[-1].at

    @property
    def until(self) -> datetime:
        """The end of the last window that was read."""
        return datetime.fromisoformat(self.last["until"])

    @property
    def spent(self) -> Earlier:
        """What it means for the levels of later trials: one that nobody ended did not win."""
        record = self.last
        log_e = min(float(record["e"]), MOST_LOG)
        return Earlier(float(record["level"]), record.get("closed") in WON, math.exp(log_e))


def courses(steps: Iterable[Step], state: State) -> list[Course]:
    """All trials whose looks are ``steps``, in the order of their first looks."""
    found: list[Course] = []
    under_way: dict[Who, Course] = {}
    for step in steps:
        who = _who(step, state)
        course = under_way.get(who)
        if course is None:
            course = under_way[who] = Course(who)
            found.append(course)
        course.looks.append(step)
        if step.record.get("closed"):
            course.closed = True
            del under_way[who]
    return found


def open_of(found: Sequence[Course], version: int) -> Course | None:
    """The trial of a version that has no verdict yet: the newest, whoever it was against."""
    mine = [course for course in found if course.who[0] == version]
    return mine[-1] if mine and not mine[-1].closed else None


def ended_until(found: Iterable[Course]) -> datetime | None:
    """Up to when windows were read for verdicts; None before the first."""
    return max((course.until for course in found if course.closed), default=None)


def _who(step: Step, state: State) -> Who:
    record = step.record
    line = int(record.get("line", state.root(int(record["champion"])).number))
    return int(record["version"]), line, str(record["root"]).endswith("recalibrated")
