"""A matured window against sums by hand, and whatever can be wrong with outcomes."""

from __future__ import annotations

import json
import math
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from everfit.evidence.alarms.maps import log_gains
from everfit.evidence.interval import Interval
from everfit.evidence.trial.differences import Differences
from everfit.plain import as_plain, from_plain
from everfit.records import Problem, Segment, Upkeep, Window
from everfit.tasks import TASKS
from everfit.watch.matured import Certified
from tests.live.coins import PROBLEM as COIN
from tests.live.logged import Answered, fill
from tests.watch.matured_traffic import (
    DAY,
    LABELS,
    MONDAY,
    certified,
    reduced,
    shadow_of,
    traffic,
)


def by_hand(frame: pl.DataFrame) -> np.ndarray:
    p = frame["probabilities"].struct.field("malignant").to_numpy()
    return -np.log(np.where(frame["outcome"] == "malignant", p, 1 - p))


def test_the_mean_loss_and_its_spread_are_those_of_the_rows():
    frame = traffic()

    facts = reduced(frame).facts["versions"]["3"]

    losses = by_hand(frame)
    assert facts["n"] == facts["asked"] == 400
    assert facts["mean"] == pytest.approx(losses.mean())
    assert facts["sd"] == pytest.approx(losses.std(ddof=1))
    assert facts["error"] == pytest.approx(losses.std(ddof=1) / 20)
    assert facts["score"] == pytest.approx(losses.mean())
    assert facts["score_error"] == pytest.approx(facts["error"], rel=0.3)


def test_a_window_is_the_same_whenever_and_in_whatever_order_it_is_reduced():
    frame = traffic()

    first = reduced(frame, shadow_of(frame))
    second = reduced(frame.sample(fraction=1, shuffle=True, seed=1), shadow_of(frame).reverse())

    assert as_plain(first) == as_plain(second)


def test_a_window_is_plain_json_of_a_few_kilobytes_and_comes_back():
    frame = traffic()

    window = reduced(frame, shadow_of(frame, sharper=1.3))

    text = json.dumps(as_plain(window), allow_nan=False)
    assert len(text) < 20_000
    assert as_plain(from_plain(Window, json.loads(text))) == as_plain(window)


def test_a_shadow_is_paired_with_the_champion_on_the_same_requests():
    frame = traffic()
    shadow = shadow_of(frame, sharper=1.5)[:300]

    facts = reduced(frame, shadow).facts

    ours, theirs = by_hand(frame)[:300], by_hand(shadow)
    pairs = Differences.from_dict(facts["pairs"]["4"])
    expected = np.clip((ours - theirs) / certified().worst, -1, 1)
    assert pairs.n == 300
    assert pairs.mean == pytest.approx(expected.mean())
    assert facts["shadows"]["4"]["mean"] == pytest.approx(theirs.mean())


def test_a_shadow_is_not_paired_with_answers_of_another_version():
    frame = pl.concat([traffic(0, 100), traffic(0, 50, seed=7, version=2, arm="canary")])

    facts = reduced(frame, shadow_of(frame)).facts

    assert Differences.from_dict(facts["pairs"]["4"]).n == 100
    assert facts["shadows"]["4"]["n"] == 150
    assert facts["versions"]["2"]["n"] == 50


def test_a_shadow_of_requests_of_another_window_is_counted_aside():
    facts = reduced(traffic(0, 100), shadow_of(pl.concat([traffic(0, 100), traffic(1, 7)]))).facts

    assert facts["shadows"]["4"]["n"] == 100
    assert facts["shadows"]["4"]["unmatched"] == 7


def test_rows_of_one_key_are_one_unit_of_evidence():
    keys = [f"k{i // 8}" for i in range(400)]
    frame = traffic(keys=keys)

    facts = reduced(frame, shadow_of(frame, sharper=2.0)).facts

    assert Differences.from_dict(facts["pairs"]["4"]).n == 50
    assert facts["versions"]["3"]["freedom"] == pytest.approx(49)


def test_arms_of_one_version_are_told_apart():
    champion, canary = traffic(0, 300), traffic(0, 100, seed=7, arm="canary")

    entry = reduced(pl.concat([champion, canary])).facts["versions"]["3"]

    assert entry["n"] == 400
    assert entry["arms"]["canary"]["mean"] == pytest.approx(by_hand(canary).mean())
    assert entry["arms"]["champion"]["n"] == 300


def test_bets_see_the_champions_losses_against_its_bound():
    frame = pl.concat([traffic(0, 300), traffic(0, 50, seed=7, version=2, arm="canary")])
    promised = certified()

    kept = reduced(frame, certified=promised).facts["maps"][""]

    limit = promised.loss.high * 1.05
    losses = np.minimum(by_hand(frame)[:300], 4 * promised.worst)
    assert kept["limit"] == pytest.approx(limit)
    assert kept["n"] == 300
    assert np.asarray(kept["log"]) == pytest.approx(log_gains(losses, limit), abs=1e-5)


