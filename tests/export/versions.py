"""Versions of every engine, packed by hand over a table with a column of every kind."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from everfit.data.table import Table
from everfit.evidence.interval import Interval
from everfit.learners import make
from everfit.learners.contract import FitBudget, History
from everfit.records import Array, Problem, Version
from everfit.serve import Scorer, open_plan
from tests.encoders.mixed import as_table, mixed_rows, target_of
from tests.serve.packed import pack

Rows = list[dict[str, Any]]
Members = Sequence[tuple[str, Mapping[str, Any]]]
EVERY: Members = (
    ("prior", {}),
    ("boosted", {"lr": 0.1, "n_rounds": 25}),
    ("boosted", {"lr": 0.1, "n_rounds": 15, "view": "engineered"}),
    ("symmetric", {"n_rounds": 25, "lr": 0.1, "ctr": 3, "onehot": 2}),
    ("forest", {"trees": 8}),
    ("linear", {}),
    ("neural", {"layers": (12,)}),
)
CALIBRATION = {"temperature": 1.3, "bias_0": 0.2}
RANGES = {
    "edges": [0.4, 0.6, 0.8], "low": [-0.1, -0.2, -0.1, -0.05], "high": [0.1, 0.2, 0.1, 0.05],
    "least": 0.0, "most": None,
}  # fmt: skip


@dataclass(frozen=True)
class Made:
    """A packed version with rows that its fits have not seen."""

    folder: Path
    version: Version
    rows: Rows

    @property
    def scorer(self) -> Scorer:
        return open_plan(self.folder)


def made(
    folder: Path, members: Members, *, k: int = 2, text: bool = True, rows: Rows | None = None,
    **how: Any,
) -> Made:  # fmt: skip
    """A version of fitted members in ``folder``; ``k`` classes, or values when it is 1."""
    known = rows or without(mixed_rows(400), text)
    table = as_table(known)
    form = "values" if k == 1 else "probabilities"
    labels = [f"c{i}" for i in range(k)]
    parts = []
    for i, (name, settings) in enumerate(members):
        (folder / f"m{i}").mkdir(parents=True)
        parts.append(fitted(table, known, name, k, settings).save(folder / f"m{i}"))
    pack(folder, table, parts, form=form, labels=labels, **how)
    asks = without(mixed_rows(40, seed=5), text) if rows is None else rows[:40]
    version = version_of(folder, form, labels if k > 1 else ())
    return Made(folder, version, [dict(row) for row in asks])


def changed(folder: Path, **changes: Any) -> None:
    """Put other fields into ``plan.json``."""
    plan = json.loads((folder / "plan.json").read_text())
    (folder / "plan.json").write_text(json.dumps(plan | changes))


def without(rows: Rows, text: bool) -> Rows:
    """The rows, without their text column unless ``text``."""
    return rows if text else [{n: v for n, v in r.items() if n != "note"} for r in rows]


def fitted(table: Table, rows: Rows, name: str, k: int, settings: Mapping[str, Any]) -> Any:
    """A learner fitted on the table, for classes or for values that lie far apart."""
    rng = np.random.default_rng(0)
    size = np.array([row["size"] or 0.0 for row in rows])
    classes = target_of(rows)
    targets: dict[int, Array] = {
        1: np.exp(size) * 1_000.0 + 50.0 * rng.random(len(rows)),
        2: classes,
        3: classes + (rng.random(len(rows)) < 0.4),
    }
    form: Any = "values" if k == 1 else "probabilities"
    history = History(table, targets[k], form, k)
    return make(name, dict(settings)).fit(history, FitBudget(seconds=120.0))


def version_of(folder: Path, form: str, labels: Sequence[str], **problem: Any) -> Version:
    """A record of a version for a packed folder."""
    task = "regress" if form == "values" else "classify"
    posed = Problem(task, "bought", "log_loss", form, tuple(labels), **problem)  # type: ignore[arg-type]
    score = Interval(0.1, 0.2, 0.3, n=400)
    at = datetime(2026, 11, 1, tzinfo=UTC)
    return Version("mixed-model", 3, str(folder), "ab" * 32, posed, score, "r1", "blend", at)
