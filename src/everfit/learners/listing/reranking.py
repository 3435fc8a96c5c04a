"""The learner of lists that puts other scorers' candidates in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from everfit.errors import LearnerFailed
from everfit.learners.contract import History
from everfit.learners.listing.families import LaggedLists
from everfit.learners.listing.lister import Lister
from everfit.learners.listing.marks import marks_of
from everfit.learners.rounds import Slot
from everfit.lists.asked import Interactions
from everfit.lists.content import Content, described
from everfit.lists.newest import Newest, best_windows, newest_parts
from everfit.lists.popular import Windows, popularity_over
from everfit.lists.reranked import Reranked, item_facts
from everfit.lists.scorer import Scorer
from everfit.records import Array

LEAST_ASKS = 30  # lists that hold something right; trees fitted on fewer say nothing
# more asks, each soon after what its scorers know: MovieLens-100K, five cuts, NDCG@10 0.179 with
# six parts of a twentieth, 0.150 with three of a tenth
MANY: dict[str, Any] = {"share": 0.05, "most": 6, "cells": 10**9}
VOICES = LaggedLists(alpha=0.5, mix=1.0)
NO_TREES = np.zeros(0, dtype=np.uint8)


class RerankedLists(Lister):
    """Candidates of neighbours, followers, content and popularity, in the order of trees.

    The trees are fitted on the newest parts of the history, whose scorers never saw them; then the
    scorers are fitted once more on all of it.

    Parameters
    ----------
    rounds, leaves, lr, leaf_rows : of LightGBM's lambdarank
    inner : what the trees are fitted on: "time", the newest tenth; "last", each user's last item
    again : lists may hold what the user has met
    """

    name = "reranked"

    def __init__(
        self, *, rounds: int = 200, leaves: int = 4, lr: float = 0.03, leaf_rows: int = 50,
        inner: str = "time", again: bool = False,
    ) -> None:  # fmt: skip
        self.rounds, self.leaves, self.lr, self.leaf_rows = rounds, leaves, lr, leaf_rows
        self.inner, self.again = inner, again

    def _learn(self, seen: Interactions, history: History, slot: Slot) -> Scorer:
        marks = None
        if history.items is not None and any(told := marks_of(history.items)):
            marks = described([*told, *[[]] * (seen.n_items - len(told))])
        how = {"again": self.again, "last": self.inner == "last"}
        # newcomers are asked for too: they tell how much popularity counts
        parts = newest_parts(seen, seed=history.seed, **how, **MANY)
        windows = best_windows(parts, again=self.again)
        fitted, used, cost = [], [], 0.0
        for part in parts:
            began = slot.spent()
            fitted.append(self._gathered(part.before, windows, marks))
            used.append(part)
            cost = max(cost, slot.spent() - began)
            if slot.left() < 4.0 * cost:
                break
        trees = self._trees(fitted, used, history.seed)
        self.facts_ = {"stopped": "end", "windows": windows, "parts": len(used)}
        return replace(self._gathered(seen, windows, marks), trees=trees)

    def _gathered(self, seen: Interactions, windows: Windows, marks: Any) -> Reranked:
        """All that trees read, for these interactions."""
        lagged = VOICES.made(seen, windows, 1.0)
        content = None if marks is None else Content(marks, popularity_over(seen, windows))
        return Reranked(lagged, content, item_facts(seen), NO_TREES, self.again)

    def _trees(self, fitted: Sequence[Reranked], parts: Sequence[Newest], seed: int) -> Array:
        """LightGBM's text as bytes."""
        import lightgbm

        features, right, groups = _examples(fitted, parts) if fitted else (NO_TREES, NO_TREES, [])
        if len(groups) < LEAST_ASKS:
            raise LearnerFailed(
                "too little came back to learn an order from",
                got=f"{len(groups)} users whose list holds what they met next",
                expected=f"{LEAST_ASKS} or more",
                do="give more interactions",
            )
        settings = {
            "objective": "lambdarank", "lambdarank_truncation_level": 20, "verbose": -1,
            "num_leaves": self.leaves, "learning_rate": self.lr, "num_threads": 1, "seed": seed,
            "min_data_in_leaf": self.leaf_rows, "feature_fraction": 0.7, "bagging_fraction": 0.8,
            "bagging_freq": 1, "lambda_l2": 5.0, "deterministic": True, "force_row_wise": True,
        }  # fmt: skip
        data = lightgbm.Dataset(features, label=right, group=groups)
        booster = lightgbm.train(settings, data, num_boost_round=self.rounds)
        return np.frombuffer(booster.model_to_string().encode(), dtype=np.uint8)


def _examples(
    fitted: Sequence[Reranked], parts: Sequence[Newest]
) -> tuple[Array, Array, list[int]]:
    """Features, what was right, and the sizes of the lists that hold something right."""
    features, right, groups = [], [], []
    for scorer, part in zip(fitted, parts, strict=True):
        n_items = part.before.n_items
        for place, block in part.asked.blocks(n_items):
            rows, items, matrix = scorer.candidates(block)
            keys = (rows + place.start) * n_items + items
            at = np.minimum(np.searchsorted(part.pairs, keys), part.pairs.size - 1)
            hit = part.pairs[at] == keys
            useful = np.bincount(rows, weights=hit, minlength=block.n) > 0
            kept = useful[rows]
            features.append(matrix[kept])
            right.append(hit[kept].astype(np.int32))
            groups += np.bincount(rows[kept], minlength=block.n)[useful].tolist()
    return np.concatenate(features), np.concatenate(right), groups