def test_kept_segments_and_guardrails_have_their_own_bounds():
    frame = traffic()
    rules = Upkeep(guardrails={"side=right": 0.5, "side=gone": 0.5})

    maps = reduced(frame, certified=certified(segments={"side=left": 0.7}), upkeep=rules).facts[
        "maps"
    ]

    left = frame["side"] == "left"
    assert maps["side=left"]["n"] == left.sum()
    assert maps["side=left"]["limit"] == pytest.approx(0.7 * 1.05)
    assert maps["side=right"]["limit"] == pytest.approx(certified().loss.high * 1.5)
    assert maps["side=right"]["mean"] == pytest.approx(by_hand(frame)[(~left).to_numpy()].mean())
    assert "side=gone" not in maps


def test_a_candidates_segment_is_certified_at_the_upper_end_of_its_gap():
    kept = Segment("side=left", 100, Interval(0.0, 0.1, 0.2, n=100), 0.01)

    made = Certified.of(Interval(0.2, 0.3, 0.4, n=400), 2.0, [kept])

    # 300 of 400 rows lie outside: their share of the gap is above the mean of all
    assert made.segments == {"side=left": pytest.approx(0.4 + 0.2 * 0.75)}


def test_a_version_that_never_lost_is_still_given_a_bound():
    spotless = Certified(Interval(0.0, 0.0, 0.0, n=600), 1.0)

    assert spotless.limit(0.05) == pytest.approx(3 / 600 * 1.05)


def test_without_a_certified_loss_nothing_is_held_against_it():
    unknown = Certified(Interval(-math.inf, 0.3, math.inf, n=1), None)

    window = reduced(traffic(), certified=unknown)

    assert window.facts["maps"] == {}
    assert window.facts["versions"]["3"]["n"] == 400


def test_outcomes_that_come_after_their_time_are_counted_and_change_nothing():
    frame = traffic()
    tardy = MONDAY + 3 * DAY
    late = frame.with_columns(
        outcome_at=pl.when(pl.int_range(400) < 100).then(tardy).otherwise("outcome_at")
    )
    never = frame.with_columns(
        outcome=pl.when(pl.int_range(400) >= 100).then("outcome"),
        outcome_at=pl.when(pl.int_range(400) >= 100).then("outcome_at"),
    )
    rules = Upkeep(label_delay_s=86_400.0)

    with_late, without = reduced(late, upkeep=rules).facts, reduced(never, upkeep=rules).facts

    assert (with_late["outcomes"]["late"], without["outcomes"]["late"]) == (100, 0)
    assert (with_late["outcomes"]["missing"], without["outcomes"]["missing"]) == (0, 100)
    assert with_late["versions"] == without["versions"]
    assert with_late["maps"] == without["maps"]


def test_what_never_comes_is_left_out_or_counts_as_the_policy_says():
    frame = traffic().with_columns(outcome=pl.when(pl.int_range(400) >= 40).then("outcome"))

    left_out = reduced(frame).facts
    benign = reduced(frame, upkeep=Upkeep(missing_outcome="benign")).facts

    assert left_out["versions"]["3"]["n"] == 360
    assert benign["versions"]["3"]["n"] == 400
    assert (left_out["outcomes"]["missing"], benign["outcomes"]["filled"]) == (40, 40)
    filled = frame.with_columns(pl.col("outcome").fill_null("benign"))
    assert benign["versions"]["3"]["mean"] == pytest.approx(by_hand(filled).mean())


def test_a_label_for_missing_outcomes_that_nobody_knows_is_counted_as_wrong():
    frame = traffic(n=10).with_columns(outcome=pl.lit(None, dtype=pl.String))

    outcomes = reduced(frame, upkeep=Upkeep(missing_outcome="nothing")).facts["outcomes"]

    assert outcomes["wrong"] == 10
    assert outcomes["examples"] == ["nothing"]


def test_outcomes_that_are_no_label_are_counted_aside():
    frame = traffic().with_columns(
        outcome=pl.when(pl.int_range(400) < 30).then(pl.lit("sideways")).otherwise("outcome")
    )

    facts = reduced(frame).facts

    assert facts["outcomes"]["wrong"] == 30
    assert facts["outcomes"]["examples"] == ["sideways"]
    assert facts["outcomes"]["told"] == 400
    assert facts["versions"]["3"]["n"] == 370


def test_outcomes_of_one_value_are_there_to_be_seen():
    facts = reduced(traffic().with_columns(outcome=pl.lit("benign"))).facts

    assert facts["outcomes"]["values"] == {"benign": 400}


