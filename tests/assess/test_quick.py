from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from everfit.assess.quick import (
    fit_quick,
    frequency_codes,
    out_of_fold,
    quantile_codes,
    random_folds,
    view,
)
from everfit.records import Column


def test_quantile_codes_keep_order_and_mark_missing() -> None:
    rng = np.random.default_rng(0)
    x = np.append(rng.normal(size=1_000), np.nan)

    codes = quantile_codes(x)

    assert codes[-1] == 0
    assert codes[:-1].min() == 1
    order = np.argsort(x[:-1])
    assert (np.diff(codes[:-1][order]) >= 0).all()


def test_quantile_codes_tell_few_values_apart() -> None:
    codes = quantile_codes(np.array([0.0, 1.0, 2.0, 1.0, 0.0, np.inf, -np.inf]))

    assert len(set(codes[[0, 1, 2, 5, 6]])) == 5


def test_frequency_codes_rank_by_count_with_missing_as_zero() -> None:
    codes = frequency_codes(pl.Series(["b", "a", "b", None, "c", "b", "a"]))

    assert codes.tolist() == [1, 2, 1, 0, 3, 1, 2]


def test_a_quick_model_learns_an_interaction() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2_000, 3))
    y = (x[:, 0] * x[:, 1] > 0).astype(float)
    columns = [(Column(f"x{i}", "number"), pl.Series(x[:, i])) for i in range(3)]
    bins = view(columns).bins

    folds = random_folds(2_000, 4, rng)
    answers = out_of_fold(bins, y, "probabilities", 2, rng, folds=folds)

    assert ((answers[:, 1] > 0.5) == y).mean() > 0.9
    assert answers.sum(axis=1) == pytest.approx(1.0)


def test_many_classes_are_learnt_at_once() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 12, 3_000)
    bins = np.column_stack([x + 1, rng.integers(1, 20, 3_000)])

    model = fit_quick(bins, x.astype(float), "probabilities", 12, rng, rounds=80)

    assert (model.answer(bins).argmax(axis=1) == x).mean() > 0.9


def test_without_columns_the_answer_is_the_mean() -> None:
    rng = np.random.default_rng(0)
    y = np.array([1.0, 2.0, 6.0])

    model = fit_quick(np.zeros((3, 0), dtype=np.int64), y, "values", 1, rng)

    assert model.answer(np.zeros((2, 0), dtype=np.int64)).tolist() == [[3.0], [3.0]]
