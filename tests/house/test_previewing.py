from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl

from everfit.evidence.interval import Interval
from everfit.house.previewing import Champion, Preview, preview
from everfit.records import Problem, Upkeep, Version, Window
from everfit.tasks import TASKS
from everfit.watch.asked import asked
from everfit.watch.matured import Certified, matured

DAY0 = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
DAYS, ROWS, WORSE_FROM, WELL_FROM = 66, 80, 20, 25
TASK = next(task for task in TASKS.values() if task.form == "values")
PROBLEM = Problem(TASK.name, "y", "mae", "values", label_type="float")
CERTIFIED = Certified(Interval(0.75, 0.8, 0.85, n=5_000))
RULES = Upkeep(floor=1.3, label_delay_s=2 * 86_400.0)
VERSION = Version("shop", 1, "v1", "0" * 64, PROBLEM, Interval(0.75, 0.8, 0.85), "r1", "c1", DAY0)


@cache
def windows() -> tuple[Window, ...]:
    """66 days of traffic whose error is four times as large from day 20 to day 25."""
    rng = np.random.default_rng(7)
    found = []
    for day in range(DAYS):
        start, sd = DAY0 + day * DAY, 4.0 if WORSE_FROM <= day < WELL_FROM else 1.0
        truth = rng.normal(size=ROWS)
        frame = pl.DataFrame(
            {
                "id": [f"{day}-{i}" for i in range(ROWS)],
                "at": [start + timedelta(seconds=60 * i) for i in range(ROWS)],
                "version": [1] * ROWS,
                "arm": ["champion"] * ROWS,
                "value": truth + rng.normal(scale=sd, size=ROWS),
                "outcome": truth,
                "outcome_at": [start + DAY] * ROWS,
            }
        )
        found.append(asked(frame, None, start=start, end=start + DAY, version=1))
        found.append(
            matured(
                frame, frame.clear(), start=start, end=start + DAY, champion=1, problem=PROBLEM,
                task=TASK, upkeep=RULES, certified=CERTIFIED,
            )
        )  # fmt: skip
    return tuple(found)


@cache
def seen(*, floor: float | None = 1.3, hold: int = 1, days: int = 90, until: int = DAYS) -> Preview:
    champions = {1: Champion(VERSION, None)}
    rules = replace(RULES, floor=floor, hold_looks=hold)
    now = DAY0 + until * DAY
    return preview(windows(), champions, rules, model="shop", now=now, days=days)


def floors(found: Preview) -> list[tuple[int, int | None]]:
    """Days on which alerts about the floor fired and were over."""
    return [
        ((one.fired_at - DAY0).days, None if one.over_at is None else (one.over_at - DAY0).days)
        for one in found.alerts
        if one.cause == "floor"
    ]


def test_a_floor_that_was_broken_would_have_been_told_after_the_label_delay() -> None:
    ((fired, over),) = floors(seen())

    # two days of label delay, the window itself, and proof that holds over a year of looks
    assert WORSE_FROM + 3 <= fired <= WORSE_FROM + 10
    assert over is not None
    assert over >= WELL_FROM + 3


def test_a_looser_floor_would_have_brought_no_alert_about_it() -> None:
    assert floors(seen(floor=6.0)) == []
    assert floors(seen(floor=None)) == []


def test_alerts_that_fired_before_the_days_do_not_count() -> None:
    assert len(floors(seen())) == 1
    assert floors(seen(days=30)) == []


def test_nothing_of_the_future_is_used() -> None:
    short = seen(until=30)

    known = [one for one in seen().alerts if one.fired_at <= DAY0 + 30 * DAY]
    assert [(one.cause, one.fired_at) for one in short.alerts] == [
        (one.cause, one.fired_at) for one in known
    ]
    assert all(one.over_at is None or one.over_at <= DAY0 + 30 * DAY for one in short.alerts)


def test_patience_changes_when_people_would_have_heard() -> None:
    ((at_once, _),) = floors(seen())
    ((later, _),) = floors(seen(hold=4))

    assert later == at_once + 3


def test_looks_are_counted_by_window() -> None:
    assert seen(days=30).looks == 30
    assert seen().looks == DAYS


def test_without_windows_there_is_nothing_to_say() -> None:
    found = preview([], {}, RULES, model="shop", now=DAY0)

    assert (found.looks, found.alerts) == (0, ())


def test_a_version_that_is_not_known_any_more_is_left_out() -> None:
    found = preview(windows(), {}, RULES, model="shop", now=DAY0 + DAYS * DAY)

    assert found.looks == 0


def test_the_stages_are_free_of_the_store() -> None:
    text = Path(__file__).resolve().parents[2] / "src/everfit/house/previewing.py"

    assert "everfit.store" not in text.read_text()
