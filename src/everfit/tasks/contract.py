"""What a task says: what was asked, what turned out true, how wrong an answer was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from everfit.data.table import Table
from everfit.records import Answers, Array, Cut, Form, Losses, Problem, Truth


class Task(Protocol):
    """A kind of question. One file in this folder and one line in its list.

    ``form`` is the shape of an answer: a row of probabilities over ``problem.labels`` or one value.
    Losses are per unit and lower is better; ``shown`` turns a mean loss into the metric that
    people read (for a root, an area), so that intervals can be given in that unit.
    """

    name: str
    form: Form
    metrics: tuple[str, ...]  # first is the default

    def fits(self, target: Table) -> tuple[bool, str]:
        """Whether a one-column table of the target is of this kind, and why, in words."""
        ...

    def problem(self, table: Table, target: str, *, metric: str | None = None) -> Problem:
        """The problem that this target poses.

        Raises
        ------
        TargetUnusable, TooFewRows : nothing can be learnt or judged
        """
        ...

    def asks(self, data: Table, cut: Cut) -> Table:
        """The questions posed just after ``cut``: rows without the target."""
        ...

    def truth(self, data: Table, problem: Problem) -> Truth:
        """What is known to be true for the rows of ``data``; ids are row positions."""
        ...

    def losses(self, answers: Answers, truth: Truth, metric: str) -> Losses:
        """One loss per unit for the ids that both know; ``metric`` picks the loss."""
        ...

    def shown(self, metric: str, answers: Array, truth: Array, weight: Array | None) -> float:
        """The metric over all rows in the unit that people read."""
        ...

    def better(self, metric: str) -> str:
        """``"higher"`` or ``"lower"``."""
        ...

    def limits(self, metric: str) -> tuple[float, float]:
        """The least and the greatest value that the shown metric can take."""
        ...

    def blend(self, answers: Sequence[Answers], weights: Sequence[float]) -> Answers:
        """The weighted average of several models' answers to the same asks."""
        ...

    def calibrate(self, answers: Answers, truth: Truth) -> Mapping[str, float]:
        """Settings that make ``answers`` match how often they are right; empty when none help."""
        ...

    def adjust(self, values: Array, calibration: Mapping[str, float]) -> Array:
        """``values`` (n, n_outputs) with a calibration applied."""
        ...

    def floors(self) -> tuple[str, ...]:
        """Learner names that must be beaten."""
        ...
