from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl

from everfit.data.table import Table
from everfit.encoders.codes import vocabulary_of
from everfit.encoders.table import fit_transform_features
from everfit.records import Column, Source


def test_levels_beyond_the_limit_and_single_rows_are_left_out() -> None:
    series = pl.Series(["a"] * 5 + ["b"] * 4 + ["c"] * 3 + ["once"])

    assert vocabulary_of(series) == ("a", "b", "c")
    assert vocabulary_of(series, most=2) == ("a", "b")


def test_missing_is_a_level_even_when_the_limit_is_reached() -> None:
    series = pl.Series(["a"] * 5 + ["b"] * 4 + [None] * 2)

    assert vocabulary_of(series, most=2) == ("a", None)


def test_a_date_gives_the_parts_that_vary() -> None:
    days = [datetime(2024, 1, d, 12) for d in (1, 2, 3, 8)]
    table = Table(pl.DataFrame({"d": days}), (Column("d", "date"),), Source("t", "", 4, 1))

    plan, matrix = fit_transform_features(table, None, "values", 1, view="codes")

    assert plan.names == ("d.day", "d.weekday", "d.days")
    np.testing.assert_array_equal(matrix[:, 1], [0, 1, 2, 0])
    np.testing.assert_array_equal(matrix[:, 2], [0, 1, 2, 7])
