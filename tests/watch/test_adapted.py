"""Recalibration is tried with nothing but what was known before the window began."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from everfit.evidence.trial.differences import Differences
from everfit.records import Problem
from everfit.tasks import TASKS
from everfit.watch.adapted import LEAST_ROWS, Recent, adapted, newest_calibration

START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
TASK = next(task for task in TASKS.values() if task.form == "probabilities")
PROBLEM = Problem(TASK.name, "y", "log_loss", "probabilities", labels=("no", "yes"))


def said(n: int, *, told: timedelta = HOUR, at: datetime = START - 48 * HOUR, version: int = 3,
         seed: int = 0, prefix: str = "a") -> pl.DataFrame:  # fmt: skip
    """Answers that are far too sure, with their outcomes."""
    rng = np.random.default_rng(seed)
    p = rng.uniform(0.2, 0.8, n)
    yes = rng.random(n) < p
    sure = 1 / (1 + np.exp(-4 * np.log(p / (1 - p))))
    return pl.DataFrame({
        "id": [f"{prefix}{i}" for i in range(n)], "at": [at] * n, "version": [version] * n,
        "arm": ["champion"] * n, "key": [None] * n,
        "value": np.where(sure > 0.5, "yes", "no").tolist(),
        "probabilities": [{"no": 1 - q, "yes": q} for q in sure.tolist()],
        "outcome": np.where(yes, "yes", "no").tolist(), "outcome_at": [at + told] * n,
    })  # fmt: skip


def recent(frame: pl.DataFrame, **changes: object) -> Recent:
    return replace(Recent(frame, START, PROBLEM, TASK, 4.0), **changes)


def gain(frame: pl.DataFrame, window: pl.DataFrame) -> float | None:
    found = adapted(window, window.clear(), recent(frame), 3, START + 24 * HOUR)
    return Differences.from_dict(found["3"]).mean if found else None


def test_answers_that_are_too_sure_would_have_been_better_recalibrated():
    found = gain(said(800), said(400, at=START, seed=1, prefix="b"))

    assert found is not None
    assert found > 0.01


def test_outcomes_that_were_told_after_the_window_began_are_not_known():
    late = said(800, told=49 * HOUR)

    assert newest_calibration(recent(late), 3) is None


def test_an_outcome_told_later_changes_nothing():
    known, window = said(800), said(400, at=START, seed=1, prefix="b")
    later = said(600, told=49 * HOUR, seed=2, prefix="c").with_columns(
        pl.lit("yes").alias("outcome")
    )

    assert gain(pl.concat([known, later]), window) == gain(known, window)


def test_from_few_outcomes_and_for_others_versions_nothing_is_learnt():
    assert newest_calibration(recent(said(LEAST_ROWS - 1)), 3) is None
    assert newest_calibration(recent(said(800)), 4) is None
    assert newest_calibration(recent(pl.DataFrame()), 3) is None


def test_where_silence_means_a_label_the_calibration_counts_it_so():
    """Only the outcomes `yes` are ever told: taken alone they would say that all are."""
    frame = said(1200).with_columns(
        pl.when(pl.col("outcome") == "yes").then(pl.col("outcome")).alias("outcome")
    )
    frame = frame.with_columns(
        pl.when(pl.col("outcome").is_not_null()).then(pl.col("outcome_at")).alias("outcome_at")
    )

    found = newest_calibration(recent(frame, missing="no"), 3)

    assert found == newest_calibration(recent(said(1200)), 3)


def test_a_challenger_is_recalibrated_on_its_own_answers():
    window = said(400, at=START, seed=1, prefix="b")
    shadow = window.with_columns(
        pl.lit(4, pl.Int64).alias("version"),
        pl.col("id").alias("of"),
        pl.lit("shadow").alias("arm"),
    )
    frame = pl.concat([said(800), said(800, version=4, seed=3, prefix="d")])

    found = adapted(window, shadow, recent(frame), 3, START + 24 * HOUR)

    assert sorted(found) == ["3", "4"]
    assert found["4"]["n"] == 400
    assert Differences.from_dict(found["4"]).mean == pytest.approx(
        Differences.from_dict(found["3"]).mean, abs=0.02
    )
