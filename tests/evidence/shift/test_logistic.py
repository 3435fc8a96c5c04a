"""The small logistic model, against scikit-learn's and on tables with holes."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from everfit.evidence.shift.logistic import learn_logistic


def rows_and_sides(seed: int, n: int = 600, d: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    is_new = np.arange(n) % 2 == 0
    return rng.normal(size=(n, d)) + 0.5 * is_new[:, None], is_new


def test_the_fit_is_the_penalised_maximum_of_the_likelihood():
    rows, is_new = rows_and_sides(0)

    model = learn_logistic(rows, is_new, penalty=10.0)

    z = np.clip((rows - rows.mean(axis=0)) / rows.std(axis=0), -4, 4)
    features = np.hstack([z, (z**2 - 1) / np.sqrt(2)])
    other = LogisticRegression(C=0.1, tol=1e-10, max_iter=1000).fit(features, is_new)
    assert model(rows) == pytest.approx(other.predict_proba(features)[:, 1], abs=1e-4)


def test_units_of_columns_do_not_matter():
    rows, is_new = rows_and_sides(1)

    here = learn_logistic(rows, is_new)(rows)
    there = learn_logistic(rows * [1e6, 1e-3, 1.0] + [5.0, 0.0, -1e3], is_new)(
        rows * [1e6, 1e-3, 1.0] + [5.0, 0.0, -1e3]
    )

    assert here == pytest.approx(there, abs=1e-6)


def test_another_variance_and_more_missing_values_are_seen():
    rng = np.random.default_rng(2)
    is_new = np.arange(2000) % 2 == 0
    spread, holes = rng.normal(size=(2, 2000))
    spread[is_new] *= 1.6
    holes[is_new & (rng.random(2000) < 0.4)] = np.nan

    for column in (spread, holes):
        p = learn_logistic(column, is_new)(column)
        assert p[is_new].mean() - p[~is_new].mean() > 0.03


def test_constant_empty_and_infinite_columns_do_no_harm():
    rows, is_new = rows_and_sides(3)
    odd = np.column_stack([rows, np.full(600, 7.0), np.full(600, np.nan), np.full(600, np.inf)])

    p = learn_logistic(odd, is_new)(odd)

    assert np.isfinite(p).all()
    assert p == pytest.approx(learn_logistic(rows, is_new)(rows), abs=1e-6)
