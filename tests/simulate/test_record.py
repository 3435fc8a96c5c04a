"""The simulated record keeps the promise of the log: nothing is seen before it was told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from everfit.simulate.answering import INSTANT
from everfit.simulate.record import SimulatedRecord
from everfit.simulate.world import Clock

DAY = timedelta(days=1)
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)


def answers(day: int, arm: str = "champion", version: int = 1) -> pl.DataFrame:
    at = [BEGIN + day * DAY + timedelta(hours=h) for h in (1, 9)]
    told = [moment + 2 * DAY for moment in at]
    return pl.DataFrame(
        {
            "id": [f"{day}-{i}" for i in range(2)],
            "at": pl.Series(at, dtype=INSTANT),
            "version": pl.Series([version] * 2, dtype=pl.Int32),
            "arm": [arm] * 2,
            "value": ["yes", "no"],
            "outcome": ["yes", "yes"],
            "outcome_at": pl.Series(told, dtype=INSTANT),
        }
    )


@pytest.fixture
def record(tmp_path):
    clock = Clock(BEGIN)
    made = SimulatedRecord(tmp_path / "answers", clock)
    for day in range(4):
        made.add(BEGIN + day * DAY, BEGIN + (day + 1) * DAY, answers(day))
    return made


def whole(record, **wanted) -> pl.DataFrame:
    return pl.concat(record.joined("any", **wanted))


def test_outcomes_are_seen_from_the_moment_they_were_told(record):
    assert whole(record)["outcome"].null_count() == 8

    record._clock.now = BEGIN + 3 * DAY

    assert whole(record)["outcome"].to_list() == ["yes", "yes", *[None] * 6]
    assert whole(record)["lateness"].drop_nulls().unique().to_list() == [2 * DAY]


def test_a_stretch_has_its_start_and_not_its_end(record):
    found = whole(record, since=BEGIN + DAY + timedelta(hours=1), until=BEGIN + 2 * DAY)

    assert found["id"].to_list() == ["1-0", "1-1"]
    assert whole(record, since=BEGIN + DAY, until=BEGIN + DAY + timedelta(hours=9)).height == 1


def test_columns_arms_and_versions_can_be_picked(record):
    record.add(BEGIN, BEGIN + DAY, answers(0, "shadow", 2))

    assert whole(record, arm="shadow").height == whole(record, version=2).height == 2
    assert whole(record, columns=["at", "nothing"]).columns == ["at"]


def test_the_span_is_that_of_all_answers_in_whatever_order_they_came(record):
    record.add(BEGIN - DAY, BEGIN, answers(-1))

    assert record.span("any") == (
        BEGIN - DAY + timedelta(hours=1), BEGIN + 3 * DAY + timedelta(hours=9)
    )  # fmt: skip
