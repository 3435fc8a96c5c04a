from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.signal import lfilter

from everfit.column import Column
from everfit.watch.usual import Usual, scores, summed, usual_of

AGE = Column("age", "number")
RNG = np.random.default_rng(3)
NORMAL = usual_of(pl.Series("age", RNG.normal(size=5_000)), AGE)


def away(usual: Usual, values: pl.Series) -> dict[str, tuple[float, float]]:
    far, error = summed(scores(values, usual), usual)
    return dict(zip(usual.statistics, zip(far, error, strict=True), strict=True))


@pytest.mark.parametrize("n", [30, 300, 3_000])
def test_windows_of_any_size_are_as_far_away_as_their_error_says(n: int) -> None:
    rng = np.random.default_rng(n)

    found = [away(NORMAL, pl.Series("age", rng.normal(size=n)))["level"] for _ in range(300)]

    z = np.array([far / error for far, error in found])
    assert abs(z.mean()) < 0.9  # the reference is a sample too
    assert 0.75 < z.std() < 1.15


def test_rows_that_hang_together_count_as_fewer() -> None:
    rng = np.random.default_rng(0)
    z = []
    for _ in range(200):
        noise = rng.normal(size=1_200) * np.sqrt(1 - 0.6**2)
        rows = lfilter([1], [1, -0.6], noise)[200:]
        far, error = away(NORMAL, pl.Series("age", rows))["level"]
        z.append(far / error)

    assert np.std(z) < 1.25  # 2.0 if rows were taken for independent


def test_a_shift_shows_in_the_level_and_a_wider_spread_in_the_spread() -> None:
    rng = np.random.default_rng(1)

    shifted = away(NORMAL, pl.Series("age", rng.normal(0.5, 1, 1_000)))
    wider = away(NORMAL, pl.Series("age", rng.normal(0, 2, 1_000)))

    assert shifted["level"][0] == pytest.approx(0.138, abs=0.03)
    assert abs(wider["level"][0]) < 0.03
    assert wider["spread"][0] > 0.15


def test_a_number_with_few_values_has_a_mean_rank_of_one_half() -> None:
    usual = usual_of(pl.Series("age", [0.0] * 700 + [1.0] * 300), AGE)

    found = away(usual, pl.Series("age", [0.0] * 70 + [1.0] * 30))

    assert found["level"][0] == pytest.approx(0.0, abs=1e-12)
    assert usual.centres[1] == pytest.approx(0.5)


def test_words_are_followed_by_their_most_frequent_levels_and_by_new_ones() -> None:
    usual = usual_of(pl.Series("plan", ["a"] * 60 + ["b"] * 40), Column("plan", "category"))

    found = away(usual, pl.Series("plan", ["a"] * 50 + ["c"] * 50))

    assert usual.statistics == ("missing", "is a", "is b", "new")
    assert found["is a"][0] == pytest.approx(-0.1)
    assert found["new"][0] == pytest.approx(0.5)


def test_levels_that_a_sample_has_not_seen_are_expected_now_and_then() -> None:
    words = [f"w{k}" for k in range(50)] + ["a"] * 50

    usual = usual_of(pl.Series("word", words), Column("word", "category"))

    assert usual.centres[usual.statistics.index("new")] == 0.5  # Good-Turing


def test_missing_values_say_nothing_of_the_level() -> None:
    found = away(NORMAL, pl.Series("age", [None, None, 0.0], dtype=pl.Float64))

    assert found["missing"][0] == pytest.approx(2 / 3)
    assert found["level"][1] > 0.28  # the error of one row


def test_a_window_in_which_all_is_missing_has_no_level() -> None:
    found = away(NORMAL, pl.Series("age", [None] * 40, dtype=pl.Float64))

    assert found["missing"][0] == 1.0
    assert np.isnan(found["level"][0])


def test_one_event_in_a_small_window_is_no_proof() -> None:
    usual = usual_of(pl.Series("age", [1.0] * 999 + [None], strict=False), AGE)

    far, error = away(usual, pl.Series("age", [1.0] * 19 + [None]))["missing"]

    assert far / error < 0.5


def test_texts_are_followed_by_their_length_and_truths_by_their_share() -> None:
    note = usual_of(pl.Series("note", ["ab", "abcd"] * 50), Column("note", "text"))
    paid = usual_of(pl.Series("paid", [True, False] * 50), Column("paid", "boolean"))

    assert away(note, pl.Series("note", ["abcdefgh"] * 50))["level"][0] == pytest.approx(0.5)
    assert away(paid, pl.Series("paid", [True] * 50))["is true"][0] == pytest.approx(0.5)


def test_a_column_that_was_always_missing_is_followed_by_that_alone() -> None:
    usual = usual_of(pl.Series("age", [None] * 50, dtype=pl.Float64), AGE)

    assert usual.statistics == ("missing",)
    assert away(usual, pl.Series("age", [1.0] * 50))["missing"][0] == -1.0
