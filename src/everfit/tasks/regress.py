"""How much: answers are numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from everfit.data.table import Table
from everfit.errors import TargetUnusable
from everfit.evidence.affine import apply_affine, fit_affine
from everfit.records import Answers, Array, Cut, Form, Losses, Problem, Truth
from everfit.tasks import rows


class Regress(rows.RowTask):
    """Numbers as targets; the primary loss is the squared error, per row.

    Examples
    --------
    >>> Regress().better("rmse")
    'lower'
    """

    name = "regress"
    form: Form = "values"
    metrics: tuple[str, ...] = ("rmse", "mae", "r2")

    def fits(self, target: Table) -> tuple[bool, str]:
        """Numbers are quantities unless an earlier task took them for classes."""
        column = target.columns[0]
        if column.kind == "number":
            return True, f"{column.name!r} is a number"
        return False, f"{column.name!r} is of kind {column.kind}"

    def problem(
        self,
        table: Table,
        target: str,
        *,
        metric: str | None = None,
        beside: Mapping[str, Table] | None = None,
    ) -> Problem:
        """The problem of predicting a number."""
        values = table.frame[target]
        if not values.dtype.is_numeric():
            some = values.drop_nulls()[:1].to_list()
            raise TargetUnusable(
                f"the target {target!r} is no number",
                got=f"kind {table.column(target).kind}, such as {some}",
                expected="a column of numbers",
                do="leave --task out, or name another target",
            )
        numbers = values.cast(pl.Float64).drop_nulls()
        finite = numbers.filter(numbers.is_finite())
        if finite.len() == 0:
            raise TargetUnusable(
                f"the target {target!r} is missing in every row",
                got=f"{table.n_rows} rows, {numbers.len()} with a value, none of them finite",
                expected="a finite number in at least 30 rows",
                do="name another target",
            )
        rows.require_rows(finite.len(), target)
        if finite.n_unique() < 2:
            raise TargetUnusable(
                f"the target {target!r} has one value",
                got=f"{finite[0]} in all {finite.len()} rows",
                expected="at least two values",
                do="name another target",
            )
        return Problem(
            task=self.name,
            target=target,
            metric=rows.known_metric(metric, self.metrics),
            form=self.form,
            label_type="int" if values.dtype.is_integer() else "float",
            **rows.roles(table),
        )

    def asks(self, data: Table, cut: Cut) -> Table:
        """The asked rows without the target."""
        return rows.asks(data, cut)

    def truth(self, data: Table, problem: Problem) -> Truth:
        """The finite target values."""
        values = data.frame[problem.target].cast(pl.Float64, strict=False).to_numpy()
        ids = np.flatnonzero(np.isfinite(values))
        weight = rows.weights(data, problem)
        return Truth(ids, values[ids], None if weight is None else weight[ids])

    def losses(self, answers: Answers, truth: Truth, metric: str) -> Losses:
        """Squared error per row; absolute error for ``mae``."""
        ids, value, true, weight = rows.matched(answers, truth)
        gap = value[:, 0] - true
        return Losses(metric, ids, np.abs(gap) if metric == "mae" else gap**2, weight)

    def shown(self, metric: str, answers: Array, truth: Array, weight: Array | None) -> float:
        """Root of the mean squared error, mean absolute error, or share of variance explained."""
        gap = answers[:, 0] - truth
        if metric == "mae":
            return rows.mean(np.abs(gap), weight)
        squared = rows.mean(gap**2, weight)
        if metric == "rmse":
            return float(np.sqrt(squared))
        spread = rows.mean((truth - rows.mean(truth, weight)) ** 2, weight)
        return 1.0 - squared / spread if spread > 0 else float("nan")

    def better(self, metric: str) -> str:
        """Explained variance is better when higher, errors when lower."""
        return "higher" if metric == "r2" else "lower"

    def limits(self, metric: str) -> tuple[float, float]:
        """Errors are not below 0; the explained share is at most 1."""
        return (float("-inf"), 1.0) if metric == "r2" else (0.0, float("inf"))

    def blend(self, answers: Sequence[Answers], weights: Sequence[float]) -> Answers:
        """The weighted mean of values."""
        return rows.blended(list(answers), list(weights))

    def calibrate(self, answers: Answers, truth: Truth) -> Mapping[str, float]:
        """Nothing: least squares leaves the mean where it is."""
        return {}

    def recalibrate(self, answers: Answers, truth: Truth) -> Mapping[str, float]:
        """A scale and a shift, when they lower the squared error on rows not fitted to."""
        _, value, true, weight = rows.matched(answers, truth)
        return fit_affine(value[:, 0], true, weight=weight)

    def adjust(self, values: Array, calibration: Mapping[str, float]) -> Array:
        """``scale * values + shift``."""
        return apply_affine(values, calibration)

    def floors(self) -> tuple[str, ...]:
        """The mean of the target."""
        return ("prior",)
