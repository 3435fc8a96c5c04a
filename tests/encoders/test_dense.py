from __future__ import annotations

import numpy as np
import polars as pl
from scipy import stats

from everfit.data.table import Table
from everfit.encoders.dense import scaled
from everfit.encoders.steps import Quantile, Scale
from everfit.encoders.table import fit_transform_features
from everfit.records import Column, Source


def test_an_ordinary_number_is_standardised() -> None:
    values = np.random.default_rng(0).normal(50.0, 4.0, 1_000)

    step = scaled("x", values)

    assert isinstance(step, Scale)
    np.testing.assert_allclose([step.centre, step.spread], [values.mean(), values.std()])


def test_a_heavy_tail_becomes_normal() -> None:
    values = np.exp(3.0 * np.random.default_rng(1).standard_normal(5_000))
    table = Table(pl.DataFrame({"x": values}), (Column("x", "number"),), Source("t", "", 5_000, 1))

    plan, matrix = fit_transform_features(table, None, "values", 1, view="dense")

    assert isinstance(plan.steps[0], Quantile)
    assert stats.kstest(matrix[:, 0], "norm").statistic < 0.02


def test_levels_become_columns_of_zero_and_one_that_add_up_to_one() -> None:
    levels = ["a"] * 5 + ["b"] * 4 + [None] * 3 + ["once"]
    table = Table(pl.DataFrame({"c": levels}), (Column("c", "category"),), Source("t", "", 13, 1))

    plan, matrix = fit_transform_features(table, None, "values", 1, view="dense")

    assert plan.names == ("c = a", "c = b", "c = missing", "c = other")
    np.testing.assert_array_equal(matrix.sum(axis=0), [5, 4, 3, 1])
    np.testing.assert_array_equal(matrix.sum(axis=1), np.ones(13))


def test_a_missing_number_is_filled_and_flagged() -> None:
    values = [1.0, 2.0, 3.0, None, 10.0]
    table = Table(pl.DataFrame({"x": values}), (Column("x", "number"),), Source("t", "", 5, 1))

    plan, matrix = fit_transform_features(table, None, "values", 1, view="dense")

    assert plan.names == ("x", "x is missing")
    middle = (2.5 - 4.0) / np.std([1.0, 2.0, 3.0, 10.0])
    np.testing.assert_allclose(matrix[3], [middle, 1.0])
