"""What lists show: coverage, popularity, novelty, concentration, repetition."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everfit.errors import UsageError
from everfit.lists.exposure import (
    coverage,
    entropy,
    exposure,
    gini,
    head_share,
    list_facts,
    mean_popularity,
    novelty,
    repetition,
)

SHOWN = st.lists(st.integers(0, 50), min_size=2, max_size=40).filter(lambda x: sum(x) > 0)


@settings(max_examples=100, deadline=None)
@given(shown=SHOWN)
def test_gini_is_half_the_relative_mean_difference(shown: list[int]) -> None:
    x = np.array(shown, dtype=float)

    plain = np.abs(x[:, None] - x).mean() / (2 * x.mean())

    assert gini(x) == pytest.approx(plain, abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(shown=SHOWN)
def test_entropy_is_that_of_scipy_over_its_greatest_value(shown: list[int]) -> None:
    from scipy.stats import entropy as plain

    assert entropy(shown) == pytest.approx(float(plain(shown)) / np.log(len(shown)), abs=1e-12)
    assert 0 <= entropy(shown) <= 1 + 1e-12


def test_slots_are_counted_to_depth_k_and_by_weight() -> None:
    codes = np.array([[0, 1, 2], [0, 2, -1]])

    assert exposure(codes, 4, k=2).tolist() == [2.0, 1.0, 1.0, 0.0]
    assert exposure(codes, 4, weight=[1.0, 0.5, 0.25]).tolist() == [2.0, 0.5, 0.75, 0.0]


def test_the_head_is_what_most_users_took_and_at_least_one_item() -> None:
    popularity = np.arange(300)[::-1]
    shown = np.zeros(300)
    shown[[0, 2, 3]] = [5.0, 1.0, 4.0]

    assert head_share(shown, popularity) == 0.6  # three items are 1% of 300
    assert head_share([1.0, 3.0], [5, 1]) == 0.25


def test_an_item_that_nobody_took_is_as_new_as_one_that_a_single_user_took() -> None:
    found = novelty(np.array([[0], [1], [2]]), [0, 1, 1024], n_users=1024)

    assert found.tolist() == [10.0, 10.0, 0.0]


def test_an_empty_list_has_no_popularity_and_is_counted() -> None:
    codes = np.array([[-1, -1], [1, 1]])

    facts = list_facts(codes, [1, 4], n_users=4, k=2)

    assert np.isnan(mean_popularity(codes, [1, 4])[0])
    assert (facts.lists, facts.empty, facts.popularity, facts.repetition) == (2, 1, 4.0, 0.5)


def test_lists_without_any_item_tell_nothing_and_can_be_written() -> None:
    facts = list_facts(np.full((3, 2), -1), [1, 2], n_users=2)

    plain = json.loads(json.dumps(facts.as_dict()))

    assert plain["coverage"] == 0.0
    assert plain["gini"] is plain["entropy"] is plain["head"] is plain["novelty"] is None


def test_everybody_seeing_the_same_list_covers_little() -> None:
    same = np.tile(np.arange(10), (500, 1))
    own = np.random.default_rng(0).permuted(np.tile(np.arange(100), (500, 1)), axis=1)[:, :10]

    few, many = exposure(same, 100), exposure(own, 100)

    assert (coverage(few), coverage(many)) == (0.1, 1.0)
    assert entropy(few) == pytest.approx(0.5)
    assert entropy(many) > 0.99
    assert gini(few) > 0.89 > 0.2 > gini(many)


def test_an_item_outside_the_catalogue_is_refused() -> None:
    with pytest.raises(UsageError, match="not in the catalogue"):
        exposure(np.array([[5]]), 5)


def test_what_is_no_table_of_lists_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot be counted"):
        repetition(np.array([1, 2]))
