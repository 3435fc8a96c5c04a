"""Losses of arms from outcomes: each against a sum by hand, and gains of both kinds."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from everfit.evidence.interval import spread
from everfit.evidence.paired import paired_gain
from everfit.live.arms import Arms
from everfit.live.traffic.judged import judged
from tests.live.coins import PROBLEM
from tests.live.logged import Answered, fill

ARMS = Arms(1, canary=2, share=0.5, shadow=3)


def loss(p: float, outcome: str) -> float:
    return -math.log(p if outcome == "heads" else 1 - p)


def drawn(n: int, seed: int) -> list[tuple[float, str]]:
    rng = np.random.default_rng(seed)
    return [(float(p), "heads" if rng.random() < p else "tails") for p in rng.uniform(0.1, 0.9, n)]


def test_the_loss_of_an_arm_is_the_mean_over_its_own_known_outcomes(tmp_path):
    champions, canaries = drawn(40, 1), drawn(30, 2)
    rows = [Answered(f"a{i}", "champion", 1, p, y) for i, (p, y) in enumerate(champions)]
    rows += [Answered(f"b{i}", "canary", 2, p, y) for i, (p, y) in enumerate(canaries)]
    rows += [Answered("c1", "champion", 1, 0.9), Answered("c2", "champion", 1, 0.9, "sideways")]
    rows += [Answered("c3", "champion", 7, 0.01, "heads")]  # of a champion before
    log = fill(tmp_path, rows)

    found = judged(log, "coin", PROBLEM, ARMS, since=None)
    log.close()

    own = spread([loss(p, y) for p, y in champions])
    other = spread([loss(p, y) for p, y in canaries])
    assert found.loss["champion"].mid == pytest.approx(own.mean)
    assert found.loss["champion"].low == pytest.approx(own.interval().low)
    assert found.loss["champion"].n == 40
    assert found.left_out == 1  # sideways
    assert found.loss["canary"].mid == pytest.approx(other.mean)
    gain = found.gain["canary"]
    assert gain.mid == pytest.approx(own.mean - other.mean)
    assert gain.high - gain.mid == pytest.approx(
        1.996 * math.hypot(own.error, other.error), rel=0.02
    )


def test_a_shadow_is_compared_on_the_very_same_requests(tmp_path):
    champions, shadows = drawn(40, 3), drawn(40, 4)
    rows = [Answered(f"a{i}", "champion", 1, p, y) for i, (p, y) in enumerate(champions)]
    rows += [
        Answered(f"a{i}", "shadow", 3, p, of=f"p{i}") for i, (p, _) in enumerate(shadows) if i < 35
    ]
    log = fill(tmp_path, rows)

    found = judged(log, "coin", PROBLEM, ARMS, since=None)
    log.close()

    new = [loss(p, y) for (p, _), (_, y) in zip(shadows[:35], champions, strict=False)]
    expected = paired_gain(new, [loss(p, y) for p, y in champions[:35]])
    assert found.gain["shadow"].mid == pytest.approx(expected.mid)
    assert found.gain["shadow"].low == pytest.approx(expected.low)
    assert found.loss["shadow"].n == 35


def test_rows_of_one_key_hang_together(tmp_path):
    rows = [Answered(f"a{i % 4}", "champion", 1, 0.3 + 0.1 * (i % 4), "heads") for i in range(80)]
    log = fill(tmp_path, rows)

    found = judged(log, "coin", PROBLEM, Arms(1), since=None)
    log.close()

    losses = [loss(0.3 + 0.1 * (i % 4), "heads") for i in range(80)]
    apart = spread(losses).interval()
    together = spread(losses, groups=np.arange(80) % 4).interval()
    assert found.loss["champion"].low == pytest.approx(together.low)
    assert together.low < apart.low


def test_without_any_outcome_nothing_is_told(tmp_path):
    log = fill(tmp_path, [Answered("a", "champion", 1), Answered("b", "canary", 2)])

    found = judged(log, "coin", PROBLEM, ARMS, since=None)
    log.close()

    assert (found.loss, found.gain) == ({}, {})


def test_one_outcome_has_no_range(tmp_path):
    log = fill(tmp_path, [Answered("a", "champion", 1, 0.8, "heads")])

    found = judged(log, "coin", PROBLEM, Arms(1), since=None)
    log.close()

    assert found.loss["champion"].mid == pytest.approx(loss(0.8, "heads"))
    assert math.isinf(found.loss["champion"].low)


def test_a_value_is_judged_in_the_unit_of_its_task(tmp_path):
    problem = replace(PROBLEM, task="regress", form="values", labels=(), metric="rmse")
    rows = [Answered(f"a{i}", "champion", 1, outcome=i / 2, value=float(i)) for i in range(5)]
    log = fill(tmp_path, rows)

    found = judged(log, "coin", problem, Arms(1), since=None)
    log.close()

    assert found.loss["champion"].mid == pytest.approx(np.mean([(i / 2) ** 2 for i in range(5)]))


def test_outcomes_that_were_asked_for_and_teach_only_are_left_out_of_every_arm(tmp_path):
    champions = drawn(40, 8)
    rows = [Answered(f"a{i}", "champion", 1, p, y) for i, (p, y) in enumerate(champions)]
    rows += [Answered(f"a{i}", "shadow", 3, 0.5, of=f"p{i}") for i in range(40)]
    log = fill(tmp_path, rows)

    found = judged(log, "coin", PROBLEM, ARMS, since=None, teach=[f"p{i}" for i in range(25)])
    log.close()

    assert (found.loss["champion"].n, found.gain["shadow"].n) == (15, 15)
    own = spread([loss(p, y) for p, y in champions[25:]])
    assert found.loss["champion"].mid == pytest.approx(own.mean)
