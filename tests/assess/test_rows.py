from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from tests.tables import assessed, found, make_table


def test_duplicate_rows_are_counted_with_the_target() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=180), np.full(20, 0.5)])
    y = np.concatenate([rng.integers(0, 2, 180), np.repeat([0, 1], 10)])

    assessment = assessed(make_table({"x": x, "y": y}, target="y"), "y")

    (finding,) = found(assessment, "duplicate rows")
    assert finding.number == 18
    assert "same side" in finding.done


def test_duplicates_are_seen_through_an_identifier() -> None:
    rng = np.random.default_rng(0)
    x = np.repeat(rng.integers(0, 50, 100) + rng.random(100), 2)
    frame = pl.DataFrame({"id": np.arange(200), "x": x, "y": np.repeat(rng.integers(0, 2, 100), 2)})

    assessment = assessed(make_table(frame, target="y"), "y")

    assert found(assessment, "duplicate rows")[0].number == 100


def test_conflicting_labels_give_a_floor_of_the_error() -> None:
    x = np.repeat(np.arange(50) + 0.5, 4)
    y = np.where(np.arange(200) % 4 == 0, "a", "b")  # one of four differs in each group

    assessment = assessed(make_table({"x": x, "y": y}, target="y"), "y")

    (finding,) = found(assessment, "conflicting labels")
    assert finding.number == 200
    assert finding.evidence["least_errors"] == 50


def test_equal_rows_show_the_noise_of_a_number() -> None:
    rng = np.random.default_rng(0)
    x = np.repeat(rng.normal(size=1_000), 2)
    y = 5 * x + rng.normal(0, 0.7, 2_000)

    assessment = assessed(make_table({"x": x, "y": y}, target="y"), "y")

    (finding,) = found(assessment, "conflicting labels")
    assert finding.evidence["statistic"] == pytest.approx(0.7, rel=0.1)
    assert finding.evidence["degrees_of_freedom"] == 1_000


def test_errors_that_go_on_from_row_to_row_are_said() -> None:
    rng = np.random.default_rng(0)
    slow = np.cumsum(rng.normal(size=1_500))
    table = make_table({"x": rng.normal(size=1_500), "y": slow}, target="y")

    shuffled = table.take(rng.permutation(1_500))

    assert found(assessed(table, "y"), "order of rows") != []
    assert found(assessed(shuffled, "y"), "order of rows") == []


def test_a_file_sorted_by_its_target_is_called_sorted() -> None:
    rng = np.random.default_rng(0)
    y = np.repeat(["a", "b", "c"], 300)

    assessment = assessed(make_table({"x": rng.normal(size=900), "y": y}, target="y"), "y")

    (finding,) = found(assessment, "order of rows")
    assert finding.severity == "info"
    assert finding.headline == "Rows are sorted by `y`"
    assert assessment.split.kind == "random"


def test_duplicates_say_how_many_a_random_split_would_put_on_both_sides() -> None:
    rng = np.random.default_rng(0)
    x = np.repeat(rng.normal(size=300), 2)  # each row twice: four of five pairs would be torn apart
    table = make_table({"x": x, "z": x**2, "y": np.where(x > 0, "yes", "no")}, target="y")

    (finding,) = found(assessed(table, "y"), "duplicate rows")

    assert finding.evidence["expected_across_a_random_split"] == round(600 * 0.8)
    assert "same side" in finding.done