@pytest.mark.parametrize(
    ("label_type", "labels", "told"),
    [
        ("bool", ("false", "true"), [True, False]),
        ("int", ("0", "1"), [1, 0]),
        ("int", ("0", "1"), [1.0, 0.0]),
        ("int", ("0", "1"), ["1", "0"]),
    ],
)
def test_outcomes_are_read_in_the_type_of_the_labels(label_type, labels, told):
    said = pl.DataFrame({labels[0]: [0.1, 0.8], labels[1]: [0.9, 0.2]})
    frame = traffic(n=2).with_columns(said.to_struct("probabilities"), pl.Series("outcome", told))
    problem = Problem("classify", "y", "log_loss", "probabilities", labels, label_type)

    facts = reduced(frame, problem=problem).facts

    assert facts["outcomes"]["wrong"] == 0
    mean = -(math.log(0.9) + math.log(0.8)) / 2
    assert facts["versions"]["3"]["mean"] == pytest.approx(mean)


def test_text_for_a_number_is_counted_aside_and_an_answer_that_failed_is_the_worst():
    frame = traffic(n=4).drop("value", "outcome", "probabilities")
    frame = frame.with_columns(
        value=pl.Series([1.0, 2.0, None, 4.0]), outcome=pl.Series(["1.5", "many", "3", "4"])
    )
    problem = Problem("regress", "y", "mae", "values", label_type="float")
    promised = Certified(Interval(0.4, 0.5, 0.6, n=100), 2.0)

    facts = reduced(frame, problem=problem, task=TASKS["regress"], certified=promised).facts

    entry = facts["versions"]["3"]
    assert facts["outcomes"]["wrong"] == 1
    assert (entry["n"], entry["failed"]) == (3, 1)
    assert entry["mean"] == pytest.approx((0.5 + 2.0 + 0.0) / 3)
    assert facts["outcomes"]["values"] == {"1.5": 1, "3": 1, "4": 1, "many": 1}


def test_a_shadow_that_did_not_answer_a_request_loses_it():
    frame = traffic(n=50)
    shadow = shadow_of(frame).with_columns(
        probabilities=pl.when(pl.int_range(50) >= 5).then("probabilities")
    )

    facts = reduced(frame, shadow).facts

    pairs = Differences.from_dict(facts["pairs"]["4"])
    assert pairs.missing_new == facts["shadows"]["4"]["failed"] == 5
    assert pairs.mean < 0


def test_a_label_that_a_version_does_not_know_has_no_chance():
    frame = traffic(n=20)
    chances = frame["probabilities"].struct.unnest().with_columns(unclear=pl.lit(None, pl.Float64))
    frame = frame.with_columns(chances.to_struct("probabilities"))
    problem = Problem("classify", "tumour", "brier", "probabilities", (*LABELS, "unclear"))

    facts = reduced(frame, problem=problem).facts

    assert facts["versions"]["3"]["failed"] == 0
    assert facts["versions"]["3"]["mean"] < 1


@pytest.mark.parametrize("frame", [pl.DataFrame(), traffic(n=1).clear()])
def test_a_window_without_a_row_is_a_window(frame):
    window = reduced(frame)

    assert window.n == 0
    assert window.facts["versions"] == {}
    assert window.facts["maps"] == {}


def test_lateness_is_told_and_clock_jumps_are_counted():
    frame = traffic().with_columns(
        lateness=pl.when(pl.int_range(400) < 3).then(timedelta(seconds=-5)).otherwise("lateness")
    )

    lateness = reduced(frame).facts["lateness"]

    assert lateness["n"] == 400
    assert lateness["before"] == 3
    assert lateness["q"][1] == 60.0


def test_answers_of_the_real_log_are_reduced(tmp_path):
    rows = [Answered(f"a{i}", "champion", 1, 0.8, "heads") for i in range(30)]
    rows += [Answered(f"a{i}", "shadow", 2, 0.9, of=f"p{i}") for i in range(30)]
    log = fill(tmp_path, rows)
    champions = pl.concat(log.joined("coin", arm="champion"), how="diagonal_relaxed")
    shadows = pl.concat(log.joined("coin", arm="shadow"), how="diagonal_relaxed")
    log.close()
    at = champions["at"].min()
    promised = Certified(Interval(0.1, 0.2, 0.3, n=100), 1.0)

    facts = reduced(
        champions, shadows, problem=COIN, champion=1, certified=promised, start=at, end=at + DAY
    ).facts

    assert facts["versions"]["1"]["mean"] == pytest.approx(-math.log(0.8))
    pairs = Differences.from_dict(facts["pairs"]["2"])
    assert pairs.mean == pytest.approx(math.log(0.9) - math.log(0.8))
    assert facts["lateness"]["n"] == 30
