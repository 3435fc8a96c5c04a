"""What a simulation gave: its windows, its decisions, and what never refitting would have given."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from everfit.loop.run import RunResult
from everfit.records import Decision
from everfit.simulate.answering import Judged
from everfit.simulate.world import Lived, World

FITS = ("retrained", "searched", "recalibrated")  # kinds of decisions that made a version
MONTHS, QUARTERS = 31 * 86_400.0, 550 * 86_400.0  # of a simulation, up to which parts are these


@dataclass(frozen=True, slots=True)
class Simulated:
    """A simulation, whole or as far as it went.

    ``windows`` were lived in order; ``of`` says how many were wanted; ``store`` is where its ledger
    is kept, empty when it was thrown away.
    """

    first: RunResult
    windows: tuple[Lived, ...]
    of: int
    n_rows: int
    window_s: float
    label_delay_s: float
    drawn_again: bool
    seconds: float
    store: str = ""

    @property
    def model(self) -> str:
        """Name of the model."""
        return self.first.model

    @property
    def metric(self) -> str:
        """The metric that people read."""
        return self.first.study.problem.metric

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """All decisions of the turns, oldest first."""
        return tuple(row for lived in self.windows for row in lived.decisions)

    def kind(self, *kinds: str) -> tuple[Decision, ...]:
        """The decisions of some kinds, oldest first."""
        return tuple(row for row in self.decisions if row.kind in kinds)

    @property
    def stopped(self) -> bool:
        """Whether it ended before all windows were lived."""
        return len(self.windows) < self.of

    @property
    def got(self) -> Judged:
        """How good the answers were on all windows."""
        return overall(self.windows, lambda lived: lived.got)

    @property
    def never(self) -> Judged:
        """How good the first version would have been on all windows."""
        return overall(self.windows, lambda lived: lived.never)

    def rows(self) -> list[dict[str, Any]]:
        """One plain row for each window."""
        return [
            {
                "window": lived.index,
                "start": lived.start,
                "version": lived.version,
                "rows": lived.n,
                "score": lived.got.score,
                "loss": lived.got.loss,
                "never_refitted_score": lived.never.score,
                "never_refitted_loss": lived.never.loss,
                "fits": sum(row.kind in FITS for row in lived.decisions),
                "decisions": ", ".join(row.kind for row in lived.decisions),
                "seconds": lived.seconds,
            }
            for lived in self.windows
        ]


@dataclass(frozen=True, slots=True)
class Part:
    """A month, a quarter, or a stretch of windows of a simulation."""

    name: str
    windows: tuple[Lived, ...]


def simulated(
    world: World, first: RunResult, windows: Sequence[Lived], seconds: float, store: str = ""
) -> Simulated:
    """The result of a world that was lived through, as far as it went."""
    return Simulated(
        first=first,
        windows=tuple(windows),
        of=world.stream.n_windows,
        n_rows=world.stream.n_rows,
        window_s=world.upkeep.window_s,
        label_delay_s=world.upkeep.label_delay_s,
        drawn_again=world.stream.drawn_again,
        seconds=seconds,
        store=store,
    )


def overall(windows: Iterable[Lived], which: Callable[[Lived], Judged]) -> Judged:
    """The mean over windows, each counting as much as it has rows."""
    found = [(lived.n, which(lived)) for lived in windows]

    def mean(values: Sequence[tuple[int, float | None]]) -> float:
        known = [(n, v) for n, v in values if v is not None and math.isfinite(v)]
        rows = sum(n for n, _ in known)
        return sum(n * v for n, v in known) / rows if rows else math.nan

    right = mean([(n, one.right) for n, one in found])
    return Judged(
        loss=mean([(n, one.loss) for n, one in found]),
        score=mean([(n, one.score) for n, one in found]),
        right=right if math.isfinite(right) else None,
    )


def parts_of(windows: Sequence[Lived]) -> list[Part]:
    """Months of up to one and a half years, else quarters; single windows of less than two months.

    Examples
    --------
    >>> parts_of([])
    []
    """
    if not windows:
        return []
    lasted = windows[-1].start - windows[0].start
    name = _window
    if lasted > timedelta(seconds=QUARTERS):
        name = _quarter
    elif lasted > timedelta(seconds=2 * MONTHS):
        name = _month
    found: dict[str, list[Lived]] = {}
    for lived in windows:
        found.setdefault(name(lived.start), []).append(lived)
    return [Part(key, tuple(lived)) for key, lived in found.items()]


def _month(at: datetime) -> str:
    return f"{at:%b %Y}"


def _quarter(at: datetime) -> str:
    return f"Q{(at.month + 2) // 3} {at:%Y}"


def _window(at: datetime) -> str:
    return f"week of {at - timedelta(days=at.weekday()):%d %b}"
