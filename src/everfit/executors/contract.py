"""Where trials run: five verbs, tasks by dotted name, data by reference, failures as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work: ``function`` is a dotted name, ``arguments`` are JSON-ready."""

    key: str
    function: str  # "everfit.study.fold:fit_fold"
    arguments: Mapping[str, Any]
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended. Failures are values, never exceptions."""

    key: str
    status: Literal["ok", "error", "timeout", "lost", "cancelled"]
    value: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""  # what happened, in words, with the last lines of the trace
    seconds: float = 0.0


class Executor(Protocol):
    """Runs jobs; knows nothing of models."""

    slots: int

    def submit(self, job: Job) -> None:
        """Queue a job; a key that is queued or running is not run twice."""
        ...

    def wait(self, timeout_s: float) -> list[Outcome]:
        """Outcomes that arrived, at least one unless ``timeout_s`` passed."""
        ...

    def cancel(self, key: str) -> None:
        """Stop a job; its outcome is ``cancelled``."""
        ...

    def map_partitions(
        self, function: str, partitions: Sequence[Mapping[str, Any]], timeout_s: float
    ) -> list[Outcome]:
        """Run one function over many argument sets; outcomes in the order given."""
        ...

    def close(self) -> None:
        """Stop all work and leave no process behind."""
        ...
