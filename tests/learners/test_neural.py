from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.neural_network import MLPClassifier

from everfit.learners.contract import FitBudget, History
from everfit.learners.neural import Neural, forward
from tests.learners.histories import features, history_of


def test_forward_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(80, 4)), rng.integers(0, 3, 80)
    model = MLPClassifier((7, 5), random_state=0)
    for _ in range(3):
        model.partial_fit(x, y, classes=[0, 1, 2])

    raw = forward(list(zip(model.coefs_, model.intercepts_, strict=True)), x)

    np.testing.assert_allclose(softmax(raw, axis=1), model.predict_proba(x), rtol=1e-9)


def test_given_epochs_are_trained_exactly() -> None:
    learner = Neural(layers=(8,)).fit(history_of("values", 1), FitBudget(60.0, rounds=7))

    assert learner.facts_["rounds"] == 7


def test_noise_stops_early() -> None:
    history = history_of("probabilities", 2, n=400)
    noise = History(
        history.table, np.random.default_rng(0).permutation(history.target), "probabilities", 2
    )

    facts = Neural(layers=(32,)).fit(noise, FitBudget(60.0)).facts_

    assert facts["stopped"] == "early"
    assert facts["rounds"] < 30


@pytest.mark.parametrize("layers", [(8,), (8, 8, 8)])
def test_weights_have_the_shapes_of_the_layers(layers: tuple[int, ...]) -> None:
    learner = Neural(layers=layers).fit(history_of("probabilities", 4), FitBudget(60.0, rounds=2))

    sizes = [w.shape[1] for w, _ in learner.weights_]
    assert sizes == [*layers, 4]


def test_answers_far_outside_stay_within_bounds() -> None:
    history, far = history_of("values", 1), features(50, seed=3)
    far = type(far)(far.frame.with_columns(far.frame["age"] * 1e6), far.columns, far.source)

    answers = Neural(layers=(16,)).fit(history, FitBudget(60.0, rounds=30)).answer(far)

    assert answers.min() >= 0.0
    assert answers.max() <= 1.5 * history.target.max()
