"""Ranges of answers: against order statistics and Wilson's formula, and by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from everfit.evidence.ranges import IN_A_BIN, MOST_BINS, Offsets, outcome_offsets, share_offsets
from everfit.records import Array


def inside(found: Offsets, answers: Array, outcomes: Array) -> Array:
    at = np.searchsorted(found.edges, answers, side="right")
    low, high = np.array(found.low)[at], np.array(found.high)[at]
    return (answers + low <= outcomes) & (outcomes <= answers + high)


# outcomes


def test_one_bin_holds_the_order_statistics_with_one_row_more() -> None:
    residuals = np.random.default_rng(0).permutation(199.0 * np.arange(199))

    found = outcome_offsets(np.zeros(199), residuals)

    # floor(0.025 * 200) = 5
    assert found == Offsets((), (4 * 199.0,), (194 * 199.0,))


def test_39_rows_have_a_range_and_38_have_none() -> None:
    y = np.arange(39.0)

    assert outcome_offsets(np.zeros(39), y) == Offsets((), (0.0,), (38.0,))
    assert outcome_offsets(np.zeros(38), y[:38]) is None
    assert outcome_offsets(np.empty(0), np.empty(0)) is None


def test_every_bin_has_its_least_rows_and_equal_answers_stay_together() -> None:
    rng = np.random.default_rng(1)
    answers = np.round(rng.exponential(3.0, 5_000))  # many equal ones

    found = outcome_offsets(answers, answers + rng.standard_normal(5_000))

    assert found is not None
    counts = np.bincount(np.searchsorted(found.edges, answers, side="right"))
    assert len(counts) > 3
    assert counts.min() >= IN_A_BIN
    assert set(found.edges) <= set(answers)


def test_there_are_at_most_so_many_bins() -> None:
    x = np.arange(100_000.0)

    found = outcome_offsets(x, x)

    assert found is not None
    assert len(found.low) == MOST_BINS
    assert set(found.low) == set(found.high) == {0.0}


def test_the_width_follows_the_level_of_the_answer() -> None:
    rng = np.random.default_rng(2)
    answers = rng.uniform(1.0, 10.0, 4_000)

    found = outcome_offsets(answers, answers * (1.0 + 0.2 * rng.standard_normal(4_000)))

    assert found is not None
    widths = np.subtract(found.high, found.low)
    assert widths[-1] > 4.0 * widths[0]


def test_a_row_of_weight_two_counts_as_two_rows() -> None:
    rng = np.random.default_rng(3)
    y = rng.standard_normal(400)
    weight = rng.integers(0, 3, 400)

    weighted = outcome_offsets(np.zeros(400), y, weight=weight)
    repeated = outcome_offsets(np.zeros(weight.sum()), np.repeat(y, weight))

    assert weighted is not None
    assert repeated is not None
    order = np.sort(np.repeat(y, weight))
    # the new row weighs an average row, not one: at most one place further out
    for one, other in zip((*weighted.low, *weighted.high), (*repeated.low, *repeated.high)):  # noqa: B905
        assert abs(np.searchsorted(order, one) - np.searchsorted(order, other)) <= 2


def test_rows_without_weight_count_for_nothing_and_as_equals_when_none_has_any() -> None:
    y = np.concatenate([np.arange(50.0), [1e9] * 50])
    weight = np.repeat([1.0, 0.0], 50)

    found = outcome_offsets(np.zeros(100), y, weight=weight)

    assert found == outcome_offsets(np.zeros(50), y[:50])
    assert outcome_offsets(np.zeros(50), y[:50], weight=np.zeros(50)) == found


def test_what_is_not_finite_is_left_out() -> None:
    y = np.concatenate([np.arange(50.0), [np.nan, np.inf]])

    assert outcome_offsets(np.zeros(52), y) == outcome_offsets(np.zeros(50), np.arange(50.0))


@pytest.mark.parametrize("shape", ["normal", "skewed", "heteroscedastic", "heavy", "counts"])
@pytest.mark.parametrize("n", [60, 450, 3_000])
def test_a_fresh_outcome_lies_inside_with_95_percent(shape: str, n: int) -> None:
    rng = np.random.default_rng([n, len(shape)])

    def rows(m: int) -> tuple[Array, Array]:
        x = rng.uniform(0.0, 5.0, m)
        noise = {
            "normal": lambda: rng.standard_normal(m),
            "skewed": lambda: rng.lognormal(0.0, 1.0, m),
            "heteroscedastic": lambda: (0.2 + x) * rng.standard_normal(m),
            "heavy": lambda: rng.standard_t(2, m),
            "counts": lambda: rng.poisson(x) - x,
        }[shape]()
        return x, x + noise

    held = []
    for _ in range(300):
        found = outcome_offsets(*rows(n))
        assert found is not None
        held.append(inside(found, *rows(200)).mean())

    # by theory between 0.95 and 0.95 + 2 / (rows in a bin + 1); equal counts lie on the ends
    error = 4.0 * np.std(held) / np.sqrt(len(held))
    most = 1.0 if shape == "counts" else 0.95 + 2.0 / min(n, IN_A_BIN)
    assert 0.95 - error <= np.mean(held) <= most + error


# probabilities


def test_one_bin_is_wilsons_range_around_the_mean_probability() -> None:
    hits = np.arange(100) < 80
    p = np.linspace(0.7, 0.9, 100)

    found = share_offsets(p, hits)

    # Newcombe (1998), Interval estimation for the single proportion: 81 of 263 is checked below
    z = 1.959964
    middle = (0.8 + z**2 / 200) / (1 + z**2 / 100)
    half = z / (1 + z**2 / 100) * np.sqrt(0.16 / 100 + z**2 / 40_000)
    assert found is not None
    assert found.edges == ()
    assert found.low[0] + 0.8 == pytest.approx(middle - half)
    assert found.high[0] + 0.8 == pytest.approx(middle + half)


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611),
     (29, 29, 0.8830, 1.0)],
)  # fmt: skip
def test_wilson_agrees_with_published_values(hits: int, n: int, low: float, high: float) -> None:
    found = share_offsets(np.full(n, hits / n), np.arange(n) < hits)

    assert found is not None
    assert (found.low[0] + hits / n, found.high[0] + hits / n) == (
        pytest.approx(low, abs=6e-5), pytest.approx(high, abs=6e-5)
    )  # fmt: skip


def test_the_shares_of_bins_rise_however_noisy_the_hits_are() -> None:
    rng = np.random.default_rng(4)
    p = rng.uniform(0.5, 0.6, 8_000)  # 40 bins, whose shares hardly differ

    hits = rng.random(8_000) < p
    found = share_offsets(p, hits)

    assert found is not None
    at = np.searchsorted(found.edges, p, side="right")
    shares = np.bincount(at, hits) / np.bincount(at)
    assert 1 < len(shares) < 40
    assert (np.diff(shares) >= 0).all()


def test_weights_and_groups_widen_the_range() -> None:
    rng = np.random.default_rng(5)
    p = np.full(1_000, 0.7)
    groups = np.repeat(np.arange(50), 20)
    alike = (rng.random(50) < 0.7)[groups]  # rows of a group come out the same

    def width(**more: Array) -> float:
        found = share_offsets(p, alike, **more)
        assert found is not None
        return found.high[0] - found.low[0]

    assert width(groups=groups) > 3.5 * width()
    assert width(weight=rng.exponential(1.0, 1_000)) > 1.2 * width()
    assert width(groups=np.arange(1_000)) == pytest.approx(width(), rel=0.01)


def test_the_stated_probability_always_lies_in_its_range() -> None:
    too_low = share_offsets(np.full(400, 0.6), np.arange(400) < 380)
    too_high = share_offsets(np.full(400, 0.99), np.arange(400) < 200)

    assert too_low is not None
    assert too_high is not None
    assert too_low.low == (0.0,)
    assert too_low.high[0] > 0.3
    assert too_high.high == (0.0,)
    assert too_high.low[0] < -0.4


def test_the_range_holds_the_true_probability_of_its_bin() -> None:
    rng = np.random.default_rng(6)
    held = []
    for _ in range(200):
        p = 0.5 + 0.5 * rng.beta(2.0, 1.5, 2_000)
        true = p**1.2  # what is stated is too high
        found = share_offsets(p, rng.random(2_000) < true)
        assert found is not None
        at = np.searchsorted(found.edges, p, side="right")
        n = np.bincount(at)
        stated, truth = np.bincount(at, p) / n, np.bincount(at, true) / n
        held += ((stated + found.low <= truth) & (truth <= stated + found.high)).tolist()

    # 95% and the cases in which the stated probability, which is always inside, is the true one
    assert np.mean(held) >= 0.94
    assert share_offsets(np.empty(0), np.empty(0)) is None
