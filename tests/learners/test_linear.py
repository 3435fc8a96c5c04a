from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from everfit.learners.contract import FitBudget
from everfit.learners.linear import Linear, ridge
from tests.learners.histories import features, history_of


def made(n: int = 80, d: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(2.0, 1.0, (n, d))
    return x, x @ rng.normal(size=d) + rng.normal(0, 2.0, n) + 5.0, rng.random(n) + 0.2


@pytest.mark.parametrize("weighted", [False, True])
def test_ridge_agrees_with_scikit_learn(weighted: bool) -> None:
    x, y, weight = made()
    given = weight / weight.mean() if weighted else None

    coef, intercept, _ = ridge(x, y, given, strength=0.1)
    model = Ridge(alpha=0.1 * len(y)).fit(x, y, sample_weight=given)

    np.testing.assert_allclose(coef, model.coef_, rtol=1e-9)
    assert intercept == pytest.approx(model.intercept_)


def test_the_penalty_minimises_generalised_cross_validation() -> None:
    x, y, _ = made()
    n = len(y)

    _, _, chosen = ridge(x, y, None)

    def gcv(strength: float) -> float:
        centred = x - x.mean(axis=0)
        inverse = np.linalg.inv(centred.T @ centred + n * strength * np.eye(x.shape[1]))
        hat = centred @ inverse @ centred.T + np.full((n, n), 1 / n)
        return float(np.sum((y - hat @ y) ** 2) / (n - np.trace(hat)) ** 2)

    grid = np.logspace(-7, 2, 28)
    assert chosen == pytest.approx(min(grid, key=gcv))


def test_more_columns_than_rows_can_be_fitted() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 60))

    coef, intercept, _ = ridge(x, x[:, 0], None)

    assert np.isfinite(coef).all()
    assert np.isfinite(intercept)


@pytest.mark.parametrize("n_outputs", [2, 3])
def test_a_given_strength_agrees_with_scikit_learn(n_outputs: int) -> None:
    history, asks = history_of("probabilities", n_outputs), features(30, seed=2)

    learner = Linear(strength=0.3).fit(history, FitBudget(60.0))
    matrix = learner.plan_.transform(history.table)
    model = LogisticRegression(C=0.3, max_iter=2_000).fit(matrix, history.target)

    np.testing.assert_allclose(
        learner.answer(asks), model.predict_proba(learner.plan_.transform(asks)), atol=5e-3
    )


def test_noise_gets_a_strong_penalty() -> None:
    history = history_of("probabilities", 2, n=400)
    shuffled = np.random.default_rng(0).permutation(history.target)
    noise = type(history)(history.table, shuffled, "probabilities", 2)

    learnt = Linear().fit(history, FitBudget(60.0)).facts_["strength"]
    guessed = Linear().fit(noise, FitBudget(60.0)).facts_["strength"]

    assert guessed < learnt


def test_a_price_never_becomes_negative() -> None:
    history = history_of("values", 1)
    far = features(200, seed=4)
    far = type(far)(far.frame.with_columns(far.frame["age"] * 50), far.columns, far.source)

    answers = Linear().fit(history, FitBudget(60.0)).answer(far)

    assert answers.min() >= 0.0
    assert answers.max() <= history.target.max() * 1.5
