"""Candidates in the order of trees."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from everfit.column import DEPTH
from everfit.data.table import Table
from everfit.learners import make, warm
from everfit.learners.contract import FitBudget, History
from everfit.lists.asked import Interactions
from everfit.lists.popular import DAY_S
from everfit.lists.reranked import FACTS, Reranked, item_facts, user_facts
from everfit.records import Column, Source
from tests.lists.walks import groups


@pytest.fixture(scope="module")
def scorer() -> Reranked:
    warm(["reranked"])
    seen = groups()
    frame = pl.DataFrame({"user": seen.users.astype(str), "at": seen.at + 1.6e9})
    columns = (Column("user", "identifier", "group"), Column("at", "number", "time"))
    table = Table(frame, columns, Source("test", "", seen.n, 2))
    history = History(table, seen.items.astype(float), "lists", 2 * DEPTH, n_items=60)
    learner = make("reranked", {"rounds": 20}).fit(history, FitBudget(60.0))
    found: Reranked = learner.scorer_  # type: ignore[attr-defined]
    return found


def test_candidates_are_new_to_the_user_and_named_once(scorer: Reranked) -> None:
    asked = groups().histories()

    rows, items, features = scorer.candidates(asked)

    keys = rows * 60 + items
    assert (np.diff(keys) > 0).all()
    assert not np.isin(keys, np.repeat(np.arange(150), asked.lengths) * 60 + asked.items).any()
    assert features.shape == (rows.size, 3 + FACTS + 4)
    assert np.isfinite(features).all()


def test_candidates_stand_above_all_others(scorer: Reranked) -> None:
    asked = groups().histories()

    scores = scorer.scores(asked)

    rows, items, _ = scorer.candidates(asked)
    chosen = np.zeros(scores.shape, dtype=bool)
    chosen[rows, items] = True
    assert scores[chosen].min() >= 1.0
    assert scores[~chosen].max() < 1.0
    assert scores.max() <= 2.0


def test_facts_tell_how_an_item_fares() -> None:
    seen = Interactions.of(
        np.arange(5), np.array([0, 0, 0, 1, 1]), at=1e9 + DAY_S * np.array([0, 1, 2, 99, 100.0]),
        n_items=3,
    )  # fmt: skip

    facts = item_facts(seen)

    assert facts.shape == (3, FACTS)
    assert facts[:, 5].tolist() == pytest.approx([100.0, 1.0, 1e4])
    assert facts[:, 6].tolist() == pytest.approx([98.0, 0.0, 1e4])
    assert facts[1, 1] > facts[0, 1]
    assert facts[0, 8] > facts[1, 8]


def test_facts_of_a_user_without_a_history_are_zero() -> None:
    asked = groups().histories().take(np.array([0]))
    alone = user_facts(asked, item_facts(groups()))
    empty = type(asked).one(np.array([], dtype=np.int32))

    assert alone[0, 0] == pytest.approx(np.log1p(15))
    assert user_facts(empty, item_facts(groups())).tolist() == [[0.0] * 4]


def test_a_user_without_a_history_gets_what_is_popular(scorer: Reranked) -> None:
    known = groups().histories().take(np.array([0]))
    empty = type(known).one(np.array([], dtype=np.int32))

    scores = scorer.scores(empty)[0]

    np.testing.assert_array_equal(np.argsort(-scores, kind="stable"), scorer.order)
    assert scores.max() < 1.0 < scorer.scores(known).max()
