"""The main job on real sets with traps: what must be found, and what must come out."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from everfit import wire
from everfit.loop import Request, RunResult
from everfit.records import Progress
from tests.real import shared_set

BUDGET_S = 12.0


def quiet(progress: Progress) -> None:
    """Nobody listens."""


def run(name: str, folder: Path, budget_s: float = BUDGET_S) -> RunResult:
    path, entry = shared_set(name)
    with wire.house(folder / "store") as house:
        request = Request(
            path,
            entry["target"],
            name="m",
            budget_s=budget_s,
            header=entry["names"],
            started=time.monotonic(),
        )
        return house.run(request, quiet)


def checks(result: RunResult) -> dict[str, set[str]]:
    """Columns by the name of the check that found something in them."""
    found: dict[str, set[str]] = {}
    for finding in result.assessment.findings:
        found.setdefault(finding.check, set()).update(finding.columns)
    return found


def dropped(result: RunResult) -> set[str]:
    return {act.column for act in result.assessment.acts if act.kind == "drop_column"}


def blanked(result: RunResult) -> set[str]:
    return {act.column for act in result.assessment.acts if act.kind == "blank"}


@pytest.mark.parametrize(
    ("name", "bar"),
    [
        ("telco_churn", 0.45),
        ("titanic", 0.52),
        ("adult", 0.31),
        ("credit_g", 0.56),
        ("credit_scoring", 0.48),
        ("pima", 0.53),
        ("car_eval", 0.15),
        ("abalone", 2.30),
        ("insurance", 5_100.0),
    ],
)
def test_the_main_job_beats_a_bar_that_a_default_model_reaches(
    name: str, bar: float, tmp_path: Path
) -> None:
    result = run(name, tmp_path)

    assert result.decision.kind == "released"
    assert result.study.candidate.score.mid < bar


def test_identifiers_do_not_reach_the_model(tmp_path: Path) -> None:
    result = run("telco_churn", tmp_path)

    members = {c.name for c in result.assessment.profile.columns}
    assert "customerID" in members
    assert "customerID" in dropped(result) or any(
        "customerID" in f.columns for f in result.assessment.findings
    )


def test_a_sentinel_number_counts_as_missing(tmp_path: Path) -> None:
    result = run("credit_scoring", tmp_path)

    assert {"Income", "Assets"} <= blanked(result)


def test_columns_that_give_the_target_away_are_left_out(tmp_path: Path) -> None:
    result = run("bike_hour", tmp_path)

    assert {"casual", "registered"} <= dropped(result)


def test_rows_in_time_order_are_held_out_forward_in_time(tmp_path: Path) -> None:
    # 45,000 rows: on a busy machine the assessment of a shorter run has no time for the split test
    result = run("elec2", tmp_path, budget_s=24.0)

    assert result.study.split.kind == "time"
