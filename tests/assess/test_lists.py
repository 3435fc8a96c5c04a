"""What the assessment finds in records of who met what."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest

from everfit.assess import assess
from everfit.assess.stage import CHECKS, LISTS
from everfit.data.clean import clean
from everfit.data.read import read
from everfit.errors import TooFewRows
from everfit.records import Assessment, Finding, Role
from everfit.tasks import TASKS
from tests.meetings import catalogue, meetings, posed

NOW = datetime(2026, 11, 20, tzinfo=UTC)
SEEN = meetings(2_500)


def assessed(
    frame: pl.DataFrame,
    *,
    roles: dict[str, Role] | None = None,
    items: pl.DataFrame | None = None,
) -> Assessment:
    beside: Mapping[str, Any] = {} if items is None else {"items": items}
    table, problem = posed(frame, beside=beside, roles=roles)
    tables = {name: read(one, roles={"item": "ignore"}) for name, one in beside.items()}
    return assess(
        table,
        problem,
        task=TASKS["recommend"],
        rng=np.random.default_rng(0),
        beside=tables,
        now=NOW,
    )


def found(assessment: Assessment, check: str) -> Finding:
    return next(f for f in assessment.findings if f.check == check)


def test_checks_of_rows_are_not_run_and_those_of_lists_are_counted() -> None:
    names = {check.name for check in CHECKS}

    assessment = assessed(SEEN)

    assert len(LISTS) == 8
    assert {f.check for f in assessment.findings}.isdisjoint(names)
    assert assessment.n_checks == len(LISTS) + 3


def test_a_clean_record_has_nothing_to_act_upon() -> None:
    assessment = assessed(SEEN, items=catalogue())

    assert assessment.acts == ()
    assert all(f.severity == "info" for f in assessment.findings)


def test_the_split_is_forward_in_time_and_the_floor_is_the_loss_of_what_is_popular() -> None:
    assessment = assessed(SEEN)

    assert (assessment.split.kind, assessment.split.together) == ("time", "user")
    assert 0.3 < assessment.floor.mid < 1.0
    assert 0.0 < assessment.smallest_gain < 0.2
    assert found(assessment, "enough asks").evidence["floor_loss"] == assessment.floor.mid


def test_sizes_and_strangers_are_counted() -> None:
    assessment = assessed(SEEN)

    facts = found(assessment, "users and items").evidence
    assert facts["users"] == SEEN["user"].n_unique()
    assert facts["items"] == SEEN["item"].n_unique()


def test_the_same_meeting_twice_is_counted_once() -> None:
    twice = pl.concat([SEEN, SEEN.head(40)])
    table, _ = posed(twice)

    assessment = assessed(twice)

    finding = found(assessment, "repeated interactions")
    assert finding.number == 40
    assert finding.done == "counted once"
    assert clean(table, finding.acts).n_rows == SEEN.height


def test_a_time_in_the_future_is_left_out_and_named() -> None:
    late = SEEN.with_columns(
        timestamp=pl.when(pl.int_range(pl.len()) < 3)
        .then(pl.lit(1_900_000_000))
        .otherwise("timestamp")
    )
    table, _ = posed(late)

    finding = found(assessed(late), "time in the future")

    assert finding.number == 3
    assert "2030" in finding.headline
    assert clean(table, finding.acts).n_rows == SEEN.height - 3


def test_very_many_times_in_the_future_mean_a_wrong_clock_and_are_kept() -> None:
    late = SEEN.with_columns(pl.col("timestamp") + 200_000_000)

    finding = found(assessed(late), "time in the future")

    assert finding.severity == "fail"
    assert finding.acts == ()


def test_ties_in_time_are_told() -> None:
    tied = SEEN.with_columns(pl.col("timestamp") // 2_592_000 * 2_592_000)

    finding = found(assessed(tied), "ties in time")

    assert finding.severity == "warn"
    assert finding.number is not None
    assert finding.number > 0.5


def test_rows_without_a_user_or_an_item_are_left_out() -> None:
    holed = SEEN.with_columns(
        user=pl.when(pl.int_range(pl.len()) % 100 == 0).then(None).otherwise("user"),
        item=pl.when(pl.int_range(pl.len()) % 125 == 1).then(None).otherwise("item"),
    )
    table, _ = posed(holed)

    assessment = assessed(holed)

    told = [f for f in assessment.findings if f.check == "missing users or items"]
    assert sorted(f.number or 0 for f in told) == [holed["item"].null_count(), 25]
    assert clean(table, assessment.acts).n_rows == holed.drop_nulls().height


def test_a_missing_time_is_kept_as_old_and_told() -> None:
    holed = SEEN.with_columns(
        timestamp=pl.when(pl.int_range(pl.len()) % 50 == 0).then(None).otherwise("timestamp")
    )

    finding = found(assessed(holed), "time of interactions")

    assert finding.number == 50
    assert finding.acts == ()


def test_without_a_time_the_order_of_rows_stands_for_it_and_a_time_is_advised() -> None:
    assessment = assessed(SEEN.drop("timestamp"), roles={"user": "group", "item": "target"})

    assert assessment.split.kind == "last"
    assert "--time" in found(assessment, "time of interactions").headline
    assert np.isfinite(assessment.floor.mid)


def test_meeting_an_item_again_is_told_with_what_it_means() -> None:
    again = pl.concat([SEEN, SEEN.head(800).with_columns(pl.col("timestamp") + 90_000)])

    finding = found(assessed(again), "items met again")

    assert finding.number == pytest.approx(800 / 3_300, abs=0.05)
    assert "may show an item again" in finding.done


def test_missing_and_double_keys_of_the_table_of_items_are_told() -> None:
    odd = pl.concat(
        [
            catalogue().filter(pl.col("item") != "i000"),
            pl.DataFrame(
                {"item": [None, "i001", "none"], "about": ["nobody", "again", "a late one"]}
            ),
        ]
    )

    assessment = assessed(SEEN, items=odd)

    told = {f.headline for f in assessment.findings if f.check == "table of items"}
    assert any(text.startswith("1 row of the table of items without") for text in told)
    assert any(text.startswith("1 row of the table of items with a key") for text in told)
    assert any(text.startswith("1 item that users met, not in") for text in told)
    assert any(text.startswith("1 item of the table of items that nobody met") for text in told)


def test_one_meeting_of_each_user_can_be_judged_by_a_time_and_not_without() -> None:
    once = pl.DataFrame(
        {
            "user": [f"u{k}" for k in range(90)],
            "item": [f"i{k % 4}" for k in range(90)],
            "timestamp": [1_700_000_000 + 5_000 * k for k in range(90)],
        }
    )

    timed = assessed(once)

    assert found(timed, "new users and items").number == 1.0
    with pytest.raises(TooFewRows, match="no last row can be held out by 'user'"):
        assessed(once.drop("timestamp"), roles={"user": "group", "item": "target"})


def test_users_with_few_interactions_are_told() -> None:
    thin = meetings(1_200, n_users=800, n_items=60)

    finding = found(assessed(thin), "users with few interactions")

    assert finding.number is not None
    assert finding.number > 0.5
    assert finding.severity == "warn"
