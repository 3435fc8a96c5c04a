from __future__ import annotations

from dataclasses import replace

from everfit.evidence.interval import Interval
from everfit.faces.words.findings import assessment_text, finding_lines
from everfit.records import Finding
from tests.faces.build import assessment, problem

LEAK = Finding(
    "leak", "fail", "`x` gives the target away", ("x",), 0.99, examples=("yes",), done="left out",
    evidence={"test": "AUC of one column", "statistic": 4867123.4, "p": 1e-9, "n": 500},
)  # fmt: skip


def test_a_finding_tells_its_test_in_short_and_all_of_it_when_asked() -> None:
    short, full = finding_lines(LEAK), finding_lines(LEAK, full=True)

    assert short == [
        "  ✗ `x` gives the target away",
        "      such as 'yes'",
        "      test: AUC of one column, p 1e-09, n 500",
        "      done: left out",
    ]
    assert "      test: AUC of one column, statistic 4,867,000, p 1e-09, n 500" in full


def test_that_nothing_was_done_is_not_told() -> None:
    assert finding_lines(Finding("rows", "info", "few rows")) == ["  · few rows"]


def test_a_floor_is_told_in_the_unit_of_the_metric_where_it_has_one() -> None:
    numbers = assessment(
        problem=problem(task="regress", metric="rmse", labels=(), form="values"),
        floor=Interval(100.0, 144.0, 196.0, n=500),
        smallest_gain=372951.4,
    )

    text = " ".join(assessment_text(numbers).split())

    assert "RMSE 12.0 (95% range 10.0 to 14.0), 500 rows" in text
    assert "the mean squared error of a model is lower by 373,000" in text


def test_worst_findings_stand_first_and_folds_are_left_to_the_run() -> None:
    text = assessment_text(replace(assessment(), findings=(assessment().findings[0], LEAK)))

    assert text.index("gives the target away") < text.index("`age` is missing")
    assert "folds" not in text
