from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from everfit.assess import profile
from tests.tables import make_table


@pytest.fixture
def mixed() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    x = rng.normal(size=3_000)
    return pl.DataFrame(
        {
            "x": x,
            "holes": np.where(rng.random(3_000) < 0.2, np.nan, 2 * x + rng.normal(size=3_000)),
            "number": rng.poisson(3, 3_000),
            "word": rng.choice(["red", "green", "blue"], 3_000, p=[0.5, 0.3, 0.2]),
            "yes": rng.random(3_000) < 0.5,
        }
    )


def test_counts_agree_with_polars(mixed: pl.DataFrame) -> None:
    table = make_table(mixed)

    facts = {c.name: c for c in profile(table).columns}

    for name in table.frame.columns:
        values = table.frame[name]
        assert facts[name].n_missing == values.null_count()
        assert facts[name].n_distinct == values.drop_nulls().n_unique()
        counts = values.drop_nulls().value_counts(sort=True)["count"].to_list()
        assert [count for _, count in facts[name].top] == counts[:10]


def test_quantiles_are_values_of_the_column_in_order(mixed: pl.DataFrame) -> None:
    facts = {c.name: c for c in profile(make_table(mixed)).columns}

    quantiles = facts["x"].quantiles
    assert quantiles[0] == mixed["x"].min()
    assert quantiles[-1] == mixed["x"].max()
    assert quantiles[3] == mixed["x"].quantile(0.5, "nearest")
    assert set(quantiles) <= set(mixed["x"].to_list())
    assert list(quantiles) == sorted(quantiles)


def test_mean_and_sd_leave_out_missing_and_infinite_values() -> None:
    table = make_table({"x": [1.0, 2.0, 3.0, float("inf"), None]})

    (facts,) = profile(table).columns

    assert (facts.mean, facts.sd, facts.n_missing) == (2.0, 1.0, 1)
    assert facts.quantiles[-1] == float("inf")


def test_correlations_are_those_of_rows_where_both_are_known(mixed: pl.DataFrame) -> None:
    both = mixed.filter(pl.col("holes").is_not_nan())
    expected = np.corrcoef(both["x"], both["holes"])[0, 1]

    ((a, b, r),) = profile(make_table(mixed)).correlations

    assert {a, b} == {"x", "holes"}
    assert r == pytest.approx(expected, abs=1e-5)


def test_correlations_hold_across_blocks_with_and_without_holes() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(1e6, 1.0, 70_000)
    y = x + rng.normal(size=70_000)
    holes = y.copy()
    holes[:10] = np.nan  # only the first block has holes

    facts = profile(make_table({"x": x, "y": holes}))

    expected = np.corrcoef(x[10:], y[10:])[0, 1]
    assert facts.correlations[0][2] == pytest.approx(expected, abs=1e-4)


def test_duplicate_rows_are_counted_once_less_than_they_occur() -> None:
    table = make_table({"x": [1, 1, 1, 2, 2, 3], "w": ["a", "a", "a", "b", "c", "d"]})

    assert profile(table).n_duplicate_rows == 2


def test_top_values_of_words_are_words_not_hashes() -> None:
    table = make_table({"w": ["b", "a", "b", None, "c"]})

    (facts,) = profile(table).columns

    assert facts.top == (("b", 2), ("a", 1), ("c", 1))


@pytest.mark.parametrize("data", [{"x": []}, {"x": [None, None]}, {}])
def test_an_empty_table_has_a_profile(data: dict[str, list[object]]) -> None:
    facts = profile(make_table(data))

    assert all(c.n_distinct == 0 for c in facts.columns)
    assert facts.correlations == ()
