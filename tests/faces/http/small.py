"""A small version with a column of every kind, packed in a moment, and its answers."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from everfit.data.table import Table
from everfit.faces.http.schema import ModelDescription, describe
from everfit.learners import make
from everfit.learners.contract import FitBudget, History
from everfit.records import Array
from everfit.serve import Scorer, open_plan
from tests.encoders.mixed import as_table, mixed_rows, target_of
from tests.serve.packed import pack

ROWS = mixed_rows(200)


def small_scorer(folder: Path, form: str = "probabilities") -> Scorer:
    """A linear model of the mixed table; labels ``no`` and ``yes``, or a number."""
    folder.mkdir(parents=True)
    fit_and_pack(folder, as_table(ROWS), target_of(ROWS), form)
    return open_plan(folder)


def fit_and_pack(folder: Path, table: Table, target: Array, form: str = "probabilities") -> None:
    """Fit one weight a feature and write the scoring plan."""
    k = 2 if form == "probabilities" else 1
    learner = make("linear", {}).fit(History(table, target, form, k), FitBudget(seconds=60.0))  # type: ignore[arg-type]
    (folder / "m0").mkdir()
    pack(folder, table, [learner.save(folder / "m0")], form=form, defaults={"plan": "pro"})


def described(scorer: Scorer) -> ModelDescription:
    """The model as its clients see it."""
    return describe("mixed", "v3", scorer, target="bought")


def answers(scorer: Scorer, rows: list[dict[str, Any]]) -> list[Any]:
    """Answers as the desk gives them."""
    made = []
    for i, row in enumerate(rows):
        found = scorer.row(row)
        shares = None
        if found.probabilities is not None:
            shares = dict(zip(scorer.labels, found.probabilities, strict=True))
        made.append(
            SimpleNamespace(
                id=f"p{i}", prediction=found.value, probabilities=shares, range=None,
                version="v3", arm="champion", warnings=found.warnings,
            )
        )  # fmt: skip
    return made
