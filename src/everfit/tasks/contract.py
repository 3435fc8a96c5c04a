"""What a task says: what was asked, what turned out true, how wrong an answer was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from everfit.data.table import Table
from everfit.records import Answers, Array, Cut, Form, Losses, Problem, Role, SplitPolicy, Truth


class Task(Protocol):
    """A kind of question. One file in this folder and one line in its list.

    ``form`` is the shape of an answer: a row of probabilities over ``problem.labels``, one value,
    or a ranked list of items. Losses are per unit and lower is better; ``shown`` turns a mean loss
    into the metric that people read (for a root, an area), so that intervals can be given in that
    unit. A unit is named by a row of the data: itself, or the one that stands for its ask.

    ``beside`` names the tables that may come beside the data, each with the role of the column that
    both share. With ``floor_serves`` a floor is released when nothing clearly beats it: then it is
    the best answer there is, and not the absence of one.
    """

    name: str
    form: Form
    metrics: tuple[str, ...]  # first is the default
    beside: Mapping[str, Role]
    floor_serves: bool

    def fits(self, target: Table) -> tuple[bool, str]:
        """Whether a one-column table of the target is of this kind, and why, in words."""
        ...

    def problem(
        self,
        table: Table,
        target: str,
        *,
        metric: str | None = None,
        beside: Mapping[str, Table] | None = None,
    ) -> Problem:
        """The problem that this target poses, with the tables that stand ``beside``.

        Raises
        ------
        TargetUnusable, TooFewRows : nothing can be learnt or judged
        UsageError : a role that it needs is given to no column
        """
        ...

    def aside(self, problem: Problem, beside: Mapping[str, Table]) -> Mapping[str, Table]:
        """The tables beside the data as learners get them: row i tells of label i."""
        ...

    def split(self, data: Table, problem: Problem) -> SplitPolicy | None:
        """The split that this kind of question demands; None: the data decide."""
        ...

    def asked(self, data: Table, problem: Problem, cut: Cut) -> Array:
        """Rows, int64 ascending, that stand for the asks of a cut: one a unit."""
        ...

    def turned_out(self, data: Table, problem: Problem, cuts: Sequence[Cut]) -> Truth:
        """What came about after the asks of whole ``cuts``: what their answers are judged by."""
        ...

    def asks(self, data: Table, cut: Cut) -> Table:
        """The questions posed just after ``cut``: rows without the target."""
        ...

    def truth(self, data: Table, problem: Problem) -> Truth:
        """What is known of the rows of ``data``, to learn from; ids are row positions."""
        ...

    def segments(
        self, data: Table, problem: Problem, cuts: Sequence[Cut], ids: Array, *, least: int
    ) -> dict[str, Array]:
        """Groups of asks that a person can name, of ``least`` or more: bool masks over ``ids``."""
        ...

    def measures(
        self, answers: Answers, data: Table, problem: Problem, cuts: Sequence[Cut]
    ) -> Mapping[str, float]:
        """Further measures of the answers to the asks of whole ``cuts``, by name."""
        ...

    def aligned(self, values: Array, old: Problem, new: Problem) -> Array:
        """Answers (n, n_outputs) to the ``old`` problem as answers to the ``new`` one."""
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

    def recalibrate(self, answers: Answers, truth: Truth) -> Mapping[str, float]:
        """The same from recent outcomes, of a model whose world has moved since it learnt."""
        ...

    def adjust(self, values: Array, calibration: Mapping[str, float]) -> Array:
        """``values`` (n, n_outputs) with a calibration applied."""
        ...

    def floors(self) -> tuple[str, ...]:
        """Learner names that must be beaten."""
        ...
