from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl
import pytest

from everfit.evidence.interval import Interval
from everfit.plain import as_plain
from everfit.records import Health, Upkeep, Window
from everfit.tasks import TASKS
from everfit.watch import Beside, Certified, made_reference, matured, watch
from tests.watch import traffic
from tests.watch.traffic import DAY, PROBLEM, START, VERSION, log, reference, rows, told, window

TASK = TASKS["classify"]
BESIDE = Beside(problem=PROBLEM, task=TASK)
CERTIFIED = Certified(Interval(0.58, 0.6, 0.62, n=5_000), 3.0)
Frame = pl.DataFrame
Change = Callable[[int, Frame], Frame]


def same(day: int, frame: Frame) -> Frame:
    return frame


@lru_cache(maxsize=64)
def day_of(day: int, n: int) -> Frame:
    return rows(n, np.random.default_rng([9, day]))


def lived(
    n_days: int, features: Change = same, outcomes: Change = same, *, n: int = 200, **more: Any
) -> list[Window]:
    """Both windows of each day; ``features`` and ``outcomes`` change what came."""
    found = []
    upkeep = more.pop("upkeep", Upkeep())
    for day in range(n_days):
        frame = log(features(day, day_of(day, n)), day)
        joined = outcomes(day, told(frame, day))
        found.append(window(joined, day, **({"beside": BESIDE} | more)))
        begin = START + day * DAY
        found.append(
            matured(
                joined, joined.clear(), start=begin, end=begin + DAY, champion=3,
                problem=PROBLEM, task=TASK, upkeep=upkeep, certified=CERTIFIED,
            )
        )  # fmt: skip
    return found


def look(windows: list[Window], **more: Any) -> Health:
    given: dict[str, Any] = {"reference": reference(), "upkeep": Upkeep()} | more
    now = given.pop("now", max((w.end for w in windows), default=START))
    return watch(
        windows, given["reference"], given["upkeep"], model="churn", version=VERSION, now=now
    )


def found(health: Health, check: str) -> list[tuple[str, str]]:
    return [(one.severity, one.headline) for one in health.findings if one.check == check]


def after(first: int, change: Callable[[Frame], Frame]) -> Change:
    """Nothing before day ``first``, ``change`` from it on."""
    return lambda day, frame: change(frame) if day >= first else frame


def test_a_model_of_which_nothing_moved_is_healthy() -> None:
    health = look(lived(14))

    assert health.state == "healthy"
    assert health.findings == ()
    assert health.alarms == ()
    assert "as was certified" in health.headline
    assert (health.asked, health.matured) == (2_800, 2_800)
    assert health.regime is not None
    assert health.regime.name == "stable"
    json.dumps(as_plain(health), allow_nan=False)


def test_the_order_of_windows_does_not_matter() -> None:
    windows = lived(10)

    assert look(windows[::-1]) == look(windows)


def test_no_traffic_at_all_is_not_enough_data() -> None:
    health = look([])

    assert health.state == "not_enough_data"
    assert health.headline == "Too little to judge: 0 windows and 0 predictions so far."


def test_one_row_is_not_enough_data() -> None:
    assert look(lived(1, n=1)).state == "not_enough_data"


def test_drift_alone_never_needs_a_person() -> None:
    def older(frame: Frame) -> Frame:
        return frame.with_columns((pl.col("age") + 15).clip(0, 100))

    # outcomes follow what is said: the model is as good as before on older people
    health = look(lived(20, after(8, older)))

    assert health.state == "watch"
    ((severity, headline),) = found(health, "data drift")[:1]
    assert severity == "warn"
    assert headline.startswith("`age` moved since 10 Mar: the typical value is 6")
    assert "49.72 at training. The answers lean on it." in headline
    assert {alarm.about for alarm in health.alarms} >= {"age", "probability of yes"}
    assert all(alarm.e >= alarm.limit for alarm in health.alarms)


def test_a_drift_that_answers_hardly_depend_on_is_only_told() -> None:
    def longer(frame: Frame) -> Frame:
        return frame.with_columns(pl.lit("pro").alias("plan"))

    health = look(lived(14, after(4, longer)))

    drifted = [one for one in health.findings if one.check == "data drift" and one.columns]
    assert [one.columns for one in drifted] == [("plan",)]
    assert drifted[0].severity == "info"
    assert "hardly depend" in drifted[0].headline


