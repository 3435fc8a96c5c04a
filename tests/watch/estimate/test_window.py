"""Estimates without outcomes: near what turns out, and refused where nothing can be known."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from everfit.column import Column
from everfit.records import Answers, Problem, Truth
from everfit.tasks import TASKS
from everfit.watch.estimate import estimate
from everfit.watch.reference import reference_of

COLUMNS = (Column("x", "number"), Column("plan", "category"))
SORTS = Problem("classify", "y", "log_loss", "probabilities", ("no", "yes"))
THREE = Problem("classify", "y", "log_loss", "probabilities", ("a", "b", "c"))
COUNTS = Problem("regress", "y", "rmse", "values", label_type="float")


def rows(n, seed, shift=0.0):
    """Rows whose outcomes are harder to tell where x is near 0 and the plan is ``trial``."""
    rng = np.random.default_rng(seed)
    x = rng.normal(shift, 1, n)
    plan = np.where(rng.random(n) < 0.3, "trial", "pro")
    return rng, x, plan


def labelled(n, seed, shift=0.0, turned=0.0):
    rng, x, plan = rows(n, seed, shift)
    odds = np.where(plan == "trial", 0.8 * x, 2.5 * x)
    true = (rng.random(n) < 1 / (1 + np.exp(-odds))) ^ (rng.random(n) < turned)
    p = 1 / (1 + np.exp(-1.8 * x))  # a model that does not know the plan
    return x, plan, np.column_stack([1 - p, p]), true.astype(float)


def numbered(n, seed, shift=0.0):
    rng, x, plan = rows(n, seed, shift)
    return x, plan, 3 * x[:, None], 3 * x + rng.normal(0, 0.5 + np.abs(x), n)


def reference(made, labels):
    x, plan, said, true = made
    sample = pl.DataFrame({"x:x": x, "x:plan": plan, "truth": true}).with_columns(
        pl.Series(f"answer.{k}", said[:, k]) for k in range(said.shape[1])
    )
    return reference_of(sample, COLUMNS, labels=labels)


def traffic(made, problem):
    x, plan, said, _ = made
    frame = pl.DataFrame({"x": x, "plan": plan})
    if problem.form == "values":
        return frame.with_columns(pl.Series("value", said[:, 0]))
    shares = pl.DataFrame({name: said[:, k] for k, name in enumerate(problem.labels)})
    return frame.with_columns(shares.to_struct("probabilities"))


def lost(made, problem):
    _, _, said, true = made
    task, ids = TASKS[problem.task], np.arange(len(true))
    return float(task.losses(Answers(ids, said), Truth(ids, true), problem.metric).values.mean())


def estimated(known, now, problem, seed=0):
    return estimate(
        traffic(now, problem), reference(known, problem.labels),
        problem=problem, task=TASKS[problem.task], seed=seed,
    )  # fmt: skip


@pytest.mark.parametrize("shift", [0.0, 1.2])
@pytest.mark.parametrize(("make", "problem"), [(labelled, SORTS), (numbered, COUNTS)])
def test_an_estimate_is_near_what_is_measured_later(make, problem, shift):
    known, now = make(4000, 1), make(4000, 2, shift)

    found = estimated(known, now, problem)

    assert abs(found["pape"]["loss"] - lost(now, problem)) < 3 * found["pape"]["error"]
    assert found["effective"] > 100


@pytest.mark.parametrize(("make", "problem"), [(labelled, SORTS), (numbered, COUNTS)])
def test_the_estimate_sees_a_shift_that_the_promise_does_not(make, problem):
    known, now = make(4000, 1), make(4000, 2, 1.2)

    found = estimated(known, now, problem)

    promised, true = lost(known, problem), lost(now, problem)
    assert abs(found["pape"]["loss"] - true) < 0.4 * abs(promised - true)


def test_weights_help_where_the_calibration_moves_with_the_rows():
    known, now = labelled(5000, 1), labelled(5000, 2)
    keep = now[1] == "trial"
    now = tuple(part[keep] for part in now)

    found = estimated(known, now, SORTS)

    true = lost(now, SORTS)
    assert abs(found["pape"]["loss"] - true) < 0.5 * abs(found["cbpe"]["loss"] - true)


def test_ranges_of_sound_estimates_hold_about_as_often_as_they_say():
    known = labelled(3000, 1)
    held = 0
    for seed in range(30):
        now = labelled(500, 100 + seed, 0.5)
        one = estimated(known, now, SORTS, seed)["pape"]
        held += abs(one["loss"] - lost(now, SORTS)) < 1.96 * one["error"]

    assert held >= 25


def test_three_labels_are_estimated_too():
    rng, x, plan = rows(3000, 1)
    scores = np.column_stack([x, -x, 0.5 * x**2])
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    true = (rng.random(3000)[:, None] > p.cumsum(axis=1)).sum(axis=1).astype(float)
    sharp = p**1.5 / (p**1.5).sum(axis=1, keepdims=True)
    known = tuple(part[:1500] for part in (x, plan, sharp, true))
    now = tuple(part[1500:] for part in (x, plan, sharp, true))

    found = estimated(known, now, THREE)

    assert abs(found["pape"]["loss"] - lost(now, THREE)) < 3 * found["pape"]["error"]


def test_the_metric_that_people_read_is_estimated_with_it():
    area = Problem("classify", "y", "auc", "probabilities", ("no", "yes"))
    known, now = labelled(4000, 1), labelled(4000, 2, 1.2)

    found = estimated(known, now, area)

    measured = TASKS["classify"].shown("auc", now[2], now[3], None)
    assert found["pape"]["score"] == pytest.approx(measured, abs=0.04)


def test_rows_that_were_never_seen_are_refused_with_the_number():
    found = estimated(labelled(2000, 1), labelled(2000, 2, 6.0), SORTS)

    assert "pape" not in found
    assert "100 are needed" in found["refused"]


def test_a_running_number_is_left_out_and_said_so():
    known, now = labelled(2000, 1), labelled(2000, 2)
    x, plan, said, true = known
    columns = (*COLUMNS, Column("count", "number"))
    sample = pl.DataFrame(
        {"x:x": x, "x:plan": plan, "x:count": np.arange(2000.0), "truth": true,
         "answer.0": said[:, 0], "answer.1": said[:, 1]}
    )  # fmt: skip
    held = reference_of(sample, columns, labels=SORTS.labels)
    frame = traffic(now, SORTS).with_columns(count=pl.int_range(2000, 4000).cast(pl.Float64))

    found = estimate(frame, held, problem=SORTS, task=TASKS["classify"])

    assert found["left_out"] == ["count"]
    assert "pape" in found


def test_concept_drift_shows_in_no_estimate():
    known, now = labelled(4000, 1), labelled(4000, 2, turned=0.3)

    found = estimated(known, now, SORTS)

    assert lost(now, SORTS) - found["pape"]["loss"] > 5 * found["pape"]["error"]


def test_the_same_window_gives_the_same_facts_and_they_are_json():
    known, now = labelled(4000, 1), labelled(4000, 2)

    first, second = estimated(known, now, SORTS, 7), estimated(known, now, SORTS, 7)

    assert json.dumps(first, allow_nan=False) == json.dumps(second, allow_nan=False)


def test_without_a_sample_or_with_few_rows_nothing_is_said():
    now = labelled(40, 2)
    task = TASKS["classify"]

    none = estimate(traffic(now, SORTS), None, problem=SORTS, task=task)
    few = estimated(labelled(2000, 1), now, SORTS)
    empty = estimate(pl.DataFrame(), reference(now, SORTS.labels), problem=SORTS, task=task)

    assert none == {"n": 40, "refused": "no rows of the training with answers are kept"}
    assert few["refused"] == "fewer than 50 rows"
    assert empty["n"] == 0


def test_columns_that_are_gone_or_text_are_left_out():
    known, now = labelled(2000, 1), labelled(2000, 2)
    frame = traffic(now, SORTS).drop("plan").with_columns(x=pl.lit("nonsense"))

    found = estimate(frame, reference(known, SORTS.labels), problem=SORTS, task=TASKS["classify"])

    assert "plan" in found["left_out"]
    assert "cbpe" in found
