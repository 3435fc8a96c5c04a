"""A hypothesis on its way through the race: which folds it has run, and how it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from everfit.evidence.interval import mean_of
from everfit.records import Answers, Array, Hypothesis

Status = Literal["running", "done", "dropped", "failed", "timed_out", "skipped"]


@dataclass(frozen=True, slots=True)
class FoldResult:
    """What one fit on one fold gave."""

    answers: Answers
    losses: Array  # per asked unit with known truth
    fit_s: float
    predict_us: float
    folder: Path
    reused: bool
    ids: Array | None = None  # the units of ``losses``
    weight: Array | None = None
    job_s: float = 0.0  # the whole job: features, fit, answers, files


@dataclass(slots=True)
class Entry:
    """One hypothesis in the race; the race is the only one that changes it."""

    number: int
    hypothesis: Hypothesis
    status: Status = "running"
    reason: str = ""
    folds: dict[int, FoldResult] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)  # what the first fold settled on
    rounds: list[int] = field(default_factory=list)
    facts: Mapping[str, Any] = field(default_factory=dict)
    waiting: bool = False  # a fit of it is under way

    @property
    def n_folds(self) -> int:
        """Folds finished without a gap, counted from the first."""
        n = 0
        while n in self.folds:
            n += 1
        return n

    @property
    def settled_rounds(self) -> int | None:
        """Rounds that the first fold found; None before, or when the learner has no rounds."""
        return self.rounds[0] if self.rounds else None

    @property
    def fit_s(self) -> float:
        """Seconds of the slowest fit after the first, which alone searches for its rounds."""
        later = [self.folds[f].fit_s for f in self.folds if f > 0]
        return max(later) if later else self.folds[0].fit_s if 0 in self.folds else 0.0

    def losses(self, n_folds: int) -> Array:
        """Losses of all units of the first ``n_folds`` folds, in the order of the folds."""
        return np.concatenate([self.folds[f].losses for f in range(n_folds)])

    def loss(self, n_folds: int) -> float:
        """The (weighted) mean loss over the first ``n_folds`` folds."""
        return mean_of(self.losses(n_folds), self.weight(n_folds))

    def weight(self, n_folds: int) -> Array | None:
        """Weights of all units of the first ``n_folds`` folds, or None when all count the same."""
        found = [self.folds[f].weight for f in range(n_folds)]
        parts = [weight for weight in found if weight is not None]
        return np.concatenate(parts) if len(parts) == n_folds and parts else None

    def units(self, n_folds: int) -> Array:
        """Ids of all units of the first ``n_folds`` folds, in the order of ``losses``."""
        found = [self.folds[f].ids for f in range(n_folds)]
        return np.concatenate([ids for ids in found if ids is not None])

    def answers(self, n_folds: int) -> Answers:
        """Answers to all asks of the first ``n_folds`` folds, ordered by id."""
        ids = np.concatenate([self.folds[f].answers.ids for f in range(n_folds)])
        values = np.concatenate([self.folds[f].answers.values for f in range(n_folds)])
        order = np.argsort(ids, kind="stable")
        return Answers(ids[order], values[order])


def common_folds(entries: Sequence[Entry]) -> int:
    """The number of folds on which the race can be judged fairly.

    The one that gives the most fits to compare: one slow entry must not throw away the folds of all
    others, nor the last fold of the fastest decide without the others. More folds win a tie.
    """
    # what failed on a later fold did run the earlier ones
    judged = [e for e in entries if e.n_folds > 0 and e.status != "dropped"]
    counts = [e.n_folds for e in judged]
    # floors and simple models are cheap, so always ahead
    hard = [e.n_folds for e in judged if e.hypothesis.stage not in ("floor", "simple")]
    if not hard:
        return min(counts, default=0)
    counts = hard
    return max(
        range(1, max(counts, default=0) + 1),
        key=lambda n: (n * sum(count >= n for count in counts), n),
        default=0,
    )
