from __future__ import annotations

import numpy as np
import pytest

from everfit.records import Assessment
from tests.tables import assessed, found, make_table


def judge(n: int, noise: float, seed: int = 0) -> Assessment:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    y = x + rng.normal(0, noise, n)
    return assessed(make_table({"x": x, "z": rng.normal(size=n), "y": y}, target="y"), "y")


def test_the_floor_of_a_number_is_its_variance() -> None:
    assessment = judge(2_000, 1.0)

    assert assessment.floor.contains(2.0)
    assert assessment.floor.mid == pytest.approx(2.0, rel=0.1)
    assert assessment.floor.n == 2_000


def test_the_floor_of_classes_is_the_entropy_of_their_shares() -> None:
    rng = np.random.default_rng(0)
    y = np.where(rng.random(3_000) < 0.2, "yes", "no")

    floor = assessed(make_table({"x": rng.normal(size=3_000), "y": y}, target="y"), "y").floor

    p = (y == "yes").mean()
    assert floor.mid == pytest.approx(-(p * np.log(p) + (1 - p) * np.log(1 - p)), abs=0.005)


def test_the_smallest_gain_is_that_of_a_paired_test_at_80_percent_power() -> None:
    assessment = judge(1_000, 1.0)

    sd = found(assessment, "enough rows")[0].evidence["statistic"]
    # normal approximation of the noncentral t: (1.96 + 0.84) sd / sqrt(n)
    assert assessment.smallest_gain == pytest.approx(2.802 * sd / np.sqrt(1_000), rel=0.01)


def test_more_rows_show_a_smaller_gain() -> None:
    assert judge(4_000, 1.0).smallest_gain < judge(1_000, 1.0).smallest_gain


def test_too_few_rows_are_said() -> None:
    assessment = judge(40, 5.0, seed=3)

    (finding,) = found(assessment, "enough rows")
    assert finding.severity == "warn"


@pytest.mark.parametrize("n", [800, 8_000])  # all rows, and a draw of them
def test_the_quick_model_finds_what_there_is_to_find(n: int) -> None:
    (finding,) = found(judge(n, 1.0), "enough rows")

    assert 0.9 < finding.evidence["quick_loss"] < 1.25  # the noise alone costs 1
    assert finding.evidence["gain_over_floor"] == pytest.approx(0.9, abs=0.25)


def test_rows_for_one_percent_follow_from_the_spread() -> None:
    (finding,) = found(judge(2_000, 1.0), "enough rows")

    ratio = 2.8 * finding.evidence["statistic"] / (0.01 * finding.evidence["quick_loss"])
    assert finding.evidence["rows_for_1_percent"] == pytest.approx(ratio**2, rel=0.05)
