from __future__ import annotations

from array import array

import lightgbm as lgb
import numpy as np
import pytest

from everfit.errors import ArtefactRefused
from everfit.records import Array
from everfit.serve.engines.trees import Trees, lightgbm_text

SETTINGS = {"verbosity": -1, "num_threads": 1, "num_leaves": 15, "min_data_in_leaf": 5}


def data_of(n: int, seed: int) -> Array:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 4))
    x[:, 3] = rng.integers(0, 12, n)
    x[rng.random((n, 4)) < 0.1] = np.nan
    return x


def booster_of(classes: int) -> lgb.Booster:
    x = data_of(800, 0)
    score = np.nan_to_num(x[:, 0]) + np.sin(np.nan_to_num(x[:, 3]))
    y = np.digitize(score, np.quantile(score, np.linspace(0, 1, max(classes, 2) + 1)[1:-1]))
    objective = {2: {"objective": "binary"}}.get(
        classes, {"objective": "multiclass", "num_class": classes}
    )
    data = lgb.Dataset(x, y.astype(float), categorical_feature=[3])
    return lgb.train(SETTINGS | objective, data, 20)


@pytest.mark.parametrize("classes", [2, 3])
def test_raw_scores_equal_the_packages_own_to_the_last_bit(classes: int) -> None:
    booster, asks = booster_of(classes), data_of(200, 1)
    vector = array("d", bytes(8 * 4))
    trees = Trees(booster.model_to_string(), vector)

    table = trees.table(asks, 1)
    rows = []
    for row in asks:
        vector[:] = array("d", row)
        rows.append(trees.row())

    expected = booster.predict(asks, raw_score=True, num_threads=1)
    np.testing.assert_array_equal(table, np.asarray(expected).reshape(200, -1))
    np.testing.assert_array_equal(rows, table)


def test_the_order_of_a_matrix_in_memory_does_not_matter() -> None:
    trees, asks = Trees(booster_of(3).model_to_string(), array("d", bytes(8 * 4))), data_of(50, 2)

    by_column = trees.table(np.asfortranarray(asks), 1)

    np.testing.assert_array_equal(by_column, trees.table(np.ascontiguousarray(asks), 1))
    np.testing.assert_array_equal(trees.table(np.asfortranarray(asks)[::2], 1), by_column[::2])


def test_a_table_without_rows_gives_no_scores() -> None:
    trees = Trees(booster_of(2).model_to_string(), array("d", bytes(8 * 4)))

    assert trees.table(np.empty((0, 4)), 1).shape == (0, 1)


def test_a_model_for_another_number_of_features_is_refused() -> None:
    with pytest.raises(ArtefactRefused, match=r"(?s)does not fit.*4 features.*5 features"):
        Trees(booster_of(2).model_to_string(), array("d", bytes(8 * 5)))


def test_text_that_is_no_model_is_refused() -> None:
    with pytest.raises(ArtefactRefused, match="cannot use a packed model"):
        Trees("no model at all", array("d", bytes(8)))


def stump(value: float) -> tuple[Array, Array, Array, Array, Array]:
    """x[0] <= 0.1 gives ``value``, else 10 times that."""
    ints = np.array([0]), np.array([0.1]), np.array([-1]), np.array([-2])
    return (*ints, np.array([value, 10.0 * value]))


def test_written_trees_split_at_their_threshold() -> None:
    trees = Trees(lightgbm_text([stump(1.0), stump(0.5)], 1), array("d", [0.0]))

    found = trees.table(np.array([[0.1], [np.nextafter(0.1, 1.0)], [-np.inf], [np.inf]]), 1)

    assert found[:, 0].tolist() == [1.5, 15.0, 1.5, 15.0]


def test_a_tree_of_one_leaf_gives_its_value() -> None:
    none = np.empty(0, dtype=int)
    leaf = (none, np.empty(0), none, none, np.array([0.25]))

    trees = Trees(lightgbm_text([leaf, stump(1.0)], 1), array("d", [0.0]))

    assert trees.row() == [1.25]
    assert trees.table(np.array([[9.0]]), 1).tolist() == [[10.25]]
