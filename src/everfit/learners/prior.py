"""The floor: each row gets the same answer, what was seen on average."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from everfit.data.table import Table
from everfit.errors import LearnerFailed
from everfit.learners.contract import FitBudget, History
from everfit.records import Array, Form


class Prior:
    """Class shares, or the mean: the best answer that ignores all features.

    A share is (count + 1/k) / (n + 1), so that a class which these rows lack keeps a small
    probability; the mean is the constant with the smallest squared error.
    """

    name: str = "prior"
    engine: ClassVar[str] = "constant"
    forms: tuple[Form, ...] = ("probabilities", "values")

    def fit(self, history: History, budget: FitBudget) -> Prior:
        """Average the target, by weight where there is one.

        Raises
        ------
        LearnerFailed : there are no rows
        """
        if history.target.size == 0:
            raise LearnerFailed(
                "there are no rows to average",
                got="0 rows",
                expected="1 or more",
                do="give a table with rows",
            )
        weight = np.ones_like(history.target) if history.weight is None else history.weight
        if history.form == "values":
            self.values_ = [float(np.average(history.target, weights=weight))]
        else:
            k = history.n_outputs
            # weights count as shares of n, so that their unit does not move the small probability
            counts = np.bincount(
                history.target.astype(np.int64),
                weights=weight * weight.size / weight.sum(),
                minlength=k,
            )
            self.values_ = [float(v) for v in (counts + 1.0 / k) / (history.target.size + 1.0)]
        self.facts_: Mapping[str, Any] = {"stopped": "end"}
        return self

    def answer(self, asks: Table) -> Array:
        """The same answer for each row: float64 (n, n_outputs)."""
        return np.tile(np.asarray(self.values_), (asks.n_rows, 1))

    def save(self, folder: Path) -> Mapping[str, Any]:
        """The values themselves; no file is needed."""
        folder.mkdir(parents=True, exist_ok=True)
        return {"engine": self.engine, "values": self.values_}

    @classmethod
    def load(cls, folder: Path, part: Mapping[str, Any]) -> Prior:
        """The inverse of :meth:`save`."""
        learner = cls()
        learner.values_ = [float(value) for value in part["values"]]
        learner.facts_ = {}
        return learner
