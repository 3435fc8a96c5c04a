from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

from everfit.errors import LearnerFailed
from everfit.learners.contract import FitBudget, History
from everfit.learners.forest import Forest
from tests.learners.histories import features, history_of


def test_flat_arrays_answer_as_scikit_learn() -> None:
    history, asks = history_of("values", 1), features(60, seed=3)

    learner = Forest(trees=20, leaf_rows=2).fit(history, FitBudget(60.0))
    matrix = learner.plan_.transform(history.table).astype(np.float32)
    model = ExtraTreesRegressor(
        20, max_features="sqrt", min_samples_leaf=2, random_state=0, bootstrap=False
    ).fit(matrix, history.target)

    np.testing.assert_allclose(
        learner.answer(asks)[:, 0],
        model.predict(learner.plan_.transform(asks).astype(np.float32)),
        rtol=1e-9,
    )


def test_without_smoothing_probabilities_are_those_of_scikit_learn() -> None:
    history, asks = history_of("probabilities", 3), features(60, seed=3)

    learner = Forest(trees=20, leaf_rows=2, smooth=0.0).fit(history, FitBudget(60.0))
    matrix = learner.plan_.transform(history.table).astype(np.float32)
    model = ExtraTreesClassifier(
        20, max_features="sqrt", min_samples_leaf=2, random_state=0, bootstrap=False,
        criterion="log_loss",
    ).fit(matrix, history.target.astype(int))  # fmt: skip

    np.testing.assert_allclose(
        learner.answer(asks),
        model.predict_proba(learner.plan_.transform(asks).astype(np.float32)),
        rtol=1e-9,
    )


def test_smoothing_keeps_every_answer_from_certainty() -> None:
    history = history_of("probabilities", 2)

    sure = Forest(trees=20, leaf_rows=1, smooth=0.0).fit(history, FitBudget(60.0))
    careful = Forest(trees=20, leaf_rows=1, smooth=1.0).fit(history, FitBudget(60.0))

    assert sure.answer(history.table).min() == 0.0
    assert careful.answer(history.table).min() > 0.02


def test_time_ends_a_forest_with_the_trees_it_has() -> None:
    looks = iter(np.arange(1.0, -1e6, -0.2))
    budget = FitBudget(1e9, left=lambda: float(next(looks)))

    learner = Forest(trees=10_000).fit(history_of("values", 1, n=60), budget)

    assert 20 <= learner.facts_["rounds"] < 10_000
    assert learner.facts_["stopped"] == "time"


def test_less_than_twenty_trees_are_refused() -> None:
    budget = FitBudget(1e9, left=lambda: 1e-4)

    with pytest.raises(LearnerFailed, match="cannot finish: 20 trees"):
        Forest().fit(history_of("values", 1), budget)


def test_many_rows_make_larger_leaves_not_larger_files() -> None:
    table = features(12_000)
    history = History(table, np.random.default_rng(0).random(12_000), "values", 1)

    learner = Forest(trees=4, leaf_rows=1).fit(history, FitBudget(60.0))

    assert learner.facts_["nodes"] < 4 * 2 * 5_000
