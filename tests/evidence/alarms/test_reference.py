"""Ranks among a frozen reference, and why they need a margin."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from everfit.errors import UsageError
from everfit.evidence.alarms.mean import MeanAlarm
from everfit.evidence.alarms.recursion import Calibration
from everfit.evidence.alarms.reference import Reference, mean_margin, rank_alarm, rank_margin


def test_ranks_are_their_definition():
    rng = np.random.default_rng(0)
    reference, x = rng.integers(0, 20, 60).astype(float), rng.integers(-2, 22, 40).astype(float)

    found = Reference.of(reference).ranks(x)

    expected = [((reference < v).sum() + 0.5 * ((reference == v).sum() + 1)) / 61 for v in x]
    assert found == pytest.approx(np.array(expected))


def test_missing_values_have_no_rank_and_are_no_reference():
    reference = Reference.of([1.0, math.nan, 2.0])

    assert len(reference) == 2
    assert np.isnan(reference.ranks([math.nan, 1.0])).tolist() == [True, False]
    with pytest.raises(UsageError, match="no values"):
        Reference.of([math.nan])


def test_drawn_ranks_of_the_same_population_are_uniform_even_with_ties():
    rng = np.random.default_rng(1)
    x = rng.integers(0, 5, 52_000).astype(float)

    found = Reference.of(x[:50_000]).ranks(x[50_000:], rng)

    assert stats.kstest(found, "uniform").pvalue > 0.01


def test_the_margins_cover_the_error_of_a_reference():
    # truth: the mean rank of new rows given the reference is the mean of 1 - F(reference)
    rng = np.random.default_rng(2)
    references = np.sort(rng.random((2000, 300)), axis=1)
    off = np.abs((1 - references).mean(axis=1) - 0.5)
    anywhere = np.max(np.abs(references - (np.arange(300) + 0.5) / 300), axis=1)

    assert (off > mean_margin(300)).mean() == pytest.approx(0.01, abs=0.007)
    assert (anywhere + 0.5 / 300 > rank_margin(300)).mean() <= 0.01 + 0.007


def _first(margin: float, shift: float, seed: int, *, rows: int, runs: int = 60) -> np.ndarray:
    """The row of the first alarm of runs that each have a reference of 1,000 normal rows."""
    rng = np.random.default_rng(seed)
    references = [Reference.of(rng.normal(size=1000)) for _ in range(runs)]
    ranks = np.stack([r.ranks(rng.normal(shift, size=rows)) for r in references], axis=1)
    alarm = MeanAlarm(Calibration(100_000, 0.05), high=0.5 + margin, low=0.5 - margin)
    return alarm.replay(ranks).first


def test_without_the_margin_the_luck_of_the_reference_rings_and_with_it_it_does_not():
    calm = _first(mean_margin(1000), 0.0, 3, rows=15_000)
    bare = _first(0.0, 0.0, 3, rows=15_000)

    allowed = 0.06 + 3 * math.sqrt(0.06 * 0.94 / 60)
    assert (calm > 0).mean() <= allowed
    assert (bare > 0).mean() > allowed


@pytest.mark.parametrize(("shift", "rows"), [(0.25, 900), (0.5, 200)])
def test_shifts_are_found_within_a_quarter_more_rows_than_the_anchor(shift, rows):
    first = _first(0.02, shift, 4, rows=4000)

    assert np.median(np.where(first > 0, first, np.inf)) <= 1.25 * rows


def test_the_alarm_of_ranks_has_the_margin_on_both_sides():
    alarm = rank_alarm(1000, Calibration(looks=365))

    assert alarm.high == pytest.approx(0.5 + mean_margin(1000))
    assert alarm.low == pytest.approx(0.5 - mean_margin(1000))
    assert rank_alarm(1, Calibration(looks=365)).high < 1


def test_margins_of_nonsense_are_refused():
    with pytest.raises(UsageError, match="error rate"):
        mean_margin(100, 0.0)
    with pytest.raises(UsageError, match="reference is empty"):
        rank_margin(0)
