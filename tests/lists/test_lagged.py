"""What follows what: against plain counting."""

from __future__ import annotations

import numpy as np
import pytest

from everfit.lists.asked import Interactions
from everfit.lists.lagged import Lagged, followers, level
from everfit.lists.neighbours import cosine, met
from everfit.lists.popular import popularity
from tests.lists.walks import walks


@pytest.mark.parametrize(("reach", "power"), [(1, 0.0), (3, 0.3), (10, 0.5)])
def test_followers_are_counted_by_lag(reach: int, power: float) -> None:
    seen = walks(30, n_items=25, length=8)
    history = seen.histories()
    counts = np.zeros((25, 25))
    for user in range(30):
        items = history.items[history.starts[user] : history.starts[user + 1]]
        for i in range(items.size):
            for lag in range(1, min(reach, items.size - 1 - i) + 1):
                counts[items[i], items[i + lag]] += 1.0 / lag
    often = np.maximum(np.bincount(seen.items, minlength=25), 1.0)
    expected = counts / (counts.sum(axis=1, keepdims=True) + 4.0) / often**power
    np.fill_diagonal(expected, 0.0)

    found = followers(seen, reach=reach, shrink=4.0, power=power, kept=25).toarray()

    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-8)


def test_nobody_follows_across_users() -> None:
    seen = Interactions.of(np.array([0, 1, 0, 1]), np.array([0, 1, 2, 3]))

    found = followers(seen, shrink=0.0, power=0.0).toarray()

    assert {(int(i), int(j)) for i, j in zip(*np.nonzero(found), strict=True)} == {(0, 2), (1, 3)}


def test_both_matrices_stand_at_one_height() -> None:
    seen = walks()
    scorer = Lagged(cosine(met(seen)) * 50.0, followers(seen) * 0.01, popularity(seen))

    levelled = level(scorer, seen, most=120)

    near, after = levelled.parts(seen.histories())
    assert near.max(axis=1).mean() == pytest.approx(1.0, rel=1e-4)
    assert after.max(axis=1).mean() == pytest.approx(1.0, rel=1e-4)


def test_alpha_moves_from_neighbours_to_followers() -> None:
    seen = walks()
    asked = seen.histories()
    scorer = level(Lagged(cosine(met(seen)), followers(seen), popularity(seen), 0.0, mix=0.0), seen)
    near, after = scorer.parts(asked)

    np.testing.assert_array_equal(scorer.personal(asked), near)
    large = Lagged(scorer.near, scorer.after, scorer.base, 1e6, mix=0.0).personal(asked)
    np.testing.assert_allclose(large / 1e6, after, atol=1e-4)
