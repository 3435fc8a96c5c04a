from __future__ import annotations

import numpy as np
import polars as pl

from everfit.errors import Unreachable
from everfit.watch.skew import recomputed, verified
from tests.watch.traffic import answers, log, reference, rows

RNG = np.random.default_rng(4)
FEATURES = rows(300, RNG)


def again(features: pl.DataFrame) -> np.ndarray:  # type: ignore[type-arg]
    return answers(features)


def test_answers_that_come_out_again_are_counted_as_such() -> None:
    found = verified(log(FEATURES), reference(), again)

    assert found == {"n": 200, "differ": 0, "largest": 0.0}


def test_answers_of_another_version_are_found() -> None:
    found = verified(log(FEATURES), reference(), lambda features: 1 - answers(features))

    assert found["n"] == 200
    assert found["differ"] > 190
    assert found["largest"] > 0.5


def test_a_version_that_cannot_be_asked_is_told_and_nothing_raises() -> None:
    def broken(features: pl.DataFrame) -> np.ndarray:  # type: ignore[type-arg]
        raise Unreachable("v3 cannot be opened", got="no plan.json")

    found = verified(log(FEATURES), reference(), broken)

    assert found["error"] == "v3 cannot be opened"


def test_answers_of_another_shape_are_told() -> None:
    found = verified(log(FEATURES), reference(), lambda features: np.zeros((3, 1)))

    assert "shape (3, 1)" in found["error"]


def test_rows_without_a_column_that_has_a_default_cannot_be_asked_again() -> None:
    some = pl.Series(range(300)) % 2 == 0
    given = FEATURES.with_columns(plan=pl.when(some).then("plan"))

    found = verified(log(given), reference(), again)

    assert found["n"] == 150


def test_no_rows_are_nothing_to_ask() -> None:
    assert verified(log(FEATURES.clear()), reference(), again) == {"n": 0, "differ": 0}


def test_a_feature_that_the_source_has_otherwise_is_counted_with_an_example() -> None:
    frame = log(FEATURES)

    def source(rows: pl.DataFrame) -> pl.DataFrame:
        kept = frame.filter(pl.col("key").is_in(rows["key"].implode())).select("key", "age", "plan")
        return kept.with_columns(pl.col("age") * 2)

    found = recomputed(frame, reference(), source)

    assert (found["n"], found["absent"]) == (200, 0)
    assert found["differ"] == {"age": 200}
    assert "at the source" in found["examples"]["age"]


def test_numbers_written_otherwise_are_the_same() -> None:
    frame = log(FEATURES)

    def source(rows: pl.DataFrame) -> pl.DataFrame:
        kept = frame.filter(pl.col("key").is_in(rows["key"].implode())).select("key", "age", "paid")
        return kept.with_columns(
            pl.col("age").cast(pl.String), paid=pl.when("paid").then(pl.lit("yes")).otherwise(
                pl.lit("no"))
        )  # fmt: skip

    assert recomputed(frame, reference(), source)["differ"] == {}


def test_keys_that_the_source_does_not_have_are_counted() -> None:
    found = recomputed(
        log(FEATURES), reference(), lambda rows: pl.DataFrame({"key": ["other"], "age": [1.0]})
    )

    assert (found["n"], found["absent"], found["differ"]) == (0, 200, {})


def test_a_source_that_vanished_is_told_and_nothing_raises() -> None:
    def gone(rows: pl.DataFrame) -> pl.DataFrame:
        raise OSError("no such file")

    assert recomputed(log(FEATURES), reference(), gone)["error"] == "no such file"


def test_traffic_without_keys_cannot_be_looked_up() -> None:
    frame = log(FEATURES, key=pl.Series([None] * 300, dtype=pl.String))

    assert recomputed(frame, reference(), lambda rows: pl.DataFrame())["n"] == 0
