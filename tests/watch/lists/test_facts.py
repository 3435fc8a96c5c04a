"""Windows of lists as plain facts."""

from __future__ import annotations

import json

import numpy as np
import pytest

from everfit.evidence.trial.differences import Differences
from everfit.watch.lists import hit_facts, shown_facts
from tests.watch.lists.loops import START

NAN = np.nan


def lists(n: int, n_items: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.permuted(np.tile(np.arange(n_items), (n, 1)), axis=1)[:, :10]


def test_facts_can_be_written_and_count_lists_people_and_strangers() -> None:
    codes = lists(50, 40)
    codes[0] = -1
    codes[1, 4] = codes[1, 0]

    found = shown_facts(
        codes, np.arange(50) // 2, np.ones(40), n_users=99, start=START,
        cold=np.arange(50) < 5,
    )  # fmt: skip

    assert json.loads(json.dumps(found)) == found
    assert (found["n"], found["people"], found["cold"], found["repeating"]) == (50, 25, 5, 1)
    assert found["facts"]["empty"] == 1
    assert found["spread"] == {}  # 25 people are fewer than the least size


def test_spread_is_counted_for_fixed_numbers_of_people() -> None:
    few, many = (shown_facts(lists(n, 200, n), np.arange(n), np.ones(200), n_users=n, start=START)
                 for n in (120, 3000))  # fmt: skip

    assert set(few["spread"]) == {"30", "100"}
    assert set(many["spread"]) == {"30", "100", "300", "1000"}
    # all lists together would show a busy day as far wider
    one, other = (part["spread"]["100"]["effective"] for part in (few, many))
    assert one == pytest.approx(other, rel=0.05)
    assert few["facts"]["entropy"] < many["facts"]["entropy"]


def test_one_person_who_asks_all_day_counts_once() -> None:
    codes = np.vstack([lists(100, 300), np.tile(np.arange(10), (2000, 1))])
    people = np.concatenate([np.arange(100), np.full(2000, 7)])

    found = shown_facts(codes, people, np.ones(300), n_users=100, start=START)

    alone = shown_facts(codes[:100], np.arange(100), np.ones(300), n_users=100, start=START)
    one, other = (part["spread"]["100"]["effective"] for part in (found, alone))
    assert one == pytest.approx(other, rel=0.05)


def test_the_same_list_for_all_has_as_many_effective_items_as_places() -> None:
    codes = np.tile(np.arange(10), (40, 1))
    popularity = np.r_[np.full(10, 9.0), np.zeros(990)]

    found = shown_facts(codes, np.arange(40), popularity, n_users=40, start=START)

    assert found["spread"]["30"]["effective"] == pytest.approx(10.0)
    assert found["spread"]["30"]["head"] == pytest.approx(1.0)


def test_the_same_window_gives_the_same_facts() -> None:
    codes, people = lists(500, 200), np.arange(500)

    one, two = (shown_facts(codes, people, np.ones(200), n_users=500, start=START)
                for _ in range(2))  # fmt: skip

    assert one == two


def test_hits_are_of_lists_with_an_outcome_and_pairs_of_the_shadow_slice() -> None:
    codes = np.array([[1, 2], [1, 2], [1, 2], [1, 2]])
    popular = np.array([[9, 8], [9, 8], [-1, -1], [9, 8]])
    truth = np.array([[2.0], [9.0], [1.0], [NAN]])

    found = hit_facts(codes, truth, np.array([1, 2, 3, 4]), popular=popular, k=2)

    assert json.loads(json.dumps(found)) == found
    assert found["judged"] == 3
    assert found["hits"][1] == pytest.approx(2 / 3)
    assert (found["shadow"]["judged"], found["shadow"]["own"], found["shadow"]["popular"]) == (
        2, 0.5, 0.5,
    )  # fmt: skip
    pairs = Differences.from_dict(found["shadow"]["differences"])
    assert (pairs.n, pairs.mean) == (2, 0.0)


def test_lists_of_one_person_are_one_pair() -> None:
    codes, popular = np.array([[1], [1], [1]]), np.array([[2], [2], [2]])

    found = hit_facts(codes, np.array([[1.0], [2.0], [1.0]]), np.array([7, 7, 8]), popular=popular)

    pairs = Differences.from_dict(found["shadow"]["differences"])
    assert pairs.n == 2
    assert pairs.mean == pytest.approx(0.5)  # person 7: 0, person 8: 1


def test_a_window_without_any_outcome_has_nothing_to_tell() -> None:
    found = hit_facts(np.array([[1]]), np.array([[NAN]]), np.array([1]), popular=np.array([[2]]))

    assert found["judged"] == 0
    assert found["hits"] == [None, None, None]
    assert found["shadow"]["own"] is None
