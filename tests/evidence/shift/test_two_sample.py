"""The sequential two-sample test: its error over all windows, what it finds, whom it names."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from everfit.errors import UsageError
from everfit.evidence.shift.bets import NewtonBets
from everfit.evidence.shift.two_sample import (
    TwoSample,
    needed_columns,
    payoffs,
    whole_payoff,
)


def first(rows: np.ndarray) -> np.ndarray:
    """A scorer that looks at the first column only."""
    return 1 / (1 + np.exp(-rows[:, 0]))


def test_a_payoff_is_twice_the_chance_to_tell_the_pair_right_less_one():
    rng = np.random.default_rng(0)
    new, old = rng.normal(size=(2, 50, 2))

    found = payoffs(first, new, old)

    # P(first is new | one of the two is) = odds ratio / (1 + odds ratio)
    odds = np.exp(new[:, 0] - old[:, 0])
    assert found == pytest.approx(2 * odds / (1 + odds) - 1)


def test_new_and_old_change_places_and_payoffs_change_sign():
    rng = np.random.default_rng(1)
    new, old = rng.normal(size=(2, 50, 2))

    there, back = payoffs(first, new, old), payoffs(first, old, new)

    assert there == pytest.approx(-back)
    assert whole_payoff(there) == pytest.approx(-whole_payoff(back))


def test_a_scorer_that_knows_nothing_or_fails_pays_nothing():
    rows = np.ones((3, 1))

    assert payoffs(lambda r: np.full(len(r), np.nan), rows, rows + 1).tolist() == [0.0] * 3
    assert np.abs(payoffs(lambda r: r[:, 0] > 1.5, rows + 1, rows)).max() <= 1.0
    assert len(payoffs(first, rows[:0], rows)) == 0


@pytest.mark.parametrize("whole", [True, False])
def test_windows_from_the_reference_seldom_ever_raise_an_alarm(whole):
    runs, false = 80, 0
    for seed in range(runs):
        rng = np.random.default_rng([seed, 5])
        test = TwoSample(rng.standard_t(3, (2000, 3)), 0.1, seed=seed, whole_windows=whole)
        while not test.spent:
            test.update(rng.standard_t(3, (50, 3)))
        false += test.decided

    assert false / runs <= 0.1 + 3 * math.sqrt(0.1 * 0.9 / runs)


def test_windows_that_hang_together_need_whole_windows():
    # each window has a level of its own, in the reference too: windows are alike, rows are not
    runs, false = 40, np.zeros(2)
    for seed in range(runs):
        rng = np.random.default_rng([seed, 6])
        for i, whole in enumerate((True, False)):
            test = TwoSample(rng.normal(size=(2000, 2)) * 1.2, 0.05, seed, whole_windows=whole)
            for _ in range(40):
                test.update(rng.normal(size=(50, 2)) + 0.6 * rng.normal(size=(1, 2)))
            false[i] += test.decided

    assert false[0] / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)
    assert false[1] / runs > 0.5


def test_columns_that_moved_are_found_and_named_and_no_others():
    rng = np.random.default_rng(7)
    test = TwoSample(rng.normal(size=(8000, 10)), 0.05)
    move = np.zeros(10)
    move[[2, 7]] = [0.5, -0.4]
    names = [f"c{i}" for i in range(10)]

    for _ in range(30):
        test.update(rng.normal(size=(200, 10)) + move)

    assert test.decided
    found = test.needed(names)
    assert [column.name for column in found] == ["c2", "c7"]
    assert all(column.p < 0.01 and 0.1 < column.share < 1.0 for column in found)


def test_a_learner_of_the_caller_sees_what_single_columns_do_not_show():
    # the correlation changes its sign; every column by itself stays as it was
    def learn(rows, is_new):
        both = rows[:, 0] * rows[:, 1]
        slope = (both[is_new].mean() - both[~is_new].mean()) / both.var()
        return lambda r: 1 / (1 + np.exp(-slope * r[:, 0] * r[:, 1]))

    rng = np.random.default_rng(8)
    corner = np.linalg.cholesky([[1, 0.5], [0.5, 1]])
    reference = rng.normal(size=(6000, 2)) @ corner.T
    ours, plain = TwoSample(reference, 0.05, learn=learn), TwoSample(reference, 0.05)

    for _ in range(25):
        window = rng.normal(size=(200, 2)) @ (corner * [[1, 1], [-1, 1]]).T
        ours.update(window)
        plain.update(window)

    assert ours.decided
    assert not plain.decided
    assert {column.name for column in ours.needed("ab")} == {"a", "b"}


def test_a_learner_is_fitted_anew_when_there_is_five_percent_more_to_learn_from():
    fitted = []

    def learn(rows, is_new):
        fitted.append(len(rows))
        return first

    rng = np.random.default_rng(9)
    test = TwoSample(rng.normal(size=(3000, 1)), 0.05, learn=learn)
    for _ in range(300):
        test.update(rng.normal(size=(10, 1)))

    assert fitted[:10] == [20 * n for n in range(1, 11)]
    assert len(fitted) < 90
    grown = [later / earlier for earlier, later in itertools.pairwise(fitted[40:])]
    assert 1.05 < min(grown) <= max(grown) < 1.1


def test_the_reference_is_used_once_and_then_spent():
    rng = np.random.default_rng(9)
    test = TwoSample(np.arange(100.0)[:, None], 0.05)
    seen = []

    def learn(rows, is_new):
        seen.append(np.sort(rows[~is_new, 0]))
        return lambda r: np.full(len(r), 0.5)

    test.learn = learn
    for _ in range(5):
        test.update(rng.normal(size=(30, 1)))
    before = test.bets.n
    test.update(rng.normal(size=(30, 1)))

    assert test.spent
    assert test.used == 100
    assert len(set(seen[-1])) == len(seen[-1])
    assert test.bets.n == before == 3


def test_the_same_seed_and_rows_give_the_same_wealth_to_the_last_bit():
    windows = np.random.default_rng(10).normal(size=(6, 40, 2))
    reference = np.random.default_rng(11).normal(size=(400, 2))
    one, two = (TwoSample(reference.copy(), 0.05, seed=3) for _ in range(2))

    assert [one.update(w) for w in windows] == [two.update(w) for w in windows]


def test_a_window_of_other_columns_is_refused_and_an_empty_one_changes_nothing():
    test = TwoSample(np.zeros((10, 3)), 0.05)

    with pytest.raises(UsageError, match="paired with the reference") as caught:
        test.update(np.zeros((5, 2)))

    assert caught.value.got == "2 columns"
    assert test.update(np.zeros((0, 3))) == 0.0
    assert (test.used, test.bets) == (0, NewtonBets())


def test_without_a_judged_window_no_column_is_named():
    assert needed_columns([], ["a"]) == ()
    assert TwoSample(np.zeros((10, 1)), 0.05).needed(["a"]) == ()
