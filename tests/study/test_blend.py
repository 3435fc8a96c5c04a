"""Greedy blending."""

from __future__ import annotations

import numpy as np
import pytest

from everfit.records import Answers, Truth
from everfit.study.blend import LEAST_SHARE, MAX_MEMBERS, blended, greedy, mean_loss
from everfit.tasks import TASKS

TASK = TASKS["regress"]


def made(n_models: int, n: int = 400, seed: int = 0) -> tuple[list[np.ndarray], Truth]:
    rng = np.random.default_rng(seed)
    true = rng.normal(size=n)
    values = [(true + rng.normal(scale=1.0, size=n))[:, None] for _ in range(n_models)]
    return values, Truth(np.arange(n), true)


def test_a_blend_of_independent_errors_beats_its_best_member() -> None:
    values, truth = made(4)

    blend = greedy(values, truth, TASK, "rmse")

    singles = [mean_loss(TASK, "rmse", Answers(truth.ids, v), truth) for v in values]
    assert blend.loss < min(singles) * 0.6
    assert len(blend.members) > 1


def test_the_loss_that_is_stated_is_the_loss_of_the_blend() -> None:
    values, truth = made(5)

    blend = greedy(values, truth, TASK, "rmse")

    mixed = Answers(truth.ids, blended(values, blend, TASK))
    assert blend.loss == pytest.approx(mean_loss(TASK, "rmse", mixed, truth))


def test_shares_sum_to_one_and_none_is_tiny() -> None:
    values, truth = made(12)

    blend = greedy(values, truth, TASK, "rmse")

    assert sum(blend.shares) == pytest.approx(1.0)
    assert min(blend.shares) >= LEAST_SHARE
    assert len(blend.members) <= MAX_MEMBERS


def test_a_model_that_is_best_alone_stays_alone() -> None:
    truth = Truth(np.arange(100), np.linspace(0, 1, 100))
    perfect, noise = truth.values[:, None], np.full((100, 1), 9.0)

    blend = greedy([noise, perfect], truth, TASK, "rmse")

    assert (blend.members, blend.shares) == ((1,), (1.0,))


def test_a_copy_of_a_member_adds_no_member() -> None:
    values, truth = made(1)

    blend = greedy([values[0], values[0].copy()], truth, TASK, "rmse")

    assert blend.members == (0,)
