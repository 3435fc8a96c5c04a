"""What windows say of a version: ranges, the alarm, the floor, and how soon a rise is seen."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from everfit.evidence.interval import Interval
from everfit.records import Upkeep
from everfit.watch.matured import Certified
from everfit.watch.measured import degradation, delay, floor, measured, overall, reign
from tests.watch.matured_traffic import DAY, MONDAY, certified, days, reduced, shadow_of, traffic

RULES = Upkeep()


def test_each_window_has_a_range_that_holds_its_mean():
    windows = days(3)

    found = measured(windows)

    assert [one.start for one in found] == [MONDAY, MONDAY + DAY, MONDAY + 2 * DAY]
    for one, window in zip(found, windows, strict=True):
        facts = window.facts["versions"]["3"]
        assert one.loss.mid == facts["mean"]
        assert one.loss.high - one.loss.mid == pytest.approx(1.972 * facts["error"], rel=1e-3)
        assert (one.n, one.asked, one.how) == (200, 200, "measured")


def test_rows_of_one_key_widen_the_range():
    keys = [f"k{i // 20}" for i in range(200)]
    apart, together = traffic(0, 200), traffic(0, 10)
    together = pl.concat([together] * 20).sort("id").with_columns(
        pl.Series("key", keys), id=pl.concat_str(pl.lit("r"), pl.int_range(200))
    )  # fmt: skip

    wide, narrow = (measured([reduced(frame)])[0].loss for frame in (together, apart))

    assert (wide.high - wide.low) > 2.5 * (narrow.high - narrow.low)


def test_shadows_and_arms_are_measured_too():
    frame = pl.concat([traffic(0, 300), traffic(0, 100, seed=5, arm="canary")])
    window = reduced(frame, shadow_of(frame, sharper=1.5))

    (shadow,) = measured([window], version=4)
    (canary,) = measured([window], version=3, arm="canary")

    assert (shadow.version, shadow.n) == (4, 400)
    assert canary.n == 100
    assert measured([window], version=9) == ()


def test_a_window_without_an_outcome_is_no_performance():
    frame = traffic().with_columns(outcome=pl.lit(None, dtype=pl.String))

    assert measured([reduced(frame)]) == ()
    assert degradation([reduced(frame)], RULES) is None


def test_sound_days_ring_nothing_and_broken_ones_ring_at_once():
    calm = days(21)
    broken = days(24, wrong=[0.5] * 3)

    quiet, loud = degradation(calm, RULES), degradation(broken, RULES)

    assert quiet is not None
    assert loud is not None
    assert quiet.since is None
    assert quiet.e < quiet.limit
    assert loud.since == MONDAY + 21 * DAY
    assert loud.e >= loud.limit
    assert (loud.budget, loud.looks, loud.about) == ("degradation", 24, "")


def test_an_alarm_is_over_when_the_evidence_is_gone():
    windows = days(24, wrong=[0.5] * 3)
    after = windows + [reduced(traffic(day, 200), day=day) for day in range(24, 60)]

    alarm = degradation(after, RULES)

    assert alarm is not None
    assert alarm.since is None


def test_looking_day_by_day_or_once_gives_the_same():
    windows = days(24, wrong=[0.0, 0.2, 0.3, 0.3])

    once = degradation(windows, RULES)
    stepwise = [degradation(windows[: t + 1], RULES) for t in range(len(windows))]

    assert stepwise[-1] == once
    first = next(a.since for a in stepwise if a is not None and a.since is not None)
    assert once is not None
    assert once.since == first


def test_a_new_champion_starts_with_a_clean_slate():
    broken = days(10, wrong=[0.6] * 3)
    fresh = [reduced(traffic(d, 200, version=5), day=d, champion=5) for d in range(10, 13)]

    alarm = degradation(broken + fresh, RULES)

    assert alarm is not None
    assert (alarm.since, alarm.looks) == (None, 3)
    assert [w.version for w in reign(broken + fresh)] == [5, 5, 5]
    assert len(reign(broken + fresh, 3)) == 0


def test_the_share_of_the_budget_sets_the_limit():
    windows = days(3)
    strict = Upkeep(error_budget=0.001)

    loose, tight = degradation(windows, RULES), degradation(windows, strict)

    assert loose is not None
    assert tight is not None
    assert tight.limit - loose.limit == pytest.approx(3.912, abs=1e-3)  # ln 50


def test_a_floor_is_broken_only_beyond_doubt():
    sure = floor(days(3), Upkeep(floor=0.6))  # log loss of the tumours is about 0.49
    none = floor(days(3), Upkeep())
    low = floor(days(3), Upkeep(floor=0.3))

    assert none is None
    assert sure is not None
    assert low is not None
    assert sure.since is None
    assert low.since == MONDAY


def test_a_floor_of_a_metric_that_is_better_when_higher_is_a_least_value():
    from tests.watch.matured_traffic import SORTS

    area = replace(SORTS, metric="auc")
    windows = days(3, problem=area)

    held, broken = floor(windows, Upkeep(floor=0.9)), floor(windows, Upkeep(floor=0.999))

    assert held is not None
    assert broken is not None
    assert held.since is None
    assert broken.since is not None


def test_all_windows_together_have_a_narrower_range_than_one():
    windows = days(30)

    whole, one = overall(windows), measured(windows)[0]

    assert whole is not None
    assert whole.n == 6000
    assert whole.loss.high - whole.loss.low < one.loss.high - one.loss.low
    assert whole.loss.contains(certified().loss.mid)


def test_what_can_be_seen_is_told_before_it_happens():
    soon, later = (delay(days(3, rows=n), RULES) for n in (400, 50))

    assert soon is not None
    assert later is not None
    assert soon.rows is not None
    assert 300 < soon.rows < 1500
    assert soon.windows == -(-soon.rows // 400)
    assert later.windows is not None
    assert later.windows > soon.windows


def test_a_rise_that_is_too_small_to_be_seen_is_not_promised():
    never = delay(days(3, rows=50), RULES, rise_sd=0.001)

    assert never is not None
    assert (never.rows, never.windows) == (None, None)


def test_without_a_promise_there_is_no_alarm_and_no_plan():
    unknown = Certified(Interval(float("-inf"), 0.2, float("inf"), n=0))
    windows = days(3, certified=unknown)

    assert degradation(windows, RULES) is None
    assert delay(windows, RULES) is None
    assert len(measured(windows)) == 3
