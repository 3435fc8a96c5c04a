"""Which of a few classes: answers are probabilities, one a class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import polars as pl

from everfit.data.table import Table
from everfit.errors import TargetUnusable
from everfit.evidence.auc import auc
from everfit.evidence.calibration import apply_calibration, fit_calibration
from everfit.records import Answers, Array, Cut, Form, Losses, Problem, Truth
from everfit.tasks import rows

MAX_INTEGER_CLASSES = 10  # integers with more distinct values are taken for a quantity
MAX_CLASSES = 1_000
EPSILON = 1e-15  # probabilities are clipped here before a logarithm


class Classify(rows.RowTask):
    """Classes as targets; the primary loss is the log loss of the true class, per row.

    Examples
    --------
    >>> Classify().better("auc")
    'higher'
    """

    name = "classify"
    form: Form = "probabilities"
    metrics: tuple[str, ...] = ("log_loss", "auc", "accuracy", "brier")

    def fits(self, target: Table) -> tuple[bool, str]:
        """Words, booleans, and numbers with few distinct whole values are classes."""
        column = target.columns[0]
        values = target.frame[column.name].drop_nulls()
        distinct = values.n_unique()
        if column.kind not in ("number", "constant"):
            return True, f"{column.name!r} has {distinct} classes"
        if distinct <= 2:
            return True, f"{column.name!r} has {distinct} distinct values"
        whole = values.dtype.is_integer() or bool((values == values.floor()).all())
        if whole and distinct <= MAX_INTEGER_CLASSES:
            return True, f"{column.name!r} has {distinct} distinct whole numbers"
        return False, f"{column.name!r} is a number with {distinct} distinct values"

    def problem(
        self,
        table: Table,
        target: str,
        *,
        metric: str | None = None,
        beside: Mapping[str, Table] | None = None,
    ) -> Problem:
        """Classes in a fixed order: numbers by size, words by letters."""
        column = table.column(target)
        known = table.frame[target].drop_nulls()
        if known.dtype.is_float():
            known = known.filter(known.is_finite())
        rows_known = known.len()
        if rows_known == 0:
            raise TargetUnusable(
                f"the target {target!r} is missing in every row",
                got=f"{table.n_rows} rows, none with a value",
                expected="a class in at least 30 rows",
                do="name another target",
            )
        rows.require_rows(rows_known, target)
        counts = known.value_counts(sort=True)
        labels, label_type = labels_of(known, column.levels)
        _require_classes(target, labels, counts)
        return Problem(
            task=self.name,
            target=target,
            metric=rows.known_metric(metric, self.metrics),
            form=self.form,
            labels=labels,
            label_type=label_type,
            **rows.roles(table),
        )

    def asks(self, data: Table, cut: Cut) -> Table:
        """The asked rows without the target."""
        return rows.asks(data, cut)

    def truth(self, data: Table, problem: Problem) -> Truth:
        """Class codes of the rows whose class is one of the problem's."""
        words = label_words(data.frame[problem.target], problem.label_type)
        order = pl.DataFrame({"word": problem.labels, "code": np.arange(len(problem.labels))})
        codes = (
            pl.DataFrame({"word": words})
            .join(order, on="word", how="left", maintain_order="left")["code"]
            .cast(pl.Float64)
            .to_numpy()
        )
        ids = np.flatnonzero(~np.isnan(codes))
        weight = rows.weights(data, problem)
        return Truth(ids, codes[ids], None if weight is None else weight[ids])

    def losses(self, answers: Answers, truth: Truth, metric: str) -> Losses:
        """Log loss, or 0-1 loss for accuracy, or squared error for brier, per row.

        An area under a curve has no loss per row: there the log loss stands for it.
        """
        ids, p, code, weight = rows.matched(answers, truth)
        picked = np.arange(len(ids)), code.astype(np.int64)
        if metric == "accuracy":
            values = (p.argmax(axis=1) != code).astype(np.float64)
        elif metric == "brier":
            hot = np.zeros_like(p)
            hot[picked] = 1.0
            values = ((p - hot) ** 2).sum(axis=1)
        else:
            values = -np.log(np.clip(p[picked], EPSILON, 1.0))
        return Losses(metric, ids, values, weight)

    def shown(self, metric: str, answers: Array, truth: Array, weight: Array | None) -> float:
        """The metric over all rows; the area is averaged over classes, one against the rest."""
        ids = np.arange(len(truth))
        if metric == "auc":
            return _area(answers, truth, weight)
        losses = self.losses(Answers(ids, answers), Truth(ids, truth, weight), metric)
        value = rows.mean(losses.values, losses.weight)
        return 1.0 - value if metric == "accuracy" else value

    def better(self, metric: str) -> str:
        """Areas and shares are better when higher, losses when lower."""
        return "higher" if metric in ("auc", "accuracy") else "lower"

    def limits(self, metric: str) -> tuple[float, float]:
        """Shares and areas lie in 0 to 1, the Brier score in 0 to 2."""
        top = {"auc": 1.0, "accuracy": 1.0, "brier": 2.0}
        return 0.0, top.get(metric, float("inf"))

    def blend(self, answers: Sequence[Answers], weights: Sequence[float]) -> Answers:
        """The weighted mean of probabilities."""
        return rows.blended(list(answers), list(weights))

    def calibrate(self, answers: Answers, truth: Truth) -> Mapping[str, float]:
        """A temperature, when it lowers the log loss on rows that it was not fitted to."""
        _, p, code, weight = rows.matched(answers, truth)
        return fit_calibration(p, code.astype(np.int64), weight=weight)

    def recalibrate(self, answers: Answers, truth: Truth) -> Mapping[str, float]:
        """As :meth:`calibrate`: a temperature and, of two classes, a bias."""
        return self.calibrate(answers, truth)

    def adjust(self, values: Array, calibration: Mapping[str, float]) -> Array:
        """Probabilities with the temperature applied."""
        return apply_calibration(values, calibration) if calibration else values

    def floors(self) -> tuple[str, ...]:
        """The share of each class."""
        return ("prior",)


