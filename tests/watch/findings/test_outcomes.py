from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from everfit.records import Window
from everfit.watch.findings.outcomes import label_drift, outcome_findings
from tests.watch.traffic import DAY, START, of_numbers, reference


def lived(day: int, n: int = 100, **told: Any) -> Window:
    """A matured window of ``n`` predictions, of whose outcomes all but ``told`` is in order."""
    values = told.pop("values", {"no": n // 2, "yes": n - n // 2})
    usual = {
        "told": n, "filled": 0, "missing": 0, "late": 0, "wrong": 0, "examples": [],
        "values": values, "q": [], "n": n,
    }  # fmt: skip
    begin = START + day * DAY
    return Window("matured", begin, begin + DAY, 3, n, {"outcomes": usual | told})


def said(windows: list[Window], filler: str | None = None) -> list[tuple[str, str]]:
    found = outcome_findings(windows, reference(), filler=filler)
    return [(one.severity, one.headline) for one in found]


def test_outcomes_in_order_are_no_finding() -> None:
    assert said([lived(day) for day in range(5)]) == []
    assert said([]) == []


def test_few_predictions_without_an_outcome_are_no_surprise() -> None:
    assert said([lived(0, 20, told=0, values={})]) == []


def test_a_weekend_without_outcomes_is_not_the_end_of_them() -> None:
    silent = [lived(day, told=0, values={}) for day in (1, 2)]

    assert said([lived(0), *silent]) == []
    assert said([lived(0), *silent, lived(3, told=0, values={})])[0][0] == "fail"


def test_one_value_alone_is_believed_where_it_is_usual() -> None:
    rare = replace(reference(), label_shares=(0.999, 0.001))
    windows = [lived(day, values={"no": 100}) for day in range(3)]

    assert outcome_findings(windows, rare) == []
    assert outcome_findings(windows, reference())[0].severity == "fail"


def test_one_value_alone_counts_from_its_first_window_on() -> None:
    ((_, headline),) = said([lived(0), lived(1, values={"no": 100}), lived(2, values={"no": 100})])

    assert headline.startswith("All 200 outcomes since 3 Mar are 'no'")


def test_another_single_value_before_is_another_story() -> None:
    windows = [lived(0, values={"yes": 100}), lived(1, values={"no": 100})]

    assert said(windows)[0][1].startswith("All 100 outcomes since 3 Mar")


def test_without_a_reference_one_value_is_surely_odd_only_after_others() -> None:
    single = [lived(day, values={"7": 100}) for day in (1, 2)]

    assert outcome_findings(single, None)[0].severity == "warn"
    assert outcome_findings([lived(0), *single], None)[0].severity == "fail"


def test_one_number_alone_is_held_against_the_numbers_of_the_training() -> None:
    known = replace(reference(), labels=(), label_shares=(), truth=np.repeat([0.0, 1.0], [990, 10]))
    zeros, ones = ([lived(0, values={value: 100})] for value in ("0.0", "1.0"))

    assert outcome_findings(zeros, known) == []
    assert outcome_findings(ones, known)[0].severity == "fail"


def test_where_silence_is_a_label_only_yes_is_told_and_nothing_is_wrong() -> None:
    windows = [lived(day, told=50, filled=50, missing=50, values={"yes": 50}) for day in range(4)]

    assert said(windows, filler="no") == []
    assert said(windows)[0][1].startswith("All 200 outcomes")


def test_where_silence_is_a_label_only_silence_is_odd() -> None:
    windows = [lived(day, told=0, filled=100, missing=100, values={}) for day in range(4)]

    assert said(windows, filler="no")[0][1].startswith("All 400 outcomes")


def test_some_late_or_wrong_outcomes_are_told_with_their_number() -> None:
    late = said([lived(day, told=60, late=40) for day in range(3)])
    wrong = said([lived(0, wrong=3, examples=["maybe"])])
    most = said([lived(0, wrong=60, examples=["maybe"])])

    assert late == [("warn", "40% of outcomes came after the time they have; they do not count. "
                     "A longer label delay would let them.")]  # fmt: skip
    assert wrong[0][0] == "warn"
    assert "3 of 100 outcomes are no value of the target, such as 'maybe'" in wrong[0][1]
    assert most[0][0] == "fail"


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_label_drift_is_found_in_shares(share: float) -> None:
    known = replace(reference(), label_shares=(0.5, 0.5))
    rng = np.random.default_rng(0)
    windows = []
    for day in range(30):
        yes = int(rng.binomial(100, share if day >= 15 else 0.5))
        windows.append(lived(day, values={"no": 100 - yes, "yes": yes}))

    found, findings = label_drift(windows, known, window_s=86_400.0, alpha=0.002)

    assert found is not None
    assert bool(findings) == (share != 0.5)
    if findings:
        assert findings[0].headline.startswith("Outcomes moved since 17 Mar: 'yes' is 82%")


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_label_drift_is_found_in_numbers(shift: float) -> None:
    rng = np.random.default_rng(0)
    known = replace(of_numbers(rng.normal(size=2_000)), truth=rng.normal(size=2_000))
    windows = []
    for day in range(30):
        values = rng.normal(size=100) + shift * (day >= 15)
        q = np.quantile(values, (np.arange(20) + 0.5) / 20)
        windows.append(lived(day, values={}, q=q.tolist()))

    _, findings = label_drift(windows, known, window_s=86_400.0, alpha=0.002)

    assert bool(findings) == bool(shift)
    if findings:
        assert findings[0].headline.startswith("Outcomes moved since 17 Mar: the typical one is")


def test_labels_that_are_written_as_numbers_are_known() -> None:
    known = replace(reference(), labels=("0", "1"), label_shares=(0.5, 0.5))
    windows = [lived(day, values={"0.0": 50, "1.0": 50}) for day in range(20)]

    found, findings = label_drift(windows, known, window_s=86_400.0, alpha=0.002)

    assert found is not None
    assert findings == []


def test_without_anything_to_hold_outcomes_against_there_is_no_test() -> None:
    bare = replace(reference(), label_shares=())
    number = replace(reference(), labels=(), truth=None)

    assert label_drift([lived(0)], bare, window_s=86_400.0, alpha=0.01) == (None, [])
    assert label_drift([lived(0)], number, window_s=86_400.0, alpha=0.01) == (None, [])
    assert label_drift([], reference(), window_s=86_400.0, alpha=0.01) == (None, [])
