"""What another model's lists would have earned, from lists that were shown and logged."""

from __future__ import annotations

import itertools
from functools import lru_cache

import numpy as np
import pytest

from everfit.errors import DataError, UsageError
from everfit.lists.explore import Explore, Logs, earned, explored, log_chances

CODES = np.array([7, 3, 9, 1])
SCORES = np.array([4.0, 3.5, 2.0, 1.0])
# what each item earns on average at each of two places: the model ranks them the wrong way round
MEANS = np.array([[0.2, 0.1], [0.4, 0.2], [0.3, 0.2], [0.7, 0.4]])
OLD, NEW = Explore(0.6, 2.0), Explore(0.5, 1.0)
BACK = np.argsort(CODES)


def means_of(lists: np.ndarray) -> np.ndarray:
    return MEANS[BACK[np.searchsorted(CODES[BACK], lists)], [0, 1]]


@lru_cache(maxsize=2)
def shown(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Lists of two by the old model, and their log chances."""
    found = [explored(CODES, SCORES, OLD, request=f"{seed}-{at}", k=2) for at in range(n)]
    return np.array([one.codes for one in found]), np.array([one.log_propensity for one in found])


def logs(n: int = 3000, *, people: np.ndarray | None = None, seed: int = 1) -> Logs:
    lists, chances = shown(n, seed)
    rng = np.random.default_rng(seed)
    reward = (rng.random((n, 2)) < means_of(lists)).astype(float)
    ranked = np.tile(CODES, (n, 1)), np.tile(SCORES, (n, 1)), OLD
    return Logs(lists, chances, reward, people, ranked)


def new(n: int) -> tuple[np.ndarray, np.ndarray, Explore]:
    return np.tile(CODES[::-1], (n, 1)), np.tile(SCORES, (n, 1)), NEW


def worth(codes: np.ndarray, how: Explore) -> float:
    """What lists of two earn on average, over all lists that there are."""
    lists = np.array(list(itertools.permutations(CODES, 2)))
    tiled = np.tile(codes, (len(lists), 1)), np.tile(SCORES, (len(lists), 1))
    chances = np.exp(log_chances(*tiled, lists, how).sum(axis=1))
    return float(chances @ means_of(lists).sum(axis=1))


TRUTH = worth(CODES[::-1], NEW) - worth(CODES, OLD)


@pytest.mark.parametrize(("by", "n"), [("cascade", 3000), ("place", 1200)])
def test_a_better_ranking_is_found_from_the_lists_of_a_worse_one(by: str, n: int) -> None:
    found = earned(logs(n), *new(n), by=by)  # type: ignore[arg-type]

    assert found.answer == "better"
    assert found.gain is not None
    assert found.gain.contains(TRUTH)
    assert found.gain.high - found.gain.low < 0.3
    assert "would have earned more per list" in found.why


def test_the_model_that_was_logged_gains_nothing_over_itself() -> None:
    given = logs()
    assert given.ranked is not None

    found = earned(given, *given.ranked)

    assert found.gain is not None
    assert found.gain.mid == pytest.approx(0.0, abs=1e-9)
    assert found.ess == pytest.approx(3000)


def test_fewer_places_say_more() -> None:
    one, both = (earned(logs(), *new(3000), places=places) for places in (1, 2))

    assert one.ess > both.ess


def test_lists_that_never_explored_cannot_judge_another_ranking() -> None:
    n = 500
    plain = Logs(np.tile(CODES[:2], (n, 1)), np.zeros((n, 2)), np.ones((n, 2)))

    found = earned(plain, *new(n)[:2], Explore(0.0))

    assert found.refused
    assert found.gain is None
    assert "none of 500 logged lists" in found.why


def test_few_people_with_many_lists_are_refused() -> None:
    assert earned(logs(people=np.arange(3000) % 40), *new(3000)).refused


def test_lists_without_a_logged_chance_are_refused_with_an_error() -> None:
    given = logs(300)
    gone = Logs(
        given.codes, np.where(np.arange(2) == 1, np.nan, given.log_propensity), given.reward
    )

    with pytest.raises(DataError, match="no usable propensity") as caught:
        earned(gone, *new(300))

    assert "300 missing of 600" in caught.value.got


def test_judging_by_place_needs_what_the_lists_were_drawn_from() -> None:
    given = logs(300)
    bare = Logs(given.codes, given.log_propensity, given.reward)

    with pytest.raises(UsageError, match="cannot be judged this way"):
        earned(bare, *new(300), by="place")
