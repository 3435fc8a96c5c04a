"""A path that is followed a window at a time is the one that is followed at once."""

from __future__ import annotations

import numpy as np
import pytest

from everfit.evidence.alarms.paths import Paths

X = np.random.default_rng(0).normal(size=(30, 4))
X[7, 2] = np.nan


class Walk:
    """A recursion that counts its steps: a sum that fades, without what is missing."""

    def __init__(self, most: int = 16) -> None:
        self.paths: Paths[list[np.ndarray]] = Paths(most)
        self.steps = 0

    def __call__(self, x: np.ndarray, about: str = "x") -> np.ndarray:
        def step(state: list[np.ndarray], t: int) -> np.ndarray:
            self.steps += 1
            state[0] = 0.9 * state[0] + np.nan_to_num(x[t])
            return state[0]

        return self.paths.follow(about, (x,), lambda: [np.zeros(x.shape[1])], step)


def test_a_path_that_grows_has_the_bits_of_one_that_is_followed_at_once():
    grown, whole = Walk(), Walk()(X)

    for n in (1, 2, 11, 12, 30):
        assert (grown(X[:n]) == whole[:n]).all()

    assert grown.steps == len(X)


def test_fewer_windows_than_before_cost_nothing_and_spoil_nothing():
    walk = Walk()
    whole = walk(X)

    assert (walk(X[:5]) == whole[:5]).all()
    assert (walk(X) == whole).all()
    assert walk.steps == len(X)


@pytest.mark.parametrize("at", [(0, 0), (29, 3), (7, 2)])
def test_a_number_that_changed_makes_the_path_begin_anew(at):
    walk, other = Walk(), X.copy()
    other[at] = 5.0
    walk(X)

    assert (walk(other) == Walk()(other)).all()
    assert walk.steps == 2 * len(X)


def test_other_statistics_are_another_path():
    walk = Walk()
    walk(X)

    assert walk(X[:, :2]).shape == (30, 2)


def test_what_a_caller_does_to_the_result_stays_his():
    walk = Walk()
    whole = walk(X).copy()
    walk(X)[:] = 0.0

    assert (walk(X) == whole).all()


def test_paths_that_were_not_followed_for_long_are_forgotten():
    walk = Walk(most=2)
    for about in ("a", "b", "a", "c", "a"):
        walk(X, about)
    assert walk.steps == 3 * len(X)

    walk(X, "b")

    assert walk.steps == 4 * len(X)


def test_no_window_is_no_path():
    assert len(Walk()(X[:0])) == 0
