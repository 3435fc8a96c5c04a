"""From columns of the log to answers and truth: what each form becomes, and nothing is lost."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from everfit.records import Problem
from everfit.tasks import TASKS
from everfit.watch.answered import answers, column, lateness, losses, outcomes, truths, units
from tests.watch.matured_traffic import DAY, LABELS, MONDAY, SORTS, TASK, traffic

NUMBER = Problem("regress", "y", "rmse", "values", label_type="float")


def test_every_row_is_counted_once():
    tardy = MONDAY + 9 * DAY
    frame = traffic(n=6).with_columns(
        outcome=pl.Series(["benign", "malignant", "odd", None, "benign", None]),
        outcome_at=pl.Series([MONDAY, MONDAY, MONDAY, None, tardy, None]).cast(
            pl.Datetime("us", "UTC")
        ),
    )

    found = outcomes(frame, SORTS, TASK, until=MONDAY + DAY, missing=None)

    assert (found.told, found.late, found.missing, found.wrong) == (3, 1, 2, 1)
    assert found.told + found.late + found.missing == frame.height
    assert found.known.tolist() == [True, True, False, False, False, False]
    assert found.counts == {"benign": 1, "malignant": 1, "odd": 1}


def test_late_outcomes_count_as_the_policy_says_what_never_came_does():
    frame = traffic(n=2).with_columns(outcome_at=pl.lit(MONDAY + 9 * DAY))

    found = outcomes(frame, SORTS, TASK, until=MONDAY + DAY, missing="malignant")

    assert found.values.tolist() == [1.0, 1.0]
    assert (found.filled, found.late) == (2, 2)


def test_an_outcome_at_the_last_moment_is_in_time():
    frame = traffic(n=1).with_columns(outcome_at=pl.lit(MONDAY + DAY))

    assert outcomes(frame, SORTS, TASK, until=MONDAY + DAY, missing=None).told == 1


@pytest.mark.parametrize(
    ("told", "values"),
    [
        (pl.Series([1, 2]), [1.0, 2.0]),
        (pl.Series(["1.5", "x"]), [1.5, np.nan]),
        (pl.Series([True, False]), [1.0, 0.0]),
        (pl.Series([np.inf, 3.0]), [np.nan, 3.0]),
        (pl.Series([None, None]), [np.nan, np.nan]),
    ],
)
def test_numbers_are_read_from_whatever_was_told(told, values):
    found = truths(told.alias("outcome"), NUMBER, TASKS["regress"])

    assert np.array_equal(found, values, equal_nan=True)


def test_a_weight_in_training_is_not_asked_of_the_log():
    weighted = Problem("classify", "y", "log_loss", "probabilities", LABELS, weight="w")

    found = truths(pl.Series("outcome", ["benign"]), weighted, TASK)

    assert found.tolist() == [0.0]


def test_probabilities_come_in_the_order_of_the_labels():
    frame = traffic(n=3)
    turned = Problem("classify", "y", "log_loss", "probabilities", LABELS[::-1])

    assert np.array_equal(answers(frame, SORTS)[:, ::-1], answers(frame, turned))


def test_rows_without_an_answer_are_not_a_number():
    empty = answers(traffic(n=2).drop("probabilities"), SORTS)

    assert np.isnan(empty).all()
    assert empty.shape == (2, 2)


def test_a_failed_answer_loses_all_and_an_unknown_truth_nothing():
    said = np.array([[0.5, 0.5], [np.nan, np.nan], [np.nan, np.nan]])

    found = losses(said, np.array([1.0, 0.0, np.nan]), SORTS, TASK)

    assert found[0] == pytest.approx(np.log(2))
    assert np.isinf(found[1])
    assert np.isnan(found[2])


def test_rows_without_a_key_are_units_of_their_own():
    frame = pl.DataFrame({"key": ["a", None, "a", None]})

    found = units(frame)

    assert found[0] == found[2]
    assert len(set(found.tolist())) == 3
    assert len(set(units(pl.DataFrame({"id": ["x", "y"]})).tolist())) == 2


def test_lateness_has_quantiles_in_seconds():
    took = pl.Series("lateness", [timedelta(seconds=s) for s in range(101)])

    assert lateness(took.to_frame())["q"] == [5.0, 50.0, 95.0, 100.0]
    assert lateness(pl.DataFrame({"id": []})) == {"n": 0}


def test_a_column_that_is_not_there_is_all_missing():
    found = column(pl.DataFrame({"id": [1, 2]}), "key")

    assert found.null_count() == 2


def test_many_different_outcomes_are_not_counted_by_value():
    frame = traffic(n=50).with_columns(outcome=pl.int_range(50).cast(pl.Float64))

    assert outcomes(frame, NUMBER, TASKS["regress"], until=MONDAY + DAY, missing=None).counts == {}
