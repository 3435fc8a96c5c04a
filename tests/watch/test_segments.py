"""Kept segments: which rows they hold, and alarms of their own."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from everfit.data.groups import groups
from everfit.records import Upkeep
from everfit.watch.measured import degradation
from everfit.watch.segments import members, segments, weakest
from tests.tables import make_table
from tests.watch.matured_traffic import DAY, MONDAY, certified, reduced, traffic

KEPT = certified(segments={"side=left": 0.6, "side=right": 0.55})


def test_names_of_groups_lead_back_to_their_rows():
    rng = np.random.default_rng(0)
    frame = pl.DataFrame(
        {
            "plan": [["trial", "pro=1", None][at] for at in rng.integers(0, 3, 300)],
            "age": rng.normal(40, 10, 300),
            "loss up to 3": rng.normal(0, 1e-7, 300),
            "paid": rng.choice([True, False], 300),
        }
    )
    masks = groups(make_table(frame), least=5)

    found = members(frame, masks)

    assert len(masks) > 10
    assert set(found) == set(masks)
    for name, mask in masks.items():
        # a limit is rounded in the name: a row on the edge may fall to the neighbour
        assert (found[name] == mask).mean() > 0.98, name


def test_numbers_that_came_as_text_are_still_numbers():
    found = members(pl.DataFrame({"age": ["30", "50", None]}), ["age above 33"])

    assert found["age above 33"].tolist() == [False, True, False]


def test_a_feature_that_the_log_shows_under_another_name_is_found():
    frame = pl.DataFrame({"key": ["k1", "k2"], "feature.key": ["a", "b"]})

    assert members(frame, ["key=b"])["key=b"].tolist() == [False, True]


def days(n, wrong_left=0.0, last=4):
    windows = []
    for day in range(n):
        frame = traffic(day, 300)
        turn = np.random.default_rng(day).random(300) < (wrong_left if day >= n - last else 0.0)
        swap = pl.Series(turn) & (frame["side"] == "left")
        other = pl.when(pl.col("outcome") == "benign").then(pl.lit("malignant")).otherwise(
            pl.lit("benign")
        )  # fmt: skip
        frame = frame.with_columns(outcome=pl.when(swap).then(other).otherwise("outcome"))
        windows.append(reduced(frame, day=day, certified=KEPT))
    return windows


def test_only_the_segment_that_got_worse_rings():
    windows = days(20, wrong_left=0.6)

    found = {alarm.about: alarm for alarm in segments(windows, Upkeep())}

    assert found["side=left"].since == MONDAY + 16 * DAY
    assert found["side=right"].since is None
    assert found["side=left"].check == "segment"


def test_sound_segments_ring_nothing_and_worse_ones_come_first():
    found = segments(days(20), Upkeep())

    assert [alarm.since for alarm in found] == [None, None]
    assert found[0].e >= found[1].e


def test_segments_take_their_part_of_the_budget_from_the_alarm_of_all_rows():
    plain = [reduced(traffic(day, 200), day=day) for day in range(2)]

    alone, beside = degradation(plain, Upkeep()), degradation(days(2), Upkeep())

    assert alone is not None
    assert beside is not None
    assert beside.limit - alone.limit == pytest.approx(np.log(4 / 3))


def test_the_weakest_segment_is_shown_with_its_gap():
    windows = days(10, wrong_left=0.4, last=10)

    found = weakest(windows)

    assert found[0].name == "side=left"
    assert found[0].gap.low > 0
    assert found[0].p < 0.01
    assert found[0].n == sum(w.facts["maps"]["side=left"]["n"] for w in windows)


def test_without_kept_segments_there_is_nothing_to_say():
    windows = [reduced(traffic(0))]

    assert segments(windows, Upkeep()) == ()
    assert weakest(windows) == ()
