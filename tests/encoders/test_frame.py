from __future__ import annotations

import catboost
import numpy as np
import pandas as pd
import pytest

from everfit.encoders.frame import categories_frame
from everfit.records import Array


def matrix(order: str) -> Array:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 12, 400).astype(float)
    codes[rng.random(400) < 0.1] = np.nan
    numbers = rng.standard_normal((400, 2))
    numbers[rng.random((400, 2)) < 0.1] = np.nan
    return np.array(np.column_stack([numbers[:, 0], codes, numbers[:, 1]]), order=order)  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_model_learns_and_answers_the_same_as_from_whole_numbers(order: str) -> None:
    x = matrix(order)
    y = np.nan_to_num(x[:, 0]) + (x[:, 1] % 3 == 0)
    plain = pd.DataFrame(
        {0: x[:, 0].astype("f4"), 1: np.nan_to_num(x[:, 1], nan=-1.0).astype("i4"),
         2: x[:, 2].astype("f4")}
    )  # fmt: skip
    pools = [catboost.Pool(f, y, cat_features=[1]) for f in (plain, categories_frame(x, [1]))]

    models = [
        catboost.CatBoost(
            {"iterations": 30, "verbose": False, "allow_writing_files": False, "thread_count": 1}
        ).fit(pool)
        for pool in pools
    ]

    answers = [model.predict(pool) for model in models for pool in pools]
    for found in answers[1:]:
        np.testing.assert_array_equal(found, answers[0])


def test_columns_in_fortran_order_are_not_copied() -> None:
    x = matrix("F")

    frame = categories_frame(x, [1])

    assert np.shares_memory(frame[0].to_numpy(), x)
    assert frame[1].tolist()[:3] == ["-1" if np.isnan(c) else str(int(c)) for c in x[:3, 1]]


def test_a_column_of_unknown_codes_alone_has_one_category() -> None:
    assert categories_frame(np.full((3, 1), np.nan), [0])[0].tolist() == ["-1"] * 3
    assert len(categories_frame(np.empty((0, 2)), [0])) == 0
