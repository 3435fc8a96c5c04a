from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from everfit.errors import LearnerFailed
from everfit.learners import make
from everfit.learners.contract import FitBudget, History
from tests.learners.histories import features, history_of

BOOSTERS = ["boosted", "symmetric"]
QUICK: dict[str, dict[str, Any]] = {
    "boosted": {"lr": 0.1, "leaf_rows": 5},
    "symmetric": {"lr": 0.15, "n_rounds": None, "ctr": 1, "depth": 4, "onehot": 100},
}


@pytest.mark.parametrize("name", BOOSTERS)
def test_given_rounds_are_trained_exactly(name: str) -> None:
    learner = make(name, {}).fit(history_of("probabilities", 2), FitBudget(60.0, rounds=17))

    assert learner.facts_["rounds"] == 17


@pytest.mark.parametrize("name", BOOSTERS)
def test_noise_stops_early_and_is_hardly_learnt(name: str) -> None:
    history, asks = history_of("probabilities", 2, n=600), features(200, seed=3)
    noise = History(
        history.table, np.random.default_rng(0).permutation(history.target), "probabilities", 2
    )

    learnt, guessed = (
        make(name, QUICK[name]).fit(some, FitBudget(60.0)) for some in (history, noise)
    )

    assert guessed.facts_["stopped"] == "early"
    assert guessed.answer(asks)[:, 1].std() < 0.6 * learnt.answer(asks)[:, 1].std()


@pytest.mark.parametrize("name", BOOSTERS)
def test_the_log_of_a_target_is_shifted_back_to_its_mean(name: str) -> None:
    history, later = history_of("values", 1, n=400), history_of("values", 1, n=2_000, seed=7)
    settings = QUICK[name] | {"target": "log"}

    biases = [
        make(name, settings | {"smear": smear}).fit(history, FitBudget(60.0)).answer(later.table)
        for smear in (None, 0.0)
    ]
    shifted, plain = (answers.mean() - later.target.mean() for answers in biases)

    # exp of a mean of logs lies below the mean
    assert plain < shifted
    assert abs(shifted) < 0.1 * later.target.mean()


@pytest.mark.parametrize("name", BOOSTERS)
def test_a_later_fold_reuses_step_rounds_and_shift(name: str) -> None:
    history = history_of("values", 1, n=300)
    settings = QUICK[name] | {"target": "log"}
    first = make(name, settings).fit(history, FitBudget(60.0))

    reused = settings | first.facts_["settings"]
    later = make(name, reused).fit(history, FitBudget(60.0, rounds=first.facts_["rounds"]))

    np.testing.assert_allclose(first.answer(history.table), later.answer(history.table), rtol=1e-9)


@pytest.mark.parametrize("name", BOOSTERS)
def test_what_cannot_finish_is_refused(name: str) -> None:
    looks = iter(np.arange(0.1, -1e6, -0.02))
    budget = FitBudget(1e9, rounds=5_000, left=lambda: float(next(looks)))

    with pytest.raises(LearnerFailed, match="cannot finish"):
        make(name, {}).fit(history_of("probabilities", 2), budget)


def test_the_last_rows_can_be_held_back() -> None:
    history = history_of("probabilities", 2, n=300)

    learner = make("boosted", {"inner": "last", "lr": 0.1}).fit(history, FitBudget(60.0))

    assert learner.facts_["stopped"] == "early"


def test_made_features_are_more() -> None:
    history = history_of("probabilities", 2)

    plain, made = (
        make("boosted", {"view": view, "n_rounds": 5}).fit(history, FitBudget(60.0))
        for view in ("codes", "engineered")
    )

    assert made.facts_["features"] > plain.facts_["features"]


def test_catboost_without_a_varying_column_is_a_failed_trial() -> None:
    table = features(40).drop(["age", "pay", "plan", "town", "size", "since", "flat"])
    flat = type(table)(
        table.frame.with_columns(member=table.frame["member"].is_null() & False),
        table.columns,
        table.source,
    )
    history = History(flat, np.arange(40.0) % 2, "probabilities", 2)

    with pytest.raises(LearnerFailed, match="CatBoost refused"):
        make("symmetric", {"n_rounds": 5}).fit(history, FitBudget(60.0))
