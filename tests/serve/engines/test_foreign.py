from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from everfit.encoders import steps as st
from everfit.errors import ArtefactRefused
from everfit.learners.contract import FitBudget, History
from everfit.learners.foreign import Foreign
from everfit.serve import open_plan
from everfit.serve.engines.foreign import Native
from everfit.serve.vector import Vector
from tests.encoders.mixed import as_table, mixed_rows, target_of
from tests.serve.packed import pack

ROWS = mixed_rows(200)
OWN = """
import numpy as np

class Halves:
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.zeros(len(X))

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 1.0 / len(self.classes_))
"""


def packed(folder: Path, source: Path, name: str) -> tuple[Foreign, dict[str, Any]]:
    history = History(as_table(ROWS), target_of(ROWS), "probabilities", 2)
    learner = Foreign(source=f"{source}:{name}").fit(history, FitBudget(seconds=60.0))
    (folder / "m0").mkdir()
    part = dict(learner.save(folder / "m0"))
    pack(folder, history.table, [part])
    return learner, part


def test_a_scikit_learn_estimator_answers_as_its_learner(tmp_path: Path) -> None:
    source = tmp_path / "trees.py"
    source.write_text("from sklearn.tree import DecisionTreeClassifier as Tree\n")
    learner, _ = packed(tmp_path, source, "Tree")

    scorer = open_plan(tmp_path)

    table = as_table(ROWS[:40])
    np.testing.assert_array_equal(scorer.table(table), learner.answer(table))
    np.testing.assert_array_equal(
        [scorer.row(row).probabilities for row in ROWS[:40]], scorer.table(table)
    )
    assert "own predict" in scorer.slow[0]


def test_a_users_own_type_is_refused_unless_the_caller_trusts_it(tmp_path: Path) -> None:
    source = tmp_path / "own_halves.py"
    source.write_text(OWN)
    _, part = packed(tmp_path, source, "Halves")

    with pytest.raises(ArtefactRefused, match="not trusted"):
        open_plan(tmp_path)

    trusting = open_plan(tmp_path, trusted=part["trusted"])
    assert trusting.row(ROWS[0]).probabilities == (0.5, 0.5)


def test_a_changed_source_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    source = tmp_path / "own_changed.py"
    source.write_text(OWN)
    _, part = packed(tmp_path, source, "Halves")
    (stored,) = part["code"]
    (tmp_path / "m0" / stored).write_text(OWN + "\nprint('hello')\n")
    monkeypatch.delitem(sys.modules, Path(stored).stem)

    with pytest.raises(ArtefactRefused, match="not the file that was stored"):
        open_plan(tmp_path, trusted=part["trusted"])


def test_catboosts_own_library_answers_what_cannot_be_compiled(tmp_path: Path) -> None:
    import catboost

    rng = np.random.default_rng(0)
    x = np.column_stack([rng.standard_normal(300), rng.integers(0, 5, 300)])
    frame = [[number, int(code)] for number, code in x.tolist()]
    model = catboost.CatBoostRegressor(
        iterations=10, grow_policy="Lossguide", verbose=False, allow_writing_files=False
    )
    model.fit(frame, x[:, 0] * x[:, 1], cat_features=[1])
    model.save_model(str(tmp_path / "model.cbm"))
    inputs = [st.Input("a", "number"), st.Input("b", "number")]
    vector = Vector([st.Take("a"), st.Take("b")], inputs, {}, {"a": 0, "b": 1})

    native = Native(tmp_path / "model.cbm", [1], vector)
    vector.fill([0.5, 3.0])

    assert native.row() == [model.predict([[0.5, 3]])[0]]
    assert native.width == 1
