"""What a turn works with; ``wire`` and the simulator choose them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from everfit.loop.fit.job import FitJob
from everfit.loop.gather import Record
from everfit.records import Because, Decision, Policy, Upkeep, Version
from everfit.store.contract import RunHandle, Store
from everfit.watch.asked import Lookup

GRACE_S = 60.0  # after the end of a window: what was asked in it must have reached the log


class Watched(Record, Protocol):
    """The record of what was asked and what turned out; the log, or a simulated one."""

    def span(self, model: str) -> tuple[datetime, datetime] | None:
        """Times of the first and the newest prediction; None when there is none."""
        ...


Fit = Callable[[FitJob, RunHandle], Decision]
Checks = Callable[[Version], Sequence[Because]]


def wall_clock() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Hands:
    """Everything that a turn may touch, given from outside.

    Parameters
    ----------
    store, record : where decisions are, and what was asked
    fit : makes a version under the hold and writes it with its decision; returns that decision
    checks : whether a packed version can serve: files, a load in a fresh process, golden rows
    holds : whether its files are those that were packed and proved
    upkeep_of, policy_of : the user's rules for a model
    pull : takes new rows from the feeds of a model; one line for each that brought something
    files_of : what feeds brought so far, as paths in the store
    lookup_of : what registered sources say of the requests of a version; None where there are none
    clock : the only clock that a turn reads
    grace_s : after the end of a window, until what was asked in it is in the record
    stopping : asked between steps; True ends the turn early
    """

    store: Store
    record: Watched
    fit: Fit
    checks: Checks
    holds: Callable[[Version], Because]
    upkeep_of: Callable[[str], Upkeep]
    policy_of: Callable[[str], Policy] = field(default=lambda model: Policy())
    pull: Callable[[str, RunHandle], Sequence[str]] = field(default=lambda model, hold: ())
    files_of: Callable[[str], tuple[str, ...]] = field(default=lambda model: ())
    lookup_of: Callable[[Version], Lookup | None] = field(default=lambda version: None)
    clock: Callable[[], datetime] = wall_clock
    grace_s: float = GRACE_S
    stopping: Callable[[], bool] = field(default=lambda: False)
    tell: Callable[[str], None] = field(default=lambda line: None)
