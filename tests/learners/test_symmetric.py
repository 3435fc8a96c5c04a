from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from catboost import CatBoost

from everfit.learners.contract import FitBudget
from everfit.learners.rounds import Slot
from everfit.learners.symmetric import FitWatch, SearchWatch, Symmetric, pool
from tests.learners.histories import features, history_of


def test_the_json_form_holds_the_hash_of_every_level(tmp_path: Path) -> None:
    learner = Symmetric(n_rounds=20, ctr=1).fit(history_of("probabilities", 2), FitBudget(60.0))

    learner.save(tmp_path)

    model = json.loads((tmp_path / "model.json").read_text())
    told = {
        feature["feature_index"]: {
            int(item["value"]) for item in feature.get("cat_features_hash", [])
        }
        for feature in model["features_info"]["categorical_features"]
    }
    hashes = model["features_info"].get("cat_features_hash", [])
    assert told
    if hashes:
        known = {int(item["value"]) for item in hashes}
        assert known >= {int(v) for levels in learner.levels_ for v in levels}


def test_the_json_form_answers_as_the_native_one(tmp_path: Path) -> None:
    asks = features(60, seed=3)
    learner = Symmetric(n_rounds=40).fit(history_of("probabilities", 3), FitBudget(60.0))
    learner.save(tmp_path)
    data = pool(learner.plan_, learner.plan_.transform(asks))

    native, told = (
        CatBoost().load_model(str(tmp_path / f"model.{kind}"), format=kind).predict(data)
        for kind in ("cbm", "json")
    )

    np.testing.assert_allclose(native, told, rtol=1e-12)


class Hand:
    """A clock that is moved by hand."""

    def __init__(self, seconds: float) -> None:
        self.now = 0.0
        self.slot = Slot(FitBudget(seconds), lambda: self.now)

    def rounds(self, watch: Any, n: int, per_round: float, losses: Any = None) -> int:
        """Report up to ``n`` rounds; how many were reported before the watch said stop."""
        for done in range(1, n + 1):
            self.now += per_round
            loss = losses[done - 1] if losses else 1.0 / done
            if not watch.after_iteration(SimpleNamespace(metrics={"validation": {"l": [loss]}})):
                return done
        return n


def test_rounds_that_fit_run_to_their_end() -> None:
    hand = Hand(20.0)
    watch = FitWatch(hand.slot, 1_000, free=True)

    assert hand.rounds(watch, 1_000, 0.01) == 1_000
    assert (watch.reason, watch.fits) == ("", 0)


def test_fewer_rounds_are_asked_for_when_all_do_not_fit() -> None:
    hand = Hand(10.0)
    watch = FitWatch(hand.slot, 1_000, free=True)

    stopped_at = hand.rounds(watch, 1_000, 0.02)

    assert stopped_at == 20
    assert watch.reason == "shorter"
    # 9.6 s are left after the probe, nine tenths of them hold 432 rounds, one is the preparation
    assert watch.fits == pytest.approx(431, abs=1)


def test_given_rounds_are_kept_until_time_ends() -> None:
    hand = Hand(10.0)
    watch = FitWatch(hand.slot, 1_000, free=False)

    stopped_at = hand.rounds(watch, 1_000, 0.02)

    assert watch.reason == "time"
    assert 490 < stopped_at < 500
    assert hand.slot.left() > 0


def test_a_hopeless_fit_ends_after_four_rounds() -> None:
    hand = Hand(1.0)
    watch = FitWatch(hand.slot, 1_000, free=True)

    assert hand.rounds(watch, 1_000, 0.02) == 4
    assert watch.reason == "time"
    assert watch.foreseen < 100


def test_a_search_that_is_too_slow_says_so_after_its_probe() -> None:
    hand = Hand(10.0)
    watch = SearchWatch(hand.slot, 4, 0.05, until=0.0)

    assert hand.rounds(watch, 500, 0.02) == 20
    assert watch.reason == "slow"


def test_a_search_ends_with_patience_or_time() -> None:
    patient, timely = Hand(1e3), Hand(10.0)
    flat = [1.0] * 500

    early = SearchWatch(patient.slot, 1, 0.1, until=0.0)
    late = SearchWatch(timely.slot, 0, 0.1, until=5.0)

    assert patient.rounds(early, 500, 0.02, flat) == 31
    assert early.reason == "early"
    assert timely.rounds(late, 500, 0.02) in (250, 251)
    assert late.reason == "time"
