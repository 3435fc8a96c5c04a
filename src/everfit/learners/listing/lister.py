"""What all learners of lists share: users' histories, answers in blocks, files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from everfit.column import DEPTH
from everfit.data.table import Table
from everfit.errors import LearnerFailed
from everfit.learners.contract import FitBudget, History
from everfit.learners.listing.seen import names_of, seen_in
from everfit.learners.rounds import Slot
from everfit.lists.asked import Asked, Interactions
from everfit.lists.packed import opened
from everfit.lists.popular import Popular
from everfit.lists.scorer import Scorer
from everfit.lists.top import pack, top, top_shared
from everfit.records import Array, Form


class Lister:
    """Learns a scorer from interactions and answers with a ranked list for the user of each row.

    A list holds what the user has not met yet, unless ``again``; a user that is not known gets the
    popular items.
    """

    name: str = ""
    engine: ClassVar[str] = "lists"
    forms: tuple[Form, ...] = ("lists",)
    again: bool

    def fit(self, history: History, budget: FitBudget) -> Lister:
        """Learn the scorer, and keep what each user has met.

        Raises
        ------
        LearnerFailed : there is no interaction, or the fit does not fit time or memory
        """
        from threadpoolctl import threadpool_limits

        slot = Slot(budget)
        seen, self.histories_ = seen_in(history)
        self.facts_: Mapping[str, Any] = {"stopped": "end"}
        with threadpool_limits(budget.threads):
            self.scorer_: Scorer = self._learn(seen, history, slot)
        counts = {"users": seen.n_users, "items": seen.n_items, "interactions": seen.n}
        self.facts_ = counts | dict(self.facts_)
        return self

    def _learn(self, seen: Interactions, history: History, slot: Slot) -> Scorer:
        """Learn the scorer; ``facts_`` may be added to."""
        raise NotImplementedError

    def answer(self, asks: Table) -> Array:
        """The list for the user of each row, float64 (n, 2 * DEPTH): codes, then scores."""
        return listed(self.scorer_, self.histories_.of(names_of(asks).tolist()), again=self.again)

    def save(self, folder: Path) -> Mapping[str, Any]:
        """Write ``scorer.npz`` and ``histories.npz``."""
        folder.mkdir(parents=True, exist_ok=True)
        _keep(folder / "scorer.npz", self.scorer_.arrays())
        _keep(folder / "histories.npz", self.histories_.arrays())
        return {
            "engine": self.engine,
            "files": ["scorer.npz", "histories.npz"],
            "learner": self.name,
            "scorer": self.scorer_.name,
            "settings": self.scorer_.settings() | {"again": self.again},
        }

    @classmethod
    def load(cls, folder: Path, part: Mapping[str, Any]) -> Lister:
        """The inverse of :meth:`save`, as a learner that answers."""
        return Opened(folder, part)


class Opened(Lister):
    """A learner of lists as read from its files."""

    def __init__(self, folder: Path, part: Mapping[str, Any]) -> None:
        self.name, self.again = str(part.get("learner", "")), bool(part["settings"]["again"])
        self.scorer_, self.histories_ = opened(folder, part)
        self.facts_ = {}


def listed(scorer: Scorer, asked: Asked, *, again: bool = False) -> Array:
    """The lists of a scorer for these asks, float64 (n, 2 * DEPTH)."""
    if isinstance(scorer, Popular):
        return pack(*top_shared(scorer.base, asked, depth=DEPTH, again=again))
    n_items = int(scorer.base.size)
    answers = np.empty((asked.n, 2 * DEPTH))
    for place, block in asked.blocks(n_items):
        codes, scores = top(scorer.scores(block), depth=DEPTH, seen=None if again else block)
        answers[place] = pack(codes, scores)
    return answers


def refuse_large(n_items: int, most: int, what: str) -> None:
    """Refuse a square matrix that would not fit in memory.

    Raises
    ------
    LearnerFailed : there are more than ``most`` items
    """
    if n_items > most:
        raise LearnerFailed(
            f"{what} needs a number for each pair of items",
            got=f"{n_items:,} items",
            expected=f"at most {most:,}",
            do="use neighbours or lagged, which keep the strongest pairs",
        )


def _keep(path: Path, arrays: Mapping[str, Any]) -> None:
    np.savez(path, **arrays)
