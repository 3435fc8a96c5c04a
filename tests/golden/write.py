"""Writes the golden artefact of the present format: ``python -m tests.golden.write FOLDER``.

Run once for each format number and commit what it wrote; never rewrite an old one.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.datasets import load_wine

from everfit.assess import profile
from everfit.data.read import read
from everfit.learners import load, make
from everfit.learners.contract import FitBudget, History
from everfit.records import Answers, Hypothesis, Problem
from everfit.release.plan import Fitted, lay_plan, plan_columns, write_json
from everfit.tasks import TASKS

SETTINGS: dict[str, dict[str, Any]] = {
    "prior": {},
    "linear": {},
    "boosted": {"n_rounds": 5, "lr": 0.2, "leaves": 4},
    "symmetric": {"n_rounds": 5, "depth": 3},
    "forest": {"trees": 6},
    "neural": {"layers": (8,)},
}


def main(folder: Path) -> None:
    raw = pl.from_pandas(load_wine(as_frame=True).frame)
    frame = raw.select("alcohol", "hue", "proline", "target").with_columns(
        pl.when(pl.col("alcohol") > 13)
        .then(pl.lit("strong"))
        .otherwise(pl.lit("light"))
        .alias("kind"),
        pl.when(pl.int_range(pl.len()) % 9 == 0).then(None).otherwise(pl.col("hue")).alias("hue"),
    )
    table = read(frame, roles={"target": "target"})
    task = TASKS["classify"]
    problem: Problem = task.problem(table, "target")
    truth = task.truth(table, problem)
    features = table.drop(["target"])
    history = History(features, truth.values, problem.form, problem.n_outputs, seed=0)
    folder.mkdir(parents=True)
    fitted = []
    for name, settings in SETTINGS.items():
        place = folder / "fits" / name
        place.mkdir(parents=True)
        learner = make(name, settings).fit(history, FitBudget(30.0))
        part = learner.save(place)
        fitted.append(Fitted(1.0, place, part, Hypothesis(name, name, settings)))
    calibration = {"temperature": 1.25}
    columns = plan_columns(table.columns, profile(table), ())
    lay_plan(folder, problem=problem, columns=columns, members=fitted, calibration=calibration)
    asked = features.take(np.arange(0, 178, 13))
    ids = np.arange(asked.n_rows)
    answers = [Answers(ids, load(f.folder, f.part).answer(asked)) for f in fitted]
    values = task.adjust(task.blend(answers, [1.0] * len(fitted)).values, calibration)
    rows = [
        {"input": row, "expected": answer}
        for row, answer in zip(asked.frame.to_dicts(), values.tolist(), strict=True)
    ]
    write_json(folder / "golden.json", rows)
    for path in sorted((folder / "fits").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    (folder / "fits").rmdir()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
