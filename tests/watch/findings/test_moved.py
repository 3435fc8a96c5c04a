from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from everfit.records import Finding
from everfit.watch.drift import drift
from everfit.watch.findings.moved import drift_alarms, drift_findings
from tests.watch.traffic import days, reference, rows


def after(change: pl.Expr | list[pl.Expr], n_days: int = 20) -> list[Finding]:
    """Findings about traffic that changed on the ninth day."""
    windows = days(n_days, lambda day, f: f.with_columns(change) if day >= 8 else f)
    found = drift(windows, reference(), window_s=86_400.0, alpha=0.01)
    assert {alarm.about for alarm in drift_alarms(found)} >= {
        name for finding in drift_findings(found, reference(), windows) for name in finding.columns
    }
    return drift_findings(found, reference(), windows)


def about(findings: list[Finding], name: str) -> str:
    return next(one.headline for one in findings if one.columns == (name,))


def some(share: float) -> pl.Expr:
    return pl.int_range(pl.len()) % 100 < int(100 * share)


@pytest.mark.parametrize(
    ("change", "name", "expected"),
    [
        (pl.when(~some(0.4)).then("plan").alias("plan"), "plan",
         "40% of values are missing, 0% at training"),
        (pl.when(some(0.3)).then(pl.lit("gold")).otherwise("plan").alias("plan"), "plan",
         "30% of values are levels that were not there at training"),
        (pl.when(some(0.5)).then(pl.lit("trial")).otherwise("plan").alias("plan"), "plan",
         "'trial' is 6"),
        (pl.lit("x" * 60).alias("note"), "note", "the typical value is 60 characters, 16 at"),
        (((pl.col("age") - 50) * 0.2 + 50).alias("age"), "age",
         "values lie closer together than at training"),
        (pl.lit(True).alias("paid"), "paid", "'false' is 0% of values, 20% at training"),
    ],
)  # fmt: skip
def test_what_moved_is_said_in_the_unit_of_the_column(
    change: pl.Expr, name: str, expected: str
) -> None:
    assert expected in about(after(change), name)


def test_what_matters_most_comes_first() -> None:
    found = after([pl.col("age") + 12, pl.lit(True).alias("paid")])

    checks = [(one.check, one.columns) for one in found]
    assert checks[-1] == ("data drift", ("paid",))
    assert found[-1].severity == "info"
    assert {one.severity for one in found[:-1]} == {"warn"}


def test_a_finding_says_how_sure_it_is() -> None:
    evidence = after(pl.col("age") + 12)[0].evidence

    assert evidence["log_e"] >= evidence["limit"]
    assert evidence["windows"] == 20
    assert evidence["n"] == 4_000
    assert evidence["false_alarm_a_year"] == 0.01


def test_nothing_is_said_of_what_did_not_move() -> None:
    windows = days(20)
    found = drift(windows, reference(), window_s=86_400.0, alpha=0.01)

    assert drift_findings(found, reference(), windows) == []
    assert drift_alarms(found) == ()


def test_the_likeliest_first_window_is_named_not_the_one_that_was_enough() -> None:
    windows = days(20, lambda day, f: rows(200, np.random.default_rng(day), shift=0.8)
                   if day >= 12 else f)  # fmt: skip
    found = drift(windows, reference(), window_s=86_400.0, alpha=0.01)
    at = found.names.index("age")

    assert "since 14 Mar" in about(drift_findings(found, reference(), windows), "age")
    assert found.since[at] is not None
    assert found.begun[at] is not None
    assert found.since[at] - found.begun[at] >= timedelta(days=2)
