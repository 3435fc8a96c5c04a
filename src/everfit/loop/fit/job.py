"""What a fit is asked for, what it works with, and what it gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from everfit.executors import Executor
from everfit.loop.backtest import Aged
from everfit.loop.gather import Record
from everfit.plain import as_plain
from everfit.records import Decision, Policy, Step, Upkeep, Version
from everfit.release.challenge import Made
from everfit.store.contract import RunHandle, Store

FitAct = Literal["recalibrate", "retrain", "search"]
MADE: dict[FitAct, Made] = {
    "recalibrate": "recalibrated",
    "retrain": "retrained",
    "search": "searched",
}


@dataclass(frozen=True, slots=True)
class FitJob:
    """A new version to be made: JSON-ready by :func:`everfit.plain.as_plain`.

    ``until`` is the data cut: nothing that was asked later is learnt from; ``champion`` the number
    of the version that it starts from; ``now`` the time of its records, on the loop's clock;
    ``files`` what feeds brought, as paths in the store. ``since`` leaves older rows out whose time
    is known. ``spec`` adds to what the champion's run was asked, or corrects it. ``about`` is the
    key of the action that asked for it: the step ``fit`` of that key is written with the decision,
    so that it is made once. ``shadow`` is False for a version of the champion's own line, which
    takes the challenger's place in the shadow from nobody; ``again`` one for the next calibration
    of a line, which is made whether or not it is clearly better than the one before. ``aside`` are
    the starts of windows whose rows are not to be learnt from.
    """

    model: str
    act: FitAct
    until: datetime
    now: datetime
    champion: int
    budget_s: float = 60.0
    seed: int = 0
    files: tuple[str, ...] = ()
    since: datetime | None = None
    spec: dict[str, object] = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)
    upkeep: Upkeep = field(default_factory=Upkeep)
    about: str = ""
    shadow: bool = True
    again: bool = False
    aside: tuple[str, ...] = ()

    def step(
        self,
        version: int | None,
        content: str,
        aged: Sequence[Aged] = (),
        *,
        paused: bool = False,
    ) -> tuple[Step, ...]:
        """The step that is written with the decision about this fit on rows of a ``content``.

        ``aged`` says how the loss of such a fit grows with its age, from a back-test; ``paused``
        that it was refused for nothing but a pause, and was no try.
        """
        key = self.about or content
        if not key:
            return ()
        record = {
            "act": self.act,
            "champion": self.champion,
            "version": version,
            "until": self.until.isoformat(),
            "content": content,
            "aged": [as_plain(one) for one in aged],
        }
        if paused:
            record["paused"] = True
        return (Step(self.model, "fit", key, record, self.now),)


@dataclass(frozen=True, slots=True)
class Hands:
    """What a fit works with: the store, the record of what was asked, and where trials run."""

    store: Store
    record: Record | None
    make_executor: Callable[[], Executor]
    threads: int = 1
    tell: Callable[[str], None] = lambda line: None


@dataclass(frozen=True, slots=True)
class Fitted:
    """The decision about a fit, and the version that it made, if any.

    ``again`` says that the same was done before, so that nothing was written.
    """

    decision: Decision
    version: Version | None
    key: str = ""
    again: bool = False


@dataclass(frozen=True, slots=True)
class Begun:
    """A run under way: its handle, a folder for what it makes meanwhile, and its back-test."""

    handle: RunHandle
    scratch: Path
    aged: tuple[Aged, ...] = ()
