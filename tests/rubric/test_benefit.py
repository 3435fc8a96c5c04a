"""A column that the answers lean on helps, one that nobody reads changes nothing."""

from __future__ import annotations

import numpy as np
import polars as pl

from everfit.records import Array, Problem
from everfit.rubric.benefit import LEAST, benefit_of

PROBLEM = Problem("regress", "y", "rmse", "values", label_type="float")


def traffic(n: int) -> pl.DataFrame:
    rng = np.random.default_rng(1)
    useful, unread = rng.normal(size=n), rng.normal(size=n)
    return pl.DataFrame(
        {
            "id": [str(i) for i in range(n)],
            "useful": useful,
            "unread": unread,
            "wrong": rng.normal(size=n),
            "outcome": useful + 0.1 * rng.normal(size=n),
        }
    )


def answers(frame: pl.DataFrame) -> Array:
    return (frame["useful"] + 0.0 * frame["wrong"]).to_numpy().reshape(-1, 1)


def test_shuffling_what_is_read_costs_and_what_is_not_read_costs_nothing() -> None:
    found = benefit_of(traffic(400), PROBLEM, answers)

    assert found is not None
    assert found.n == 400
    assert found.gains["useful"].low > 0
    assert (found.gains["unread"].low, found.gains["unread"].high) == (0.0, 0.0)


def test_a_column_that_makes_answers_worse_is_found() -> None:
    frame = traffic(600).with_columns(wrong=-pl.col("outcome"))

    found = benefit_of(frame, PROBLEM, lambda f: f["wrong"].to_numpy().reshape(-1, 1))

    assert found is not None
    assert found.gains["wrong"].high < 0


def test_few_outcomes_say_nothing() -> None:
    assert benefit_of(traffic(LEAST - 1), PROBLEM, answers) is None
    assert benefit_of(pl.DataFrame(), PROBLEM, answers) is None
