"""Lists on MovieLens-100K: what knows the user must be worth more than what is popular."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from bench.lists import ndcg
from bench.movielens import COLUMNS, Ratings

from everfit.data.table import Table
from everfit.learners import make
from everfit.learners.contract import FitBudget
from everfit.records import Source
from everfit.study.field.listed import lists_floors
from tests.real import shared_set


@pytest.mark.slow
def test_after_nine_tenths_of_the_time_lagged_beats_each_floor() -> None:
    path, _ = shared_set("movielens_100k")
    data = Ratings(path.parent)
    low = round(0.9 * data.users.size)
    warm = np.intersect1d(data.users[:low], data.users[low:])
    asks = Table(pl.DataFrame({"user_id": warm}), COLUMNS[:1], Source("", "", warm.size, 1))

    def found(name: str, settings: Any) -> float:
        learner = make(name, settings).fit(data.history(np.arange(low)), FitBudget(600.0))
        return ndcg(learner.answer(asks), warm, data.users, data.items, low)

    floors = [found(floor.learner, floor.settings) for floor in lists_floors()]
    assert found("lagged", {}) > max(floors)