def label_words(values: pl.Series, label_type: str) -> pl.Series:
    """Labels as the words that a problem lists them by; missing stays missing."""
    if label_type == "bool" and values.dtype == pl.Boolean:
        return values.replace_strict({True: "true", False: "false"}, return_dtype=pl.String)
    if label_type == "int" and values.dtype.is_numeric():
        return values.cast(pl.Int64, strict=False).cast(pl.String)
    return values.cast(pl.String)


def labels_of(
    known: pl.Series, levels: tuple[str, ...]
) -> tuple[tuple[str, ...], Literal["str", "int", "float", "bool"]]:
    """Distinct known values as words in a fixed order, and the type they are given back in."""
    distinct = known.unique().sort()
    if known.dtype == pl.Boolean:
        return ("false", "true"), "bool"
    if known.dtype.is_integer():
        return tuple(str(v) for v in distinct), "int"
    if known.dtype.is_float():
        if bool((distinct == distinct.floor()).all()):
            return tuple(str(int(v)) for v in distinct), "int"
        return tuple(str(v) for v in distinct.cast(pl.String)), "float"
    words = [str(v) for v in distinct]
    return tuple(sorted(words, key=lambda w: levels.index(w) if w in levels else -1)), "str"


def _require_classes(target: str, labels: tuple[str, ...], counts: pl.DataFrame) -> None:
    if len(labels) < 2 or counts.height < 2:
        raise TargetUnusable(
            f"the target {target!r} has one class",
            got=f"{counts.row(0)[0]!r} in all {counts['count'].sum()} rows",
            expected="at least two classes",
            do="name another target, or add rows of another class",
        )
    if len(labels) > MAX_CLASSES:
        raise TargetUnusable(
            f"the target {target!r} has too many classes",
            got=f"{len(labels)} distinct values in {counts['count'].sum()} rows",
            expected=f"at most {MAX_CLASSES} classes",
            do="name a target with fewer values, or --task regress when it is a quantity",
        )
    single = counts.filter(pl.col("count") < 2)
    if counts.height - single.height < 2:
        raise TargetUnusable(
            f"the target {target!r} has a class with one row",
            got=", ".join(f"{row[0]!r}: {row[1]} row" for row in single.rows()[:5]),
            expected="at least two rows in at least two classes",
            do="add rows of that class, or leave its rows out",
        )


def _area(p: Array, code: Array, weight: Array | None) -> float:
    if p.shape[1] == 2:
        return float(auc(p[:, 1], code == 1, weight=weight))
    areas = [
        auc(p[:, k], code == k, weight=weight)
        for k in range(p.shape[1])
        if 0 < (code == k).sum() < len(code)
    ]
    return float(np.mean(areas)) if areas else float("nan")