def test_a_loss_that_rises_while_no_column_moves_is_concept_drift() -> None:
    def turned(frame: Frame) -> Frame:
        other = pl.when(pl.col("outcome") == "yes").then(pl.lit("no")).otherwise(pl.lit("yes"))
        return frame.with_columns(outcome=other)

    health = look(lived(24, outcomes=after(10, turned)))

    assert health.state == "needs_you"
    assert found(health, "degradation")[0][0] == "fail"
    assert "the same rows now have other outcomes" in found(health, "concept drift")[0][1]
    assert any(alarm.budget == "degradation" for alarm in health.alarms)


def test_a_loss_that_rises_with_a_column_says_which() -> None:
    def older(frame: Frame) -> Frame:
        return frame.with_columns((pl.col("age") + 15).clip(0, 100))

    def random(frame: Frame) -> Frame:
        coin = np.random.default_rng(3).random(frame.height) < 0.5
        return frame.with_columns(outcome=pl.Series(np.where(coin, "yes", "no")))

    health = look(lived(24, after(10, older), after(10, random)))

    assert health.state == "needs_you"
    assert found(health, "concept drift") == []
    assert "The loss rose, and `age` moved too." in [h for _, h in found(health, "data drift")]


def test_outcomes_in_other_shares_are_label_drift() -> None:
    def rarer(frame: Frame) -> Frame:
        keep = np.random.default_rng(1).random(frame.height) < 0.4
        rare = pl.Series(np.where(keep, frame["outcome"].to_numpy(), "no"))
        return frame.with_columns(outcome=rare)

    health = look(lived(24, outcomes=after(10, rarer)))

    ((severity, headline),) = found(health, "label drift")[:1]
    assert severity == "warn"
    assert headline.startswith("Outcomes moved since 12 Mar")


def test_a_column_that_no_longer_comes_needs_a_person_and_a_new_name_is_guessed() -> None:
    health = look(lived(8, after(6, lambda f: f.rename({"age": "years"}))))

    assert health.state == "needs_you"
    ((_, headline),) = [one for one in found(health, "schema") if one[0] == "fail"]
    assert headline == (
        "`age` no longer comes since 8 Mar; 100% of rows had it at training. "
        "`years` looks like it: was it renamed? The answers lean on it."
    )


def test_a_column_that_answers_hardly_need_and_that_never_came_is_a_warning() -> None:
    health = look(lived(4, lambda day, f: f.drop("note")))

    assert found(health, "schema")[0][0] == "warn"
    assert "never came" in found(health, "schema")[0][1]


def test_a_retyped_column_needs_a_person() -> None:
    health = look(lived(5, after(3, lambda f: f.with_columns(age=pl.lit("forty")))))

    ((severity, headline),) = found(health, "schema")
    assert severity == "fail"
    assert "200 of 200 values are no number, such as 'forty' since 5 Mar" in headline


def test_a_new_column_is_told_once() -> None:
    windows = lived(6, after(4, lambda f: f.with_columns(more=pl.lit(1))))

    first, later = look(windows[:10]), look(windows)

    assert found(first, "schema")[0][0] == "info"
    assert "`more` came for the first time" in found(first, "schema")[0][1]
    assert found(later, "schema") == []


def test_values_out_of_range_and_one_value_alone_are_warnings() -> None:
    health = look(lived(3, after(2, lambda f: f.with_columns(
        age=pl.lit(212.0) + pl.int_range(pl.len()), paid=pl.lit(True)))))  # fmt: skip

    said = [headline for _, headline in found(health, "values")]
    assert any("outside the training range (0 to 100), such as 212" in line for line in said)
    assert any("`paid` had one value, 'True', in all 200 rows" in line for line in said)


def test_most_values_missing_at_once_is_told_after_one_window() -> None:
    def half(frame: Frame) -> Frame:
        return frame.with_columns(age=pl.when(pl.int_range(pl.len()) % 2 == 0).then("age"))

    health = look(lived(3, after(2, half)))

    assert "`age`: 50% of values are missing, 0% at training" in found(health, "values")[0][1]


def test_requests_that_stopped_are_told() -> None:
    windows = lived(5)

    health = look(windows, now=windows[-1].end + timedelta(days=4))

    assert health.state == "watch"
    assert found(health, "traffic")[0][1].startswith("No request has come since 7 Mar")


