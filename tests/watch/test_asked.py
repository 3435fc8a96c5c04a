from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl
import pytest

from everfit.plain import as_plain
from everfit.records import Upkeep
from everfit.tasks import TASKS
from everfit.watch.asked import Beside
from everfit.watch.reference import from_record
from everfit.watch.stage import watch
from tests.watch import traffic
from tests.watch.traffic import PROBLEM, VERSION, log, reference, rows, window

RNG = np.random.default_rng(5)


def away(facts: Any, name: str, statistic: str) -> float:
    at = reference().statistics.index((name, statistic))
    return float(facts["away"][at])


def test_a_window_like_the_training_is_near_it_in_every_statistic() -> None:
    found = window(log(rows(2_000, RNG)))

    z = np.array(found.facts["away"]) / np.array(found.facts["errors"])
    assert found.n == 2_000
    assert len(z) == len(reference().statistics)
    assert np.abs(z).max() < 5
    assert "odd" not in found.facts or "misfit" not in str(found.facts["odd"])
    assert found.facts["schema"] == {}


def test_the_record_is_small_plain_json_whatever_the_rows() -> None:
    small, large = (window(log(rows(n, RNG))) for n in (200, 5_000))

    sizes = [len(json.dumps(as_plain(one), allow_nan=False)) for one in (small, large)]

    assert max(sizes) < 3_000
    assert abs(sizes[0] - sizes[1]) < 400


def test_the_same_rows_give_the_same_record() -> None:
    frame = log(rows(500, np.random.default_rng(2)))

    assert window(frame, seed=7) == window(frame, seed=7)


def test_what_shadows_and_other_versions_said_is_not_counted() -> None:
    own = log(rows(50, RNG))
    shadow = log(rows(50, RNG), arm=["shadow"] * 50, of=["0-0"] * 50)
    earlier = log(rows(50, RNG), version=pl.Series([2] * 50, dtype=pl.Int32))

    found = window(pl.concat([own, shadow, earlier]))

    assert found.n == 50
    assert found.facts["rows"] == 150


def test_a_shift_of_a_column_moves_its_ranks_and_the_answers() -> None:
    facts = window(log(rows(2_000, RNG, shift=0.5))).facts

    assert away(facts, "age", "level") == pytest.approx(0.138, abs=0.03)
    assert away(facts, "probability of yes", "level") > 0.1
    assert abs(away(facts, "plan", "is trial")) < 0.05


def test_no_traffic_is_a_window_of_nothing() -> None:
    found = window(log(rows(0, RNG)))

    assert found.n == 0
    assert found.facts == {"rows": 0, "warned": 0}


def test_one_row_is_a_window_with_large_errors() -> None:
    found = window(log(rows(1, RNG)))

    at = reference().statistics.index(("age", "level"))
    assert found.n == 1
    assert found.facts["errors"][at] > 0.28


def test_a_window_in_which_all_is_missing_is_told_by_column() -> None:
    gone = rows(100, RNG).clear(100)

    found = window(log(gone))

    assert found.facts["schema"]["missing"] == ["age", "plan", "paid", "note"]
    assert away(found.facts, "age", "missing") == 1.0
    assert found.facts["middles"][:4] == [None, None, None, None]
    json.dumps(as_plain(found), allow_nan=False)


def test_new_missing_and_renamed_columns_are_told() -> None:
    features = rows(300, RNG).rename({"age": "years"}).drop("note").with_columns(more=pl.lit(1))

    schema = window(log(features)).facts["schema"]

    assert schema["missing"] == ["age", "note"]
    assert schema["extra"] == ["years", "more"]
    assert schema["renamed"] == {"age": "years"}


def test_a_retyped_column_is_told_with_an_example() -> None:
    words = rows(100, RNG).with_columns(age=pl.lit("forty"))
    as_text = rows(100, RNG).with_columns(pl.col("age").cast(pl.String))

    told, read = (window(log(features)).facts for features in (words, as_text))

    assert told["odd"]["age"]["misfit"] == 100
    assert told["odd"]["age"]["example"] == "forty"
    assert "misfit" not in read.get("odd", {}).get("age", {})
    assert abs(away(read, "age", "level")) < 0.15


