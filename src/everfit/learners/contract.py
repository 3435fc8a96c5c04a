"""What a learner does: fit a history, answer questions, write itself down as plain files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from everfit.data.table import Table
from everfit.events import Past, Reads
from everfit.records import Array, Form


@dataclass(frozen=True, slots=True)
class History:
    """What a learner may see: rows that are already cut, with what turned out true.

    ``table`` holds features only; ``target`` is (n,) float64, class codes 0..n_outputs-1 for
    probabilities; ``weight`` is (n,) or None. ``past`` has for each row what happened to its key
    before it, for a learner that reads that; a row is never part of its own past.

    Of lists ``table`` has the columns of the users and of the time with their roles, ``target`` the
    codes of the items that were met, below ``n_items``; row i of ``items`` tells of item i, and is
    empty where nothing is known of it; None where nothing is known of any.
    """

    table: Table
    target: Array
    form: Form
    n_outputs: int
    seed: int = 0
    weight: Array | None = None
    past: Past | None = None
    items: Table | None = None
    n_items: int = 0


@dataclass(frozen=True, slots=True)
class FitBudget:
    """What one fit may use: ``seconds`` of wall time, ``threads``, and a clock to ask.

    A learner that can stop early checks ``left()`` while it works and keeps what it has.
    ``rounds`` fixes the number of boosting rounds or epochs that an earlier fold found, so that no
    rows are held back to find it again; None asks the learner to find it.
    """

    seconds: float
    threads: int = 1
    rounds: int | None = None
    left: Callable[[], float] = field(default=lambda: float("inf"))


class Learner(Protocol):
    """A way to learn. One file in this folder and one line in its list.

    ``__init__`` takes settings by keyword and only stores them; ``fit`` returns self and learns
    into names that end in ``_``; after ``fit``, ``facts_`` holds what the study should know
    (``rounds``, ``stopped``: "early" | "time" | "end"). ``save`` writes native files and
    returns the part of the scoring plan that describes them; ``load`` is its inverse.
    """

    name: str
    forms: tuple[Form, ...]
    facts_: Mapping[str, Any]

    def fit(self, history: History, budget: FitBudget) -> Learner:
        """Learn from ``history`` within ``budget``.

        Raises
        ------
        LearnerFailed : nothing could be learnt
        """
        ...

    def answer(self, asks: Table) -> Array:
        """Answers for each row: float64 (n, n_outputs); probabilities sum to 1."""
        ...

    def save(self, folder: Path) -> Mapping[str, Any]:
        """Write native files into ``folder``; return the plan part as JSON-ready data."""
        ...


class Reader(Learner, Protocol):
    """A learner whose answers depend on what happened before: ``reads`` says of which key.

    New events count at once, without a refit. ``fit`` finds them in ``History.past``; the part that
    ``save`` gives holds ``"history"``, which is ``reads`` as plain data.
    """

    reads: Reads

    def answer(self, asks: Table, past: Past | None = None) -> Array:
        """Answers for each row from its features and its ``past``; without one from none."""
        ...


def reads_of(learner: Any) -> Reads | None:
    """Which history a learner reads; None for one that reads none."""
    found = getattr(learner, "reads", None)
    return found if isinstance(found, Reads) else None


def answered(learner: Any, asks: Table, past: Past | None) -> Array:
    """The answers of any learner; only one that reads history is given the past."""
    found: Array = learner.answer(asks) if reads_of(learner) is None else learner.answer(asks, past)
    return found
