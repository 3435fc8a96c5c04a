"""What is popular now."""

from __future__ import annotations

import numpy as np
import pytest

from everfit.lists.asked import Interactions
from everfit.lists.popular import DAY_S, popularity, popularity_over
from tests.lists.walks import news


def test_a_window_counts_its_days_alone() -> None:
    seen = Interactions.of(
        np.arange(6), np.array([0, 0, 0, 1, 1, 2]), at=DAY_S * np.array([1, 1, 2, 9, 9, 10.0])
    )

    order = np.argsort(-popularity(seen, days=2.0)).tolist()

    assert order == [1, 2, 0]
    assert np.argsort(-popularity(seen, days=100.0)).tolist() == [0, 1, 2]


def test_a_half_life_weighs_by_age() -> None:
    seen = Interactions.of(
        np.arange(4), np.array([0, 0, 1, 1]), at=DAY_S * np.array([0, 10, 5, 5.0])
    )

    found = popularity(seen, half_life=5.0)

    expected = (0.25 + 1.0) / (0.5 + 0.5)
    assert found[0] / found[1] == pytest.approx(expected, rel=2e-3)


def test_items_outside_the_window_stand_by_all_time() -> None:
    seen = Interactions.of(
        np.arange(4), np.array([0, 1, 1, 2]), at=DAY_S * np.array([0, 0, 0, 50.0]), n_items=4
    )

    assert np.argsort(-popularity(seen, days=7.0), kind="stable").tolist() == [2, 1, 0, 3]


def test_weights_count() -> None:
    seen = Interactions.of(np.arange(3), np.array([0, 0, 1]), weight=np.array([1.0, 1.0, 5.0]))

    assert popularity(seen).argmax() == 1


def test_the_highest_is_one_also_over_several_windows() -> None:
    seen = news()

    for windows in (((7.0, 0.0),), ((0.0, 3.0), (30.0, 0.0), (0.0, 0.0))):
        found = popularity_over(seen, windows)
        assert found.max() == 1.0
        assert found.min() >= 0.0


def test_nothing_met_is_not_popular() -> None:
    seen = Interactions.of(np.array([], int), np.array([], int), n_users=2, n_items=3)

    assert popularity(seen, days=7.0).tolist() == [0.0, 0.0, 0.0]
