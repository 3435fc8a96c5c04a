"""Records that a store takes and gives back, besides those of the loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from everfit.records import Decision, Step, Version

RunState = Literal["running", "done", "failed", "interrupted"]


@dataclass(frozen=True, slots=True)
class RunHandle:
    """The right to write for one model: valid until the run ends or another takes over.

    ``epoch`` grows with every holder of the model, so that a holder that was thought dead and
    wakes up again is refused. ``seen`` holds the revision of each alias when the run began.

    A handle of :meth:`Store.hold` has no run: its ``id`` is empty, and it is lost to who does not
    say within ``ttl_s`` seconds that it lives. ``under_hold``: the run's end does not let go.
    """

    id: str
    model: str
    epoch: int
    seen: Mapping[str, int] = field(default_factory=dict)
    ttl_s: float = 0.0
    under_hold: bool = False


@dataclass(frozen=True, slots=True)
class RunnerHandle:
    """The right to run the loop of a store, under a name; ``epoch`` grows with every holder."""

    name: str
    epoch: int
    ttl_s: float


@dataclass(frozen=True, slots=True)
class RunRow:
    """One pass of the loop as the store knows it; times in UTC, ``budget_s`` in seconds."""

    id: str
    model: str
    state: RunState
    spec: Mapping[str, Any]
    started_at: datetime
    ended_at: datetime | None = None
    budget_s: float | None = None
    seed: int | None = None
    data_sha256: str = ""
    n_trials: int = 0


@dataclass(frozen=True, slots=True)
class Alias:
    """A movable name of a version; ``rev`` counts its moves, ``decision`` is the last one's id."""

    model: str
    name: str
    number: int | None
    rev: int
    decision: int


@dataclass(frozen=True, slots=True)
class Traffic:
    """How requests are shared out, by key: shares from 0 to 1, all zero when nobody has said.

    ``share`` goes to the version that the alias ``canary`` names; ``holdout`` stays with the
    champion, whatever else is tried. ``rev`` counts the changes.
    """

    share: float = 0.0
    holdout: float = 0.0
    rev: int = 0


@dataclass(frozen=True, slots=True)
class Mirrored:
    """What another registry knows of one thing of ours: ``remote`` is its name over there.

    ``tries`` counts attempts, ``error`` is what the last one met, ``next_try_at`` when to try
    again and ``done_at`` when it was all told; times in UTC.
    """

    remote: str = ""
    tries: int = 0
    error: str = ""
    next_try_at: datetime | None = None
    done_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """One state of a model, read in one transaction.

    ``versions`` newest first; ``newest`` is the last decision of the kinds that were asked for;
    ``steps`` are those written since a mark, oldest first, and ``mark`` is that of the last of all.
    """

    versions: tuple[Version, ...]
    aliases: Mapping[str, Alias]
    newest: Decision | None
    steps: tuple[Step, ...]
    mark: int
