"""Chances by place: exact against all lists there are, and against an integral."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import integrate

from everfit.lists.explore import (
    Explore,
    chances_at,
    expected_exposure,
    log_chances,
    place_chances,
)
from everfit.lists.exposure import entropy

CODES = np.array([7, 3, 9, 1])
SCORES = np.array([4.0, 3.5, 2.0, 1.0])


def exact(how: Explore, k: int) -> np.ndarray:
    """By enumeration: the chance of each candidate at each place, (k, 4)."""
    lists = np.array(list(itertools.permutations(CODES, k)))
    tiled = np.tile(CODES, (len(lists), 1)), np.tile(SCORES, (len(lists), 1))
    found = np.zeros((k, 4))
    for one, chance in zip(lists, np.exp(log_chances(*tiled, lists, how).sum(axis=1)), strict=True):
        for place, item in enumerate(one):
            found[place, CODES.tolist().index(item)] += chance
    return found


def test_equal_scores_are_drawn_evenly() -> None:
    found = place_chances(np.arange(5), np.ones(5), Explore(1.0), k=2, draws=4000)

    np.testing.assert_allclose(found, 0.2, atol=0.02)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_chances_by_place_are_those_of_all_lists_together(share: float) -> None:
    how, k = Explore(share, 0.5), 3
    table = exact(how, k)

    found = place_chances(CODES, SCORES, how, k=k, draws=4000)

    np.testing.assert_allclose(found[0], table[0], atol=1e-12)
    np.testing.assert_allclose(found, table, atol=0.02 if share else 1e-12)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    assert (found > 0).all() or share == 0


def test_chances_by_place_are_those_of_a_closed_integral() -> None:
    scores, k = np.linspace(1, 0, 12), 3
    rate = np.exp(scores / 0.4)

    def at_place(item: int, place: int) -> float:
        """An item stands at ``place`` when that many of the others arrive before it."""

        def density(u: float) -> float:
            before = 1.0 - u ** (np.delete(rate, item) / rate[item])
            counts = np.array([1.0])
            for p in before:
                counts = np.convolve(counts, [1 - p, p])
            return float(counts[place])

        return float(integrate.quad(density, 0, 1)[0])

    found = place_chances(np.arange(12), scores, Explore(1.0, 0.4), k=k, draws=3000)

    for item in (0, 5, 11):
        for place in range(k):
            assert found[place, item] == pytest.approx(at_place(item, place), rel=0.03)


def test_exploring_shows_more_of_the_catalogue() -> None:
    codes, scores = np.tile(np.arange(40), (30, 1)), np.tile(np.linspace(1, 0, 40), (30, 1))

    plain = expected_exposure(codes, scores, Explore(0.0), 60)
    wide = expected_exposure(codes, scores, Explore(0.5, 0.5), 60)

    assert plain.tolist() == [30.0] * 10 + [0.0] * 50
    assert wide.sum() == pytest.approx(300)
    assert entropy(wide) > entropy(plain) + 0.1


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 1.0])
def test_chances_at_a_place_are_those_of_all_lists_together(share: float) -> None:
    how, k = Explore(share, 0.5), 4
    table = exact(how, k)

    for order in ([7, 3, 9, 1], [1, 9, 3, 7], [3, 1, 7, 9]):
        found = chances_at(CODES, SCORES, np.array(order), how, draws=4000)
        expected = [table[place, CODES.tolist().index(item)] for place, item in enumerate(order)]
        # by ratio, so that what hardly ever happens counts as much
        np.testing.assert_allclose(found, expected, rtol=0.05, atol=1e-12)


def test_what_hardly_ever_stands_at_a_place_still_has_a_chance() -> None:
    codes, scores = np.arange(20), np.linspace(1, 0, 20)
    last = np.append(np.arange(1, 10), 0)  # the best item at the tenth place

    found = chances_at(codes, scores, last, Explore(0.1, 0.2))

    assert 0 < found[-1] < 1e-8
    assert place_chances(codes, scores, Explore(0.1, 0.2))[9, 0] == 0


def test_what_is_no_candidate_has_no_chance_and_an_empty_place_is_certain() -> None:
    shown = np.array([7, 99, -1])

    for how in (Explore(0.0), Explore(0.5)):
        assert chances_at(CODES, SCORES, shown, how)[1:].tolist() == [0.0, 1.0]
        assert chances_at(np.full(3, -1), np.zeros(3), shown, how).tolist() == [0.0, 0.0, 1.0]


def test_the_same_question_has_the_same_answer() -> None:
    one, two = (chances_at(CODES, SCORES, CODES, Explore(0.5)) for _ in range(2))

    assert np.array_equal(one, two)


def test_no_candidates_have_no_places() -> None:
    none = np.zeros(0, dtype=int)

    assert place_chances(none, np.zeros(0), Explore(0.5), k=2).shape == (2, 0)
    assert expected_exposure(np.zeros((0, 3)), np.zeros((0, 3)), Explore(0.5), 4).sum() == 0
