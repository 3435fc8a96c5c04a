"""Lists that try something: chances that add up, and draws that keep to them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from everfit.errors import UsageError
from everfit.lists.explore import (
    Explore,
    explored,
    log_chances,
)

CODES = np.array([7, 3, 9, 1])
SCORES = np.array([4.0, 3.5, 2.0, 1.0])
SHARES = st.one_of(st.just(0.0), st.just(1.0), st.floats(0.0, 1.0))
TEMPERATURES = st.floats(0.01, 100.0)


def orders(codes: np.ndarray, k: int) -> np.ndarray:
    return np.array(list(itertools.permutations(codes[codes >= 0], k)))


def chances(codes: np.ndarray, scores: np.ndarray, lists: np.ndarray, how: Explore) -> np.ndarray:
    """The chance of each whole list (n, k)."""
    n = len(lists)
    logs = log_chances(np.tile(codes, (n, 1)), np.tile(scores, (n, 1)), lists, how)
    return np.exp(logs.sum(axis=1))


@settings(max_examples=200, deadline=None)
@given(
    scores=st.lists(st.floats(-50, 50), min_size=1, max_size=5),
    share=SHARES,
    temperature=TEMPERATURES,
    k=st.integers(1, 5),
)
def test_the_chances_of_all_lists_sum_to_one(
    scores: list[float], share: float, temperature: float, k: int
) -> None:
    ordered = np.sort(scores)[::-1]
    codes = np.arange(len(scores)) * 3
    lists = orders(codes, min(k, len(scores)))

    found = chances(codes, ordered, lists, Explore(share, temperature))

    assert found.sum() == pytest.approx(1.0, abs=1e-9)
    assert (found >= 0).all()


@settings(max_examples=200, deadline=None)
@given(
    scores=st.lists(st.floats(-50, 50), min_size=1, max_size=8),
    share=SHARES,
    temperature=TEMPERATURES,
    k=st.integers(1, 10),
    request=st.text(max_size=8),
    seed=st.integers(0, 2**40),
)
def test_what_is_shown_is_a_list_of_candidates_with_the_chances_it_says(
    scores: list[float], share: float, temperature: float, k: int, request: str, seed: int
) -> None:
    ordered, codes = np.sort(scores)[::-1], np.arange(len(scores)) + 10
    how = Explore(share, temperature, seed)

    found = explored(codes, ordered, how, request=request, k=k)

    held = found.codes[found.codes >= 0]
    assert len(held) == min(k, len(codes)) == len(set(held.tolist()))
    assert set(held.tolist()) <= set(codes.tolist())
    assert (found.codes[len(held) :] == -1).all()
    again = log_chances(codes[None], ordered[None], found.codes[None], how)[0]
    np.testing.assert_allclose(found.log_propensity, again, rtol=0, atol=1e-12)
    assert np.isfinite(found.log_propensity).all()
    # where no coin fell, the best that was left stands
    for place in np.flatnonzero(~found.drawn[: len(held)]):
        assert held[place] == min(set(codes.tolist()) - set(held[:place].tolist()))


@pytest.mark.parametrize(("share", "temperature"), [(1.0, 0.5), (0.4, 0.3), (0.1, 2.0)])
def test_lists_come_as_often_as_their_chances_say(share: float, temperature: float) -> None:
    how, n = Explore(share, temperature, seed=3), 3000
    lists = orders(CODES, 3)

    shown = [explored(CODES, SCORES, how, request=str(at), k=3).codes for at in range(n)]

    expected = chances(CODES, SCORES, lists, how) * n
    counts = np.array([(np.array(shown) == one).all(axis=1).sum() for one in lists])
    rare = expected < 5
    pooled = np.append(expected[~rare], expected[rare].sum() + 1e-9)
    seen = np.append(counts[~rare], counts[rare].sum())
    assert counts.sum() == n
    assert stats.chisquare(seen, pooled * seen.sum() / pooled.sum()).pvalue > 0.001


def test_a_draw_everywhere_is_plackett_luce() -> None:
    how = Explore(1.0, 0.5)
    weight = np.exp((SCORES - 1.0) / 3.0 / 0.5)

    for order in itertools.permutations(range(4)):
        left, plain = weight.sum(), 1.0
        for item in order:
            plain *= weight[item] / left
            left -= weight[item]
        found = chances(CODES, SCORES, CODES[None, list(order)], how)
        assert found[0] == pytest.approx(plain, rel=1e-9)


def test_without_a_share_it_is_the_plain_list_for_certain() -> None:
    found = explored(CODES, SCORES, Explore(0.0), request="r", k=3)

    assert found.codes.tolist() == [7, 3, 9]
    assert found.log_propensity.tolist() == [0.0, 0.0, 0.0]
    assert not found.drawn.any()
    other = log_chances(CODES[None], SCORES[None], np.array([[3, 7, 9]]), Explore(0.0))[0]
    assert other.tolist() == [-np.inf, 0.0, 0.0]  # 7 is the best that is left at the second place


def test_an_answer_can_be_repeated_and_a_shorter_one_is_its_beginning() -> None:
    codes, scores = np.arange(100), np.linspace(5, 0, 100)
    how = Explore(0.5, 0.5, seed=11)

    long, again, short = (explored(codes, scores, how, request="u42-7", k=k) for k in (20, 20, 5))

    assert np.array_equal(long.codes, again.codes)
    assert np.array_equal(long.codes[:5], short.codes)
    np.testing.assert_allclose(long.log_propensity[:5], short.log_propensity)
    others = {tuple(explored(codes, scores, how, request=str(r), k=20).codes) for r in range(50)}
    assert len(others) == 50
    seeds = {tuple(explored(codes, scores, Explore(0.5, 0.5, s), request="a").codes)
             for s in range(50)}  # fmt: skip
    assert len(seeds) == 50


def test_the_share_is_the_share_of_places_that_are_drawn() -> None:
    codes, scores = np.arange(50), np.linspace(1, 0, 50)

    drawn = [explored(codes, scores, Explore(0.2), request=str(r)).drawn for r in range(1500)]

    share = np.mean(drawn)
    assert abs(share - 0.2) < 4 * np.sqrt(0.2 * 0.8 / 15_000)
    assert (np.abs(np.mean(drawn, axis=0) - 0.2) < 0.05).all()  # at every place alike


def test_scores_of_any_scale_explore_alike() -> None:
    codes, scores = np.arange(30), np.linspace(3, 0, 30) ** 2
    how = Explore(0.7, 0.4)

    for stretched in (scores * 1e6 - 7, scores * 1e-9 + 4):
        for request in ("a", "b", "c"):
            one, two = (explored(codes, s, how, request=request) for s in (scores, stretched))
            assert np.array_equal(one.codes, two.codes)


def test_no_candidates_make_an_empty_list() -> None:
    for how in (Explore(0.0), Explore(0.5)):
        found = explored(np.full(4, -1), np.zeros(4), how, request="r", k=3)
        assert found.codes.tolist() == [-1, -1, -1]
        assert found.log_propensity.tolist() == [0.0, 0.0, 0.0]
        none = explored(np.zeros(0, dtype=int), np.zeros(0), how, request="r", k=2)
        assert none.codes.tolist() == [-1, -1]


def test_an_item_that_is_no_candidate_or_stands_twice_has_no_chance() -> None:
    lists = np.array([[7, 5], [7, 7]])

    found = log_chances(np.tile(CODES, (2, 1)), np.tile(SCORES, (2, 1)), lists, Explore(0.5))

    assert np.isneginf(found[:, 1]).all()
    assert np.isfinite(found[:, 0]).all()


@pytest.mark.parametrize(
    ("share", "temperature"), [(-0.1, 1.0), (1.1, 1.0), (0.5, 0.0), (0.5, 1e-300), (0.5, np.nan)]
)
def test_shares_and_temperatures_out_of_range_are_refused(share: float, temperature: float) -> None:
    with pytest.raises(UsageError, match="cannot explore like this"):
        Explore(share, temperature)


def test_scores_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(UsageError, match="cannot be drawn from"):
        explored(CODES, np.array([1.0, np.nan, 0.0, 0.0]), Explore(0.5), request="r")
    with pytest.raises(UsageError, match="cannot be drawn from"):
        explored(CODES, SCORES, Explore(0.5), request="r", k=0)
    with pytest.raises(UsageError, match="do not fit"):
        log_chances(CODES[None], SCORES[None], np.zeros((2, 3)), Explore(0.5))
