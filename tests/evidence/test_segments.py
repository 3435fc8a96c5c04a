"""Segments that lose more than the rest, against scipy and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from everfit.evidence.multiple import benjamini_hochberg
from everfit.evidence.segments import segment_gaps, weak_segments, welch, worse_segments


def _masks(n: int, count: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {f"s{k}": rng.random(n) < 0.2 for k in range(count)}


def test_welch_is_that_of_scipy():
    rng = np.random.default_rng(0)
    a, b = rng.gamma(2.0, size=20), rng.gamma(1.0, size=50)

    gap, p = welch(a, b)

    expected = stats.ttest_ind(a, b, equal_var=False)
    assert p == pytest.approx(expected.pvalue)
    low, high = expected.confidence_interval(0.95)
    assert (gap.low, gap.high) == pytest.approx((low, high))


@pytest.mark.parametrize(
    ("a", "b", "p"),
    [([1.0], [1.0, 2.0], 1.0), ([], [], 1.0), ([2, 2], [1, 1], 0.0), ([1, 1], [1, 1], 1.0)],
)  # fmt: skip
def test_tiny_or_constant_sides_have_a_defined_answer(a, b, p):
    assert welch(a, b)[1] == p


def test_gaps_come_worst_first_with_corrected_p():
    rng = np.random.default_rng(1)
    masks = _masks(1000, 5, rng)
    losses = rng.random(1000) + 0.3 * masks["s3"]

    found = segment_gaps(losses, masks, adjust=benjamini_hochberg)

    assert found[0].name == "s3"
    assert found[0].gap.contains(0.3)
    assert [f.p_adjusted for f in found] == pytest.approx(
        benjamini_hochberg([f.p for f in found]).tolist()
    )


def test_segments_with_too_few_rows_on_a_side_are_left_out():
    masks = {
        "few": np.arange(100) < 5,
        "nearly all": np.arange(100) < 95,
        "half": np.arange(100) < 50,
    }

    assert [s.name for s in segment_gaps(np.arange(100.0), masks)] == ["half"]
    assert segment_gaps([], {}) == ()


def test_a_weak_segment_is_found_and_its_gap_is_not_flattered():
    gaps = []
    for seed in range(60):
        rng = np.random.default_rng([2, seed])
        masks = _masks(2000, 20, rng)
        losses = rng.gamma(1.0, size=2000) + 0.35 * masks["s7"]
        found = {s.name: s for s in weak_segments(losses, masks, seed=seed)}
        gaps += [found["s7"].gap] if "s7" in found else []

    assert len(gaps) >= 50
    assert np.mean([g.contains(0.35) for g in gaps]) > 0.85


def test_where_no_segment_is_weak_few_are_named_and_testing_on_the_same_rows_names_many():
    runs, halves, same = 400, 0, 0
    for seed in range(runs):
        rng = np.random.default_rng([3, seed])
        losses = rng.normal(size=300)
        masks = _masks(300, 15, rng)
        halves += bool(weak_segments(losses, masks, seed=seed))
        same += any(s.p < 0.05 and s.gap.mid > 0 for s in segment_gaps(losses, masks))

    assert halves / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)
    assert same / runs > 0.2


def test_the_half_may_be_given():
    rng = np.random.default_rng(4)
    mask = rng.random(400) < 0.3
    losses = rng.random(400) + mask
    losses[::2] = 0.5

    found = weak_segments(losses, {"m": mask}, half=np.arange(400) % 2 == 1)

    assert found == ()  # striking on the odd rows, absent on the even ones


def test_a_guardrail_trips_only_beyond_noise_and_beyond_what_is_allowed():
    rng = np.random.default_rng(5)
    old = rng.gamma(2.0, size=2000)
    masks = {"bad": np.arange(2000) < 500, "noisy": np.arange(2000) >= 1960}
    new = old * np.where(masks["bad"], 1.2, 0.95) + np.where(
        masks["noisy"], rng.normal(0, 1, 2000), 0
    )

    assert [s.name for s in worse_segments(new, old, masks, allowed=0.1)] == ["bad"]
    assert worse_segments(new, old, masks, allowed=0.25) == ()
    assert worse_segments(old, old, masks) == ()


def test_a_challenger_that_fails_on_a_segment_trips_its_guardrail():
    old = np.random.default_rng(6).random(400)
    mask = np.arange(400) < 100
    new = np.where(mask & (np.arange(400) % 2 == 0), math.nan, old)

    assert [s.name for s in worse_segments(new, old, {"m": mask}, allowed=0.1)] == ["m"]
