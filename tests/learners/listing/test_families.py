"""Learners of lists: what they find on the newest parts of a history."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from everfit.column import DEPTH
from everfit.data.table import Table
from everfit.errors import LearnerFailed
from everfit.learners import make
from everfit.learners.contract import FitBudget, History
from everfit.learners.listing import families
from everfit.lists.asked import Interactions
from everfit.lists.top import unpack
from everfit.records import Column, Source
from tests.lists.walks import news, walks

COLUMNS = (Column("user", "identifier", "group"), Column("at", "number", "time"))


def history(seen: Interactions) -> History:
    frame = pl.DataFrame({"user": seen.users.astype(str), "at": seen.at + 1.6e9})
    table = Table(frame, COLUMNS, Source("test", "", seen.n, 2))
    return History(table, seen.items.astype(float), "lists", 2 * DEPTH, n_items=seen.n_items)


def fitted(name: str, some: History, **settings: Any) -> Any:
    return make(name, settings).fit(some, FitBudget(60.0))


def test_where_news_fade_the_window_found_is_short() -> None:
    ((days, half_life),) = fitted("popular", history(news()), days=None).facts_["windows"]

    assert 0 < days <= 14 or 0 < half_life <= 10


def test_where_news_fade_popularity_counts_more_than_where_users_walk() -> None:
    of_news = fitted("lagged", history(news())).facts_["found"]["mix"]
    of_walks = fitted("lagged", history(walks(noise=0.05, length=25))).facts_["found"]["mix"]

    assert of_news > of_walks


def test_where_users_walk_followers_are_found_to_count() -> None:
    learner = fitted("lagged", history(walks(noise=0.05)))

    assert learner.facts_["found"]["alpha"] >= 0.5
    assert learner.facts_["inner_ndcg"] > 0.3
    asked = learner.histories_.asked
    last = asked.items[asked.starts[1:] - 1]
    lists = learner.answer(
        Table(pl.DataFrame({"user": learner.histories_.names}), COLUMNS[:1], Source("", "", 120, 1))
    )
    hit = (unpack(lists)[0][:, :3] == ((last + 1) % 60)[:, None]).any(axis=1)
    assert hit.mean() > 0.5


def test_given_settings_are_kept() -> None:
    learner = fitted("lagged", history(walks()), alpha=2.0, decay=0.8, fade=0.6, mix=0.2)

    scorer = learner.scorer_
    assert (scorer.alpha, scorer.decay, scorer.fade, scorer.mix) == (2.0, 0.8, 0.6, 0.2)
    assert learner.facts_["found"] == {}


def test_places_in_histories_are_learnt_as_well_as_times() -> None:
    seen = walks(noise=0.05)
    order = np.argsort(seen.users, kind="stable")
    frame = pl.DataFrame(
        {"user": seen.users[order].astype(str), "at": np.tile(np.arange(20.0), 120)}
    )
    some = History(
        Table(frame, COLUMNS, Source("", "", seen.n, 2)), seen.items[order].astype(float),
        "lists", 2 * DEPTH, n_items=60,
    )  # fmt: skip

    learner = fitted("lagged", some)

    assert learner.facts_["inner_ndcg"] > 0.3


def test_too_many_items_for_a_dense_matrix_are_refused_and_lagged_keeps_pairs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(families, "MOST_DENSE", 30)
    some = history(walks())

    with pytest.raises(LearnerFailed, match="EASE needs a number for each pair"):
        fitted("ease", some)
    assert not isinstance(fitted("lagged", some).scorer_.near, np.ndarray)


def test_a_penalty_that_leaves_no_solution_is_refused_in_words() -> None:
    with pytest.raises(LearnerFailed, match="no solution"):
        fitted("ease", history(walks()), penalty=-500.0, mix=1.0)
