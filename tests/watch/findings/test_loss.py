from __future__ import annotations

from dataclasses import replace

from everfit.evidence.interval import Interval
from everfit.records import Alarm, Performance
from everfit.watch.findings.loss import loss_findings
from tests.watch.traffic import DAY, START

RANG = Alarm("degradation", "", "degradation", 12.0, 10.0, 30, START)
DONE = Performance(
    3, START, START + DAY, 200, 200, Interval(0.6, 0.7, 0.8, n=200), Interval(0.7, 0.75, 0.8)
)


def said(*alarms: Alarm, moved: tuple[str, ...] = (), labels_moved: bool = False,
         guarded: tuple[str, ...] = ()) -> list[tuple[str, str, str]]:  # fmt: skip
    found = loss_findings(
        alarms, [DONE], bound=0.63, moved=moved, labels_moved=labels_moved, guarded=guarded
    )
    return [(one.check, one.severity, one.headline) for one in found]


def test_a_loss_above_its_bound_is_said_with_the_number_and_the_limit() -> None:
    (above, kind) = said(RANG)

    assert above == (
        "degradation", "fail", "The loss is above what was certified since 2 Mar: 0.7 (0.6 to 0.8) "
        "in the newest window; allowed is 0.63.",
    )  # fmt: skip
    assert kind[:2] == ("concept drift", "warn")


def test_what_moved_with_the_loss_is_named() -> None:
    assert said(RANG, moved=("age",))[1][2] == "The loss rose, and `age` moved too."
    assert "outcomes come in other shares" in said(RANG, labels_moved=True)[1][2]


def test_a_floor_is_said_in_the_metric() -> None:
    floor = replace(RANG, check="floor")

    assert said(floor) == [(
        "floor", "fail",
        "The metric is on the wrong side of the floor since 2 Mar: 0.75 (0.7 to 0.8).",
    )]  # fmt: skip


def test_a_segment_calls_a_person_only_where_the_policy_guards_it() -> None:
    segment = replace(RANG, check="segment", about="plan=trial")

    assert said(segment)[0][1] == "warn"
    assert said(segment, guarded=("plan=trial",))[0][1] == "fail"
    assert "In the segment plan=trial the loss is above" in said(segment)[0][2]


def test_nothing_that_rang_is_no_finding() -> None:
    assert said() == []
