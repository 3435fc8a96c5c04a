from __future__ import annotations

import numpy as np
import polars as pl

from everfit.data.table import Table
from everfit.encoders.table import fit_transform_features
from everfit.records import Array, Column, Source


def table_of(data: dict[str, object], **kinds: str) -> Table:
    frame = pl.DataFrame(data)
    columns = tuple(Column(name, kinds.get(name, "number")) for name in frame.columns)  # type: ignore[arg-type]
    return Table(frame, columns, Source("made", "", frame.height, frame.width))


def correlation(a: Array, b: Array) -> float:
    return float(np.corrcoef(a, b)[0, 1])


def test_a_noise_category_of_many_levels_tells_nothing_of_a_rows_own_target() -> None:
    rng = np.random.default_rng(0)
    n = 3_000
    level = rng.integers(0, 600, n)
    signal = rng.integers(0, 5, n)
    y = (signal + rng.standard_normal(n) > 2).astype(float)
    # a little signal makes the encoder choose the column; the rest of it is noise
    table = table_of({"c": [f"{s}-{v}" for s, v in zip(signal, level, strict=True)]}, c="category")

    plan, training = fit_transform_features(table, y, "probabilities", 2, view="engineered")

    at = plan.names.index("target by c")
    rest = y - np.array([y[signal == s].mean() for s in range(5)])[signal]
    in_sample = correlation(plan.transform(table)[:, at], rest)
    assert in_sample > 0.2
    assert abs(correlation(training[:, at], rest)) < 0.1


def test_a_target_encoding_is_the_smoothed_mean_of_the_target() -> None:
    town = ["a"] * 60 + ["b"] * 30 + ["c"] * 10
    y = np.array([1.0] * 50 + [0.0] * 10 + [0.0] * 30 + [1.0] * 5 + [0.0] * 5)
    table = table_of({"town": town}, town="category")

    plan, _ = fit_transform_features(table, y, "probabilities", 2, view="engineered")

    found = plan.transform(table_of({"town": ["a", "b", "c", "new"]}, town="category"))
    prior = 55 / 100
    expected = [(50 + 10 * prior) / 70, 10 * prior / 40, (5 + 10 * prior) / 20, prior]
    np.testing.assert_allclose(found[:, plan.names.index("target by town")], expected)


def test_a_cross_is_made_where_two_categories_tell_more_together() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 3, 2_000), rng.integers(0, 3, 2_000)
    y = ((a + b) % 3 == 0).astype(float)
    data = {"a": [f"a{v}" for v in a], "b": [f"b{v}" for v in b]}

    plan, training = fit_transform_features(
        table_of(data, a="category", b="category"), y, "probabilities", 2, view="engineered"
    )

    crosses = [i for i, name in enumerate(plan.names) if " x " in name]
    assert len(crosses) == 1
    assert correlation(training[:, crosses[0]], y) > 0.99


def test_a_ratio_that_decides_the_target_is_made() -> None:
    rng = np.random.default_rng(2)
    price, size = rng.uniform(1, 10, 2_000), rng.uniform(1, 10, 2_000)
    table = table_of({"price": price, "size": size})

    plan, training = fit_transform_features(
        table, (price / size > 1.5).astype(float), "probabilities", 2, view="engineered"
    )

    ratio = [name for name in plan.names if name in ("price / size", "size / price")]
    assert ratio
    if "price / size" in plan.names:
        np.testing.assert_array_equal(training[:, plan.names.index("price / size")], price / size)


def test_noise_gets_no_arithmetic() -> None:
    rng = np.random.default_rng(3)
    table = table_of({f"n{i}": rng.standard_normal(2_000) for i in range(6)})

    plan, _ = fit_transform_features(
        table, rng.standard_normal(2_000), "values", 1, view="engineered"
    )

    assert plan.names == tuple(f"n{i}" for i in range(6))


def test_a_number_against_its_group_is_made_where_it_decides() -> None:
    rng = np.random.default_rng(4)
    group = rng.integers(0, 4, 3_000)
    number = 100.0 * group + rng.standard_normal(3_000)
    y = number - 100.0 * group + 0.1 * rng.standard_normal(3_000)
    table = table_of({"g": [f"g{v}" for v in group], "x": number}, g="category")

    plan, training = fit_transform_features(table, y, "values", 1, view="engineered")

    assert correlation(training[:, plan.names.index("x against g")], y) > 0.9


def test_many_classes_get_one_encoding_for_each_of_the_five_most_frequent() -> None:
    rng = np.random.default_rng(5)
    level = rng.integers(0, 8, 2_000)
    y = level.astype(float)

    plan, _ = fit_transform_features(
        table_of({"c": [f"c{v}" for v in level]}, c="category"), y, "probabilities", 8,
        view="engineered",
    )  # fmt: skip

    assert sum(name.startswith("target") for name in plan.names) == 5


def test_only_target_encodings_differ_between_training_and_serving() -> None:
    rng = np.random.default_rng(6)
    level = rng.integers(0, 30, 1_000)
    table = table_of({"c": [f"c{v}" for v in level], "x": rng.standard_normal(1_000)}, c="category")

    plan, training = fit_transform_features(
        table, (level > 15).astype(float), "probabilities", 2, view="engineered"
    )

    same = [i for i, name in enumerate(plan.names) if not name.startswith("target")]
    np.testing.assert_array_equal(training[:, same], plan.transform(table)[:, same])
