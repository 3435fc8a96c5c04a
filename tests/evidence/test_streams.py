"""The gate of the tests over time: on streams that stay as they are they keep their error rate.

Small runs of ``python -m bench.streams nulls``; and what has to go red there does.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from bench.streams import nulls
from bench.streams.__main__ import jobs_of, write
from bench.streams.challengers import challengers, known_gain, one_look
from bench.streams.counts import NEVER, Delays, Falses, table
from bench.streams.trials import judged
from bench.streams.worlds import CLOCK, DAILY, DRAGGED, HEAVY, NORMAL, seed, zero_one

from everfit.evidence.alarms.recursion import Calibration
from everfit.evidence.alarms.reference import Reference, rank_alarm
from everfit.evidence.alarms.strange import StrangeAlarm
from everfit.evidence.trial.dispersion import Dependence


def test_the_bar_is_alpha_and_three_binomial_standard_errors() -> None:
    found = Falses("loss", "any", hit=33, runs=400, looks=1000, alpha=0.05)

    assert found.limit == pytest.approx(0.05 + 3 * math.sqrt(0.05 * 0.95 / 400))
    assert found.cells()[-1] == "reached"
    assert Falses("loss", "any", 34, 400, 1000, 0.05).cells()[-1] == "not reached"
    assert Falses("t-test", "any", 400, 400, 1000).cells()[-1] == ""


def test_a_delay_is_held_against_five_quarters_of_its_anchor() -> None:
    assert Delays("a", "b", (90, 125, 160), anchor=100).cells()[-1] == "reached"
    assert Delays("a", "b", (90, 126, 160), anchor=100).cells()[-1] == "not reached"
    assert Delays("a", "b", (NEVER, 90, NEVER), anchor=100).cells()[2:5] == [
        "never",
        "never",
        "0.33",
    ]


def test_a_table_is_written_between_its_marks_and_nowhere_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- streams nulls:begin -->\nold\n<!-- streams nulls:end -->\nb\n")

    write(page, "nulls", table(["x"], [["1"]]))
    write(page, "delays", "nothing has a place for this")

    assert page.read_text() == (
        "a\n<!-- streams nulls:begin -->\n| x |\n|---|\n| 1 |\n<!-- streams nulls:end -->\nb\n"
    )


@pytest.mark.parametrize("world", [NORMAL, HEAVY, DRAGGED], ids=lambda w: w.name)
def test_streams_have_mean_0_and_sd_1_and_the_dependence_that_they_say(world) -> None:
    x = world.values(seed(1), 2_000, 100)

    assert x.mean() == pytest.approx(0.0, abs=0.02)
    assert x.std() == pytest.approx(1.0, abs=0.06)
    flat = x.ravel()
    assert np.corrcoef(flat[1:], flat[:-1])[0, 1] == pytest.approx(
        0.6 if world is DRAGGED else 0.0, abs=0.01
    )


def test_seasons_repeat_every_day_and_0_1_losses_differ_where_they_should() -> None:
    by_hour = DAILY.values(seed(2), 2_400, 50).mean(axis=1).reshape(-1, 24).mean(axis=0)
    d = zero_one(seed(3), 1_000, 100, gain=0.02)

    assert np.ptp(by_hour) == pytest.approx(2.0, abs=0.1)
    assert CLOCK.values(seed(4), 1_000, 50).mean() == pytest.approx(0.0, abs=0.02)
    assert (d.mean(), np.abs(d).mean()) == pytest.approx((0.02, 0.08), abs=0.003)


def test_every_detector_meets_every_stream() -> None:
    assert len(jobs_of("nulls", 10)) == 6 * 4
    assert {len(jobs_of(name, 10)) for name in ("delays", "challengers", "power", "others")} == {1}


@pytest.mark.parametrize("dependence", [None, Dependence()])
def test_many_trials_at_once_are_judged_as_the_product_judges_each(dependence) -> None:
    told = []
    for run in range(12):
        d = zero_one(seed(40, run), 60, 50, (-0.04, 0.0, 0.04)[run % 3])
        told.append(judged(d, 0.05, zero_one=True, dependence=dependence, check=True)[0])

    assert {"better", "worse"} <= set(told)


def test_challengers_are_drawn_as_told_and_judged_as_the_product_judges_them() -> None:
    told = list(challengers(1))

    ours = [one for one in told if one.rule.startswith("e-LORD")]
    peeked = [one for one in told if one.rule.startswith("z-test")]
    assert [one.labels for one in ours] == [2_000] * 3 + [5_000] * 3
    assert all(one.fdr <= 0.2 for one in ours)  # of one run
    assert all(one.fdr > 0.4 and one.power > 0.9 for one in peeked)


def test_no_test_is_better_than_one_look_and_none_over_time_than_that_of_a_known_gain() -> None:
    # after 2 s2 ln(1/level) / gain^2 rows it is there with a chance of one half, or was before
    even = 2 * 0.08 * math.log(1 / 0.002) / 0.02**2
    known, once = (f(np.array([0.002]), round(even), 0.02)[0] for f in (known_gain, one_look))

    assert 0.5 < known < 0.65
    assert once > known
    # z^2 s2 / gain^2 rows: the fewest for a power of one half
    assert one_look(np.array([0.002]), 1_657, 0.02)[0] == pytest.approx(0.5, abs=0.01)


def test_a_path_of_e_values_ends_where_a_replay_does() -> None:
    scores, calibration = seed(41).standard_normal((160, 3)), Calibration(60, 0.1)
    alarm = StrangeAlarm(calibration, seed=4)

    path = nulls.strange_path(scores, 100, [0] * 160, calibration)

    last = alarm.replay(alarm.start(scores[:100], [0] * 100), scores[100:], [0] * 60)
    assert path.shape == (60, 3)
    assert path[-1] == pytest.approx(last.watched.e_values(calibration))


@pytest.mark.slow
@pytest.mark.parametrize(
    "job", nulls.jobs(40, 300, 60), ids=lambda j: f"{j.func.__name__}-{j.args[0].name}"
)
def test_a_stream_that_stays_as_it_is_rings_no_more_alarms_than_promised(job) -> None:
    for found in job():
        if found.alpha is not None:
            assert found.share <= found.limit, found.cells()


@pytest.mark.slow
def test_tests_that_peek_and_references_without_a_margin_go_red() -> None:
    peeked = [f for job in nulls.jobs(40, 300, 60)[:1] for f in job() if f.alpha is None]
    assert all(f.share > 0.2 for f in peeked)

    calibration = Calibration(20_000, 0.05)
    x = np.stack(
        [Reference.of(seed(5, run).standard_normal(500)).ranks(seed(6, run).standard_normal(20_000))
         for run in range(30)], axis=1,
    )  # fmt: skip
    with_margin = rank_alarm(500, calibration).replay(x).alarmed.mean()
    # an error of the reference that is allowed a chance of 99.9% has no margin left
    without = rank_alarm(500, calibration, alpha_reference=0.999).replay(x).alarmed.mean()
    assert with_margin <= 0.06 + 3 * math.sqrt(0.06 * 0.94 / 30)
    assert without > 0.4
