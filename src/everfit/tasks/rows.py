"""What the tasks over a table of rows share: asks, units and weighted means."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TypedDict

import numpy as np

from everfit.data.groups import groups
from everfit.data.table import Table
from everfit.errors import TooFewRows, UsageError
from everfit.records import Answers, Array, Cut, Problem, Role, SplitPolicy, Truth

MIN_ROWS = 30  # below this even a difference of 20 points between two answers is noise


class RowTask(ABC):
    """What tasks over a table of rows share: each row is a unit, and asked about by itself."""

    beside: Mapping[str, Role] = MappingProxyType({})
    floor_serves = False

    @abstractmethod
    def truth(self, data: Table, problem: Problem) -> Truth:
        """What is known to be true for the rows of ``data``; ids are row positions."""

    def aside(self, problem: Problem, beside: Mapping[str, Table]) -> Mapping[str, Table]:
        """Nothing stands beside the rows."""
        return {}

    def split(self, data: Table, problem: Problem) -> SplitPolicy | None:
        """None: how rows hang together is a matter of the data."""
        return None

    def asked(self, data: Table, problem: Problem, cut: Cut) -> Array:
        """Each row is its own ask."""
        return cut.asked

    def turned_out(self, data: Table, problem: Problem, cuts: Sequence[Cut]) -> Truth:
        """What is known of each row, whatever the cut."""
        return self.truth(data, problem)

    def segments(
        self, data: Table, problem: Problem, cuts: Sequence[Cut], ids: Array, *, least: int
    ) -> dict[str, Array]:
        """Levels of categories and thirds of numbers."""
        return groups(data.take(ids), least=least)

    def measures(
        self, answers: Answers, data: Table, problem: Problem, cuts: Sequence[Cut]
    ) -> Mapping[str, float]:
        """Nothing beside the metric."""
        return {}

    def aligned(self, values: Array, old: Problem, new: Problem) -> Array:
        """The values as they are: two problems are compared only when their labels are the same."""
        return values


def asks(data: Table, cut: Cut) -> Table:
    """The asked rows with their features only: no target, no weight, nothing that is ignored."""
    hidden = [column.name for column in data.columns if column.role != "feature"]
    return data.take(cut.asked).drop(hidden)


def weights(data: Table, problem: Problem) -> Array | None:
    """Row weights as float64 (n,), or None; missing and negative ones count as 0."""
    if problem.weight is None:
        return None
    values = data.frame[problem.weight].cast(float, strict=False).to_numpy()
    clean: Array = np.where(np.isfinite(values) & (values > 0), values, 0.0)
    return clean


def matched(answers: Answers, truth: Truth) -> tuple[Array, Array, Array, Array | None]:
    """Ids, answered values, true values and weights of the ids that both know, by id."""
    if np.array_equal(answers.ids, truth.ids):  # the usual case, asked thousands of times a blend
        return truth.ids, answers.values, truth.values, truth.weight
    ids, a, t = np.intersect1d(answers.ids, truth.ids, return_indices=True)
    weight = None if truth.weight is None else truth.weight[t]
    return ids, answers.values[a], truth.values[t], weight


def among(truth: Truth, chosen: Array) -> Truth:
    """What is true of the rows ``chosen`` (ascending), each named by its place among them.

    Examples
    --------
    >>> among(Truth(np.array([2, 5, 9]), np.array([0.2, 0.5, 0.9])), np.array([5, 7, 9])).ids
    array([0, 2])
    """
    _, at, ids = np.intersect1d(truth.ids, chosen, assume_unique=True, return_indices=True)
    weight = None if truth.weight is None else truth.weight[at]
    return Truth(ids, truth.values[at], weight)


class Roles(TypedDict):
    """Names of the columns with a role of their own, as a problem holds them."""

    time: str | None
    group: str | None
    weight: str | None


def roles(table: Table) -> Roles:
    """The columns that hold time, group and weight."""
    time, group, weight = table.role("time"), table.role("group"), table.role("weight")
    return Roles(
        time=time.name if time else None,
        group=group.name if group else None,
        weight=weight.name if weight else None,
    )


def mean(values: Array, weight: Array | None) -> float:
    """The weighted mean; NaN for no rows or no weight."""
    if len(values) == 0 or (weight is not None and weight.sum() <= 0):
        return float("nan")
    return float(np.average(values, weights=weight))


def blended(answers: list[Answers], shares: list[float]) -> Answers:
    """The weighted mean of several models' values for the same ids."""
    total = sum(shares)
    values = sum(
        (answer.values * (share / total) for answer, share in zip(answers, shares, strict=True)),
        start=np.zeros_like(answers[0].values),
    )
    return Answers(answers[0].ids, np.asarray(values))


def known_metric(metric: str | None, metrics: tuple[str, ...]) -> str:
    """``metric``, or the first of ``metrics`` when nobody said one.

    Raises
    ------
    UsageError : it is none of them
    """
    if metric is None:
        return metrics[0]
    if metric not in metrics:
        raise UsageError(
            f"there is no metric called {metric!r} for this task",
            got=repr(metric),
            expected=", ".join(metrics),
            do="give one of these, or leave it out",
        )
    return metric


def require_rows(n_rows: int, target: str) -> None:
    """Refuse a table that is too short to judge anything.

    Raises
    ------
    TooFewRows : fewer than 30 rows know the target
    """
    if n_rows < MIN_ROWS:
        raise TooFewRows(
            f"too few rows know the target {target!r}",
            got=f"{n_rows} rows",
            expected=f"at least {MIN_ROWS} rows; about 200 to see anything but large effects",
            do="add rows",
        )