def test_outcomes_that_never_come_are_a_warning_and_the_loss_is_estimated() -> None:
    never = pl.lit(None, dtype=pl.String)

    health = look(lived(6, outcomes=lambda day, f: f.with_columns(outcome=never)))

    assert health.state == "watch"
    assert found(health, "outcomes")[0][1].startswith("No outcome has come for 1,200 predictions")
    assert health.measured == ()
    assert len(health.estimated) == 6


def test_outcomes_that_stop_coming_need_a_person() -> None:
    never = pl.lit(None, dtype=pl.String)

    health = look(lived(9, outcomes=after(5, lambda f: f.with_columns(outcome=never))))

    assert health.state == "needs_you"
    assert "since 7 Mar (800 of them, 4 windows)" in found(health, "outcomes")[0][1]


def test_outcomes_that_come_late_do_not_count_and_are_told() -> None:
    late = timedelta(days=5)

    health = look(lived(6, outcomes=after(3, lambda f: f.with_columns(
        outcome_at=pl.col("at") + late, lateness=pl.lit(late)))))  # fmt: skip

    lines = [headline for _, headline in found(health, "outcomes")]
    assert any("came after the time they have" in line for line in lines)


def test_outcomes_that_are_all_one_value_need_a_person() -> None:
    health = look(lived(8, outcomes=after(5, lambda f: f.with_columns(outcome=pl.lit("no")))))

    assert health.state == "needs_you"
    lines = [headline for severity, headline in found(health, "outcomes") if severity == "fail"]
    assert lines
    assert lines[0].startswith("All 600 outcomes since 7 Mar are 'no'; at training")


def test_outcomes_that_are_no_label_are_told() -> None:
    health = look(lived(3, outcomes=after(2, lambda f: f.with_columns(outcome=pl.lit("maybe")))))

    lines = [headline for _, headline in found(health, "outcomes")]
    assert any("are no value of the target, such as 'maybe'" in line for line in lines)


def test_answers_that_the_version_does_not_give_need_a_person() -> None:
    windows = lived(3, verify=lambda features: 1 - traffic.answers(features))

    health = look(windows)

    assert health.state == "needs_you"
    assert "logged answers are not what the version gives" in found(health, "answers again")[0][1]


def test_a_source_that_differs_is_train_serve_skew() -> None:
    frame = log(day_of(0, 200), 0)
    beside = Beside(lookup=lambda keys: frame.select("key", pl.col("age") + 1))

    health = look([window(frame, 0, beside=beside)])

    ((severity, headline),) = found(health, "skew")
    assert severity == "warn"
    assert headline.startswith("`age` differs from the source in 200 of 200 rows, such as")


def test_a_version_without_a_reference_is_held_against_its_first_window() -> None:
    beside = Beside(problem=PROBLEM, columns=traffic.COLUMNS, limits=traffic.LIMITS)
    first = window(log(day_of(0, 500)), 0, reference=None, beside=beside)
    health = look([first], reference=None)

    assert health.state == "healthy"
    assert "its first window stands in" in health.skipped[0]


def test_traffic_that_moves_away_from_the_first_window_is_told_as_that() -> None:
    beside = Beside(problem=PROBLEM, columns=traffic.COLUMNS, limits=traffic.LIMITS)
    first = window(log(day_of(0, 500)), 0, reference=None, beside=beside)
    known = made_reference([first])
    assert known is not None
    later = []
    for day in range(1, 20):
        features = day_of(day, 200).with_columns((pl.col("age") + 15 * (day >= 10)).clip(0, 100))
        later.append(window(log(features, day), day, reference=known))

    health = look([first, *later], reference=None)

    assert health.state == "watch"
    assert "`age` moved since 12 Mar" in found(health, "data drift")[0][1]
    assert "in the first window" in found(health, "data drift")[0][1]


def test_a_version_without_any_reference_says_what_is_not_done() -> None:
    health = look([window(log(day_of(0, 50)), 0, reference=None)], reference=None)

    assert "no window is large enough yet" in health.skipped[0]


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_the_error_budget_decides_how_sure_an_alarm_is(shift: float) -> None:
    windows = lived(12, after(6, lambda f: f.with_columns(pl.col("age") + 10 * shift)))

    usual, none = (look(windows, upkeep=Upkeep(shares={"drift": share})) for share in (0.2, 0.0))

    assert bool(usual.alarms) == bool(shift)
    assert none.alarms == ()
