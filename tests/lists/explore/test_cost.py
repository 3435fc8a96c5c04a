"""What exploring costs, and a temperature that keeps within it."""

from __future__ import annotations

import numpy as np
import pytest

from everfit.errors import UsageError
from everfit.lists.explore import Explore, expected_loss, explored, temperature_for
from everfit.lists.explore.draw import COLD, HOT
from everfit.lists.metrics import ndcg


def world(n: int = 300, depth: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Candidates, scores, and true items that scores know something about."""
    rng = np.random.default_rng(0)
    scores = np.sort(rng.gamma(1.0, size=(n, depth)), axis=1)[:, ::-1]
    codes = rng.permuted(np.tile(np.arange(200), (n, 1)), axis=1)[:, :depth]
    true = rng.random((n, depth)) < 0.3 * scores / scores.max()
    return codes, scores, true


@pytest.mark.parametrize("share", [0.1, 0.3, 1.0])
@pytest.mark.parametrize("by", ["scores", "truth"])
def test_the_temperature_keeps_the_expected_loss_within_its_budget(share: float, by: str) -> None:
    codes, scores, true = world()
    gains = None if by == "scores" else true.astype(float)

    heat = temperature_for(codes, scores, share=share, budget=0.03, gains=gains)

    # judged on other lists and other draws
    loss, _ = expected_loss(
        codes[::-1], scores[::-1], Explore(share, heat, seed=99),
        gains=None if gains is None else gains[::-1], draws=200,
    )  # fmt: skip
    assert loss <= 0.033
    assert loss >= (0.02 if by == "scores" else 0.0)
    assert COLD < heat < HOT


def test_the_expected_loss_by_truth_is_that_of_ndcg() -> None:
    codes, scores, true = world()
    truth = np.where(true, codes, np.nan)
    how = Explore(0.5, 1.0, seed=4)
    judged = true.any(axis=1)

    plain = ndcg(codes, truth)
    drawn = np.array([
        [explored(codes[row], scores[row], how, request=f"{row}-{at}").codes for at in range(8)]
        for row in range(len(codes))
    ])  # fmt: skip
    got = np.mean([ndcg(drawn[:, at], truth) for at in range(8)], axis=0)

    useful = judged & (plain > 0)
    expected = 1 - (got[useful] / plain[useful])
    loss, error = expected_loss(codes, scores, how, gains=true.astype(float), draws=50)
    assert loss == pytest.approx(expected.mean(), abs=4 * error)


def test_a_budget_that_nothing_exceeds_gives_the_hottest_temperature() -> None:
    codes, scores, _ = world(50)

    assert temperature_for(codes, scores, share=0.0) == HOT
    assert temperature_for(codes, scores, share=0.01, budget=0.5) == HOT
    assert temperature_for(codes, np.ones_like(scores), share=1.0) == HOT


def test_lists_without_candidates_cost_nothing() -> None:
    assert expected_loss(np.full((2, 3), -1), np.zeros((2, 3)), Explore(0.5)) == (0.0, 0.0)


def test_a_budget_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="a budget"):
        temperature_for(np.array([[1, 2]]), np.array([[1.0, 0.5]]), share=0.5, budget=0.0)
