"""The scikit-learn estimators; a fit is a whole run, so few are made and all are short.

Of scikit-learn's own checks those are run that fit nothing. The others fit 10 to 27 rows of noise:
Everfit says ``TooFewRows`` below 30, because nothing can be judged there. Those that ask for
``ValueError`` find a ``DataError``, which says what to do. ``check_pipeline_consistency`` does not
apply: how much fits into a time depends on the machine, and the tags say so.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn import datasets
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks as checks

import everfit

ESTIMATORS = (everfit.Classifier(budget=3), everfit.Regressor(budget=3))
WITHOUT_FIT = (
    checks.check_estimator_cloneable,
    checks.check_estimator_repr,
    checks.check_no_attributes_set_in_init,
    checks.check_do_not_raise_errors_in_init_or_set_params,
    checks.check_mixin_order,
    checks.check_estimators_unfitted,
    checks.check_estimators_empty_data_messages,
    checks.check_complex_data,
    checks.check_estimator_sparse_tag,
    checks.check_estimator_sparse_array,
    checks.check_parameters_default_constructible,
    checks.check_get_params_invariance,
    checks.check_set_params,
    checks.check_valid_tag_types,
    checks.check_supervised_y_no_nan,
    checks.check_requires_y_none,
    checks.check_fit1d,
)


@pytest.fixture(scope="module", autouse=True)
def inline() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVERFIT_EXECUTOR", "inline")
        yield


@pytest.fixture(scope="module")
def wine() -> tuple[pd.DataFrame, Any]:
    frame, codes = datasets.load_wine(return_X_y=True, as_frame=True)
    return frame, np.array(["red", "white", "rose"])[codes]


@pytest.fixture(scope="module")
def fitted(wine: tuple[pd.DataFrame, Any]) -> everfit.Classifier:
    return everfit.Classifier(budget=6).fit(*wine)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("check", WITHOUT_FIT, ids=lambda check: check.__name__)
def test_a_check_of_scikit_learn_passes(check: Callable[..., None], estimator: Any) -> None:
    check(type(estimator).__name__, clone(estimator))


def test_a_classifier_knows_its_classes_and_is_often_right(
    fitted: everfit.Classifier, wine: tuple[pd.DataFrame, Any]
) -> None:
    frame, labels = wine

    shares = fitted.predict_proba(frame)

    assert list(fitted.classes_) == ["red", "rose", "white"]
    assert shares.sum(axis=1) == pytest.approx(1.0)
    assert (fitted.classes_[shares.argmax(axis=1)] == fitted.predict(frame)).all()
    assert fitted.score(frame, labels) > 0.9
    assert fitted.score_.low < fitted.score_.high


def test_a_classifier_travels_whole_and_answers_the_same(
    fitted: everfit.Classifier, wine: tuple[pd.DataFrame, Any]
) -> None:
    moved = pickle.loads(pickle.dumps(fitted))

    assert (moved.predict_proba(wine[0]) == fitted.predict_proba(wine[0])).all()


def test_pandas_and_polars_get_the_same_answers(
    fitted: everfit.Classifier, wine: tuple[pd.DataFrame, Any]
) -> None:
    polars = pl.from_pandas(wine[0])

    assert (fitted.predict_proba(polars) == fitted.predict_proba(wine[0])).all()
    assert list(fitted.feature_names_in_) == polars.columns


def test_other_columns_than_those_of_the_fit_are_refused(
    fitted: everfit.Classifier, wine: tuple[pd.DataFrame, Any]
) -> None:
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.predict(wine[0].rename(columns={"alcohol": "spirit"}))


def test_a_clone_is_not_fitted_and_keeps_its_settings(fitted: everfit.Classifier) -> None:
    copy = clone(fitted.set_params(seed=3))

    assert copy.get_params() == fitted.get_params()
    with pytest.raises(NotFittedError):
        copy.predict(np.ones((2, 13)))


def test_a_pipeline_is_cross_validated() -> None:
    X, y = datasets.load_diabetes(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), everfit.Regressor(budget=3))

    scores = cross_val_score(pipeline, X, y, cv=2)

    assert scores.shape == (2,)
    assert (scores > 0.2).all()


def test_too_few_rows_are_told_in_four_parts() -> None:
    with pytest.raises(everfit.TooFewRows, match="too few rows") as caught:
        everfit.Classifier(budget=3).fit(np.arange(20.0).reshape(10, 2), [0, 1] * 5)

    assert caught.value.do


def test_noise_gives_a_model_with_a_warning_and_no_end() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(80, 3)), rng.integers(0, 2, 80)

    with pytest.warns(UserWarning, match="it answers all the same"):
        found = everfit.Classifier(budget=3).fit(X, y)

    assert set(found.predict(X)) <= {0, 1}
    assert found.predict(X).dtype == y.dtype
