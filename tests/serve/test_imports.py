"""A process that only answers rows starts without the libraries that learn."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from everfit.learners import make
from everfit.learners.contract import FitBudget, History
from tests.encoders.mixed import as_table, mixed_rows, target_of
from tests.serve.packed import pack

HEAVY = {"polars", "pandas", "scipy", "sklearn", "sqlalchemy", "lightgbm", "catboost", "pyarrow"}
CODE = """
import json, sys
from pathlib import Path
from everfit.release.manifest import verify
from everfit.serve.explain import contributions
from everfit.serve.load import open_plan
from everfit.serve.verify import golden, golden_rows

scorer = open_plan(Path(sys.argv[1]))
rows = json.loads(sys.argv[2])
answers = [scorer.row(rows[0]).value, *(answer.value for answer in scorer.rows(rows))]
told = contributions(scorer, rows, rows[0]).of
print(json.dumps([answers, told, sorted(sys.modules)]))
"""


def test_rows_are_answered_and_explained_without_a_learning_library(tmp_path: Path) -> None:
    given = mixed_rows(300)
    table = as_table(given)
    parts = []
    for i, learner in enumerate(
        [make("boosted", {"n_rounds": 20, "lr": 0.1}), make("symmetric", {"n_rounds": 20}),
         make("linear", {})]
    ):  # fmt: skip
        history = History(table, target_of(given), "probabilities", 2)
        (tmp_path / f"m{i}").mkdir()
        parts.append(learner.fit(history, FitBudget(seconds=60.0)).save(tmp_path / f"m{i}"))
    pack(tmp_path, table, parts)
    rows = json.dumps(given[:3], default=str)

    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path), rows],
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    answers, told, loaded = json.loads(done.stdout)
    assert answers[0] == answers[1] == told
    assert len(answers) == 4
    assert not HEAVY & set(loaded)
    assert not {"everfit.records", "everfit.learners", "everfit.release.gates"} & set(loaded)
