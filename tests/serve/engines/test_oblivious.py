from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pytest

from everfit.encoders import steps as st
from everfit.records import Array
from everfit.serve.engines import statistic
from everfit.serve.engines.oblivious import Oblivious
from everfit.serve.engines.statistic import CannotCompile
from everfit.serve.vector import Vector

pd = pytest.importorskip("pandas")
SETTINGS: dict[str, Any] = {
    "iterations": 60, "verbose": False, "allow_writing_files": False, "thread_count": 1,
    "learning_rate": 0.2,
}  # fmt: skip


def data_of(n: int, seed: int, *, levels: tuple[int, ...] = (5, 12, 2, 40)) -> Array:
    """Three numbers with missing values, then category codes; -1 is a code nobody knows."""
    rng = np.random.default_rng(seed)
    numbers = rng.standard_normal((n, 3))
    numbers[rng.random((n, 3)) < 0.1] = np.nan
    codes = [rng.integers(-1, k, n) for k in levels]
    return np.column_stack([numbers, *codes])


def target_of(x: Array, classes: int) -> Array:
    rng = np.random.default_rng(9)
    score = np.nan_to_num(x[:, 0]) + np.sin(x[:, 4]) * np.nan_to_num(x[:, 1]) + (x[:, 3] == 2)
    score = score + 0.3 * rng.standard_normal(len(x))
    if classes == 0:
        return score
    return np.digitize(score, np.quantile(score, np.linspace(0, 1, classes + 1)[1:-1]))


def pool_of(x: Array, y: Array | None = None) -> Any:
    frame = pd.DataFrame({i: x[:, i].astype("f4") if i < 3 else x[:, i].astype("i4")
                          for i in range(x.shape[1])})  # fmt: skip
    return catboost.Pool(frame, y, cat_features=list(range(3, x.shape[1])))


def fitted(folder: Path, classes: int, **settings: Any) -> tuple[Any, dict[str, Any]]:
    x = data_of(1_500, 0)
    pool = pool_of(x, target_of(x, classes))
    loss = {0: "RMSE", 2: "Logloss"}.get(classes, "MultiClass")
    model = catboost.CatBoost(SETTINGS | {"loss_function": loss} | settings).fit(pool)
    model.save_model(str(folder / "model.json"), format="json", pool=pool)
    return model, json.loads((folder / "model.json").read_text())


def vector_of(width: int) -> Vector:
    names = [f"f{i}" for i in range(width)]
    inputs = [st.Input(name, "number") for name in names]
    return Vector([st.Take(n) for n in names], inputs, {}, {n: i for i, n in enumerate(names)})


def both_ways(plain: dict[str, Any], x: Array) -> tuple[Array, Array]:
    """Raw scores by table and row by row, for a matrix as the codes view gives it."""
    x = x.copy()
    x[:, 3:][x[:, 3:] < 0] = np.nan
    vector = vector_of(x.shape[1])
    engine = Oblivious(plain, vector)
    rows = []
    for row in x:
        vector.fill(row.tolist())
        rows.append(engine.row())
    table = engine.table(x, 1)
    # more rows than one block, fewer than are answered tree by tree
    few = len(x) // 4
    np.testing.assert_array_equal(engine.table(x[:few], 1), table[:few])
    return table, np.array(rows)


@pytest.mark.parametrize("classes", [0, 2, 4])
@pytest.mark.parametrize("depth", [1, 4, 8])
def test_scores_equal_catboosts_own(tmp_path: Path, classes: int, depth: int) -> None:
    model, plain = fitted(tmp_path, classes, depth=depth)
    asks = data_of(800, 1)

    table, rows = both_ways(plain, asks)

    expected = model.predict(pool_of(asks), prediction_type="RawFormulaVal")
    np.testing.assert_allclose(table, expected.reshape(800, -1), rtol=1e-12, atol=1e-13)
    np.testing.assert_array_equal(rows, table)


@pytest.mark.parametrize(
    "settings",
    [
        {"max_ctr_complexity": 4, "depth": 6},
        {"one_hot_max_size": 50},
        {"nan_mode": "Max"},
        {"simple_ctr": ["Buckets", "Counter"], "combinations_ctr": ["Buckets"]},
        {"simple_ctr": ["Borders:TargetBorderCount=3"], "loss_function": "RMSE"},
    ],
    ids=["combinations", "one-hot", "nan-max", "buckets", "borders"],
)
def test_every_kind_of_split_is_compiled(tmp_path: Path, settings: dict[str, Any]) -> None:
    model, plain = fitted(tmp_path, 2, **settings)
    asks = data_of(800, 2)

    table, rows = both_ways(plain, asks)

    expected = model.predict(pool_of(asks), prediction_type="RawFormulaVal")
    np.testing.assert_allclose(table[:, 0], expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_array_equal(rows, table)


def test_projections_too_large_for_a_table_give_the_same_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, plain = fitted(tmp_path, 2, depth=6, max_ctr_complexity=3)
    asks = data_of(200, 3)
    expected, _ = both_ways(plain, asks)

    monkeypatch.setattr(statistic, "_LARGEST_TABLE", 100)
    table, rows = both_ways(plain, asks)

    np.testing.assert_array_equal(table, expected)
    np.testing.assert_array_equal(rows, expected)


def test_numbers_alone_need_no_statistics(tmp_path: Path) -> None:
    x = np.random.default_rng(0).standard_normal((500, 3))
    model = catboost.CatBoost(SETTINGS).fit(x, x[:, 0] * x[:, 1])
    model.save_model(str(tmp_path / "model.json"), format="json")
    vector = vector_of(3)

    found = Oblivious(json.loads((tmp_path / "model.json").read_text()), vector).table(x, 1)

    np.testing.assert_allclose(found[:, 0], model.predict(x.astype("f4")), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("settings", [{"grow_policy": "Lossguide"}, {"depth": 9}])
def test_trees_that_cannot_be_compiled_are_refused(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    _, plain = fitted(tmp_path, 2, **settings | {"iterations": 20})

    with pytest.raises(CannotCompile, match=r"symmetric|deeper"):
        Oblivious(plain, vector_of(7))


def test_an_unknown_statistic_is_refused(tmp_path: Path) -> None:
    _, plain = fitted(tmp_path, 2)
    plain["features_info"]["ctrs"][0]["ctr_type"] = "Oracle"

    with pytest.raises(CannotCompile, match="Oracle"):
        Oblivious(plain, vector_of(7))
