from __future__ import annotations

from typing import Any

import lightgbm as lgb
import numpy as np
import pytest

from everfit.errors import ArtefactRefused
from everfit.export.alone.engines import trees as walk
from everfit.export.python import _tree_arrays
from everfit.export.trees import Trees, read_lightgbm
from everfit.records import Array

RNG = np.random.default_rng(0)
# two numbers, one of them often missing, and a category of 70 codes: sets of three words
MATRIX = np.column_stack(
    [
        RNG.standard_normal(800),
        np.where(RNG.random(800) < 0.3, np.nan, RNG.standard_normal(800)),
        RNG.integers(0, 70, 800).astype(float),
    ]
)
HEAT = np.sin(MATRIX[:, 2]) + MATRIX[:, 0] + np.where(np.isnan(MATRIX[:, 1]), 1.0, 0.0)
ASKED = np.vstack([MATRIX, [[np.nan, np.nan, np.nan], [0.0, 0.0, -1.0], [1e300, -1e300, 5_000.0]]])
QUIET = {"verbosity": -1, "num_threads": 1, "deterministic": True, "min_data_per_group": 5}


def booster(target: Array, n: int = 8, **params: Any) -> lgb.Booster:
    data = lgb.Dataset(MATRIX, target, categorical_feature=[2], free_raw_data=False)
    return lgb.train(QUIET | {"num_leaves": 15} | params, data, n)


def scores(model: Trees, x: Array) -> Array:
    part = {name: getattr(model, name) for name in ("width", "single", "divisor", "pair")}
    return walk(part, _tree_arrays(model), x)


@pytest.mark.parametrize("k", [1, 3])
def test_the_text_is_read_as_the_library_reads_it(k: int) -> None:
    target = np.digitize(HEAT, [-0.5, 1.0]).astype(float) if k == 3 else HEAT
    more = {"objective": "multiclass", "num_class": 3} if k == 3 else {"objective": "regression"}
    trained = booster(target, **more)

    model = read_lightgbm(trained.model_to_string())

    expected = np.asarray(trained.predict(ASKED, raw_score=True)).reshape(len(ASKED), k)
    assert (model.sets >= 0).any()  # categories did split
    assert np.diff(model.set_start).max() == 3
    np.testing.assert_allclose(scores(model, ASKED), expected, rtol=1e-13, atol=1e-13)


def test_trees_that_are_one_leaf_are_read() -> None:
    model = read_lightgbm(booster(np.full(800, 7.0), n=3).model_to_string())

    assert (model.roots < 0).all()
    assert model.depth == 0
    np.testing.assert_allclose(scores(model, ASKED), 7.0)


def test_the_depth_is_that_of_the_deepest_tree() -> None:
    model = read_lightgbm(booster(HEAT, max_depth=3).model_to_string())

    assert model.depth == 3


@pytest.mark.parametrize(
    ("params", "what"),
    [
        ({"linear_tree": True}, "linear trees"),
        ({"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}, "averaged trees"),
        ({"zero_as_missing": True}, "zeros that count as missing"),
    ],
)
def test_a_kind_of_tree_that_no_learner_grows_is_refused(params: dict[str, Any], what: str) -> None:
    text = booster(HEAT, **params).model_to_string()

    with pytest.raises(ArtefactRefused, match=what):
        read_lightgbm(text)