def test_values_out_of_range_new_levels_and_one_value_alone_are_counted() -> None:
    features = rows(100, RNG).with_columns(
        age=pl.lit(212.0), plan=pl.Series(["gold"] * 40 + ["basic"] * 60), paid=pl.lit(True)
    )

    odd = window(log(features)).facts["odd"]

    assert (odd["age"]["outside"], odd["age"]["far"]) == (100, 212.0)
    assert (odd["plan"]["new"], odd["plan"]["level"]) == (40, "gold")
    assert odd["paid"]["constant"] == "True"


def test_copies_of_rows_are_counted() -> None:
    features = rows(50, RNG)

    facts = window(log(pl.concat([features] * 4))).facts

    assert facts["repeated"] == pytest.approx(0.75, abs=0.05)


def test_answers_without_a_number_are_counted() -> None:
    kind = pl.Struct({"no": pl.Float64, "yes": pl.Float64})
    frame = log(rows(30, RNG), probabilities=pl.Series([None] * 30, dtype=kind))

    assert window(frame).facts["unanswered"] == 30


def test_a_version_without_a_reference_makes_one_of_its_first_window() -> None:
    beside = Beside(problem=PROBLEM, columns=traffic.COLUMNS, limits=traffic.LIMITS)

    first = window(log(rows(300, RNG)), reference=None, beside=beside)
    few = window(log(rows(20, RNG)), reference=None, beside=beside)

    made = from_record(first.facts["reference"])
    assert made.n == 300
    assert made.labels == ("no", "yes")
    assert np.abs(np.array(first.facts["away"], dtype=float)).max() < 0.02
    assert "reference" not in few.facts


def test_the_loss_to_be_expected_is_kept_where_the_problem_is_known() -> None:
    beside = Beside(problem=PROBLEM, task=TASKS["classify"])

    facts = window(log(rows(500, RNG)), beside=beside).facts

    assert 0.3 < facts["estimate"]["pape"]["loss"] < 0.8


def test_rows_that_moved_can_be_told_apart_and_the_column_is_named() -> None:
    calm = window(log(rows(1_000, RNG))).facts["apart"]
    moved = window(log(rows(1_000, RNG, shift=0.5))).facts["apart"]

    assert abs(calm["away"]) < 5 * calm["error"]
    assert moved["away"] > 5 * moved["error"]
    assert moved["columns"][0] == "age"


ODD = {
    "nothing": pl.Series([None] * 60),
    "whole numbers": pl.Series(range(60)),
    "huge numbers": pl.Series([1e308, -1e308] * 30),
    "infinite numbers": pl.Series([float("inf"), float("nan")] * 30),
    "truths": pl.Series([True, None] * 30),
    "words": pl.Series(["", "NA", "41", "x" * 10_000, "\x00", "é"] * 10),
    "times": pl.Series(["2026-01-01T00:00:00", None] * 30),
    "json": pl.Series(['{"a": 1}', "[1, 2]"] * 30),
}


@pytest.mark.parametrize("name", [column.name for column in traffic.COLUMNS])
@pytest.mark.parametrize("odd", ODD)
def test_whatever_a_column_holds_gives_a_record_and_health(odd: str, name: str) -> None:
    features = rows(60, np.random.default_rng(1)).with_columns(ODD[odd].alias(name))
    frame = log(features.drop("age") if name == "age" else features)
    frame = frame.with_columns(ODD[odd].alias(name))

    found = window(frame)

    assert found.n == 60
    json.dumps(as_plain(found), allow_nan=False)
    health = watch([found], reference(), Upkeep(), model="m", version=VERSION, now=found.end)
    assert health.state in ("healthy", "watch", "needs_you")
