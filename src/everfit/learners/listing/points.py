"""The learners of lists that score by points in a space, and by what is written about items."""

from __future__ import annotations

from everfit.errors import LearnerFailed
from everfit.learners.contract import History
from everfit.learners.listing.families import DECAYS, Personal
from everfit.learners.listing.marks import marks_of
from everfit.learners.listing.tune import Dials
from everfit.learners.rounds import Slot
from everfit.lists.asked import Interactions
from everfit.lists.content import Content, described
from everfit.lists.factors import Factors, alternating
from everfit.lists.neighbours import met
from everfit.lists.popular import Windows, popularity_over
from everfit.lists.scorer import Scorer

SOLVED = 3e-10  # seconds for one of the d * d products of an interaction, two sides together


class FactorLists(Personal):
    """Users and items as points in one space, by alternating least squares over all pairs.

    Parameters
    ----------
    d : dimensions
    unseen : what a pair that was not seen counts beside one that was
    penalty : on the length of points
    rounds : passes over users and items
    decay : what an interaction of the asking user counts for each newer one; None finds it
    mix : what recent popularity counts; None finds it on the newest parts
    inner : what settings are found on: "time", the newest tenth; "last", each user's last item
    again : lists may hold what the user has met
    """

    name = "factors"

    def __init__(
        self, *, d: int = 64, unseen: float = 0.1, penalty: float = 0.003, rounds: int = 6,
        decay: float | None = 1.0, mix: float | None = None, inner: str = "time",
        again: bool = False,
    ) -> None:  # fmt: skip
        self.d, self.unseen, self.penalty, self.rounds = d, unseen, penalty, rounds
        self.decay, self.mix, self.inner, self.again = decay, mix, inner, again

    def _learn(self, seen: Interactions, history: History, slot: Slot) -> Scorer:
        self._seed, self._slot = history.seed, slot
        return super()._learn(seen, history, slot)

    def _check(self, seen: Interactions, slot: Slot) -> None:
        slot.need(SOLVED * seen.n * self.d**2, "one round of least squares")

    def _open(self) -> bool:
        return self.mix is None or self.decay is None

    def made(self, seen: Interactions, windows: Windows, mix: float) -> Scorer:
        matrix = met(seen)
        d = min(self.d, max(2, min(matrix.shape) // 2))
        points, done = alternating(
            matrix, d=d, rounds=self.rounds, unseen=self.unseen, penalty=self.penalty,
            seed=self._seed, left=self._slot.left,
        )  # fmt: skip
        if done < self.rounds:
            self._stopped = "time"
        decay = 1.0 if self.decay is None else self.decay
        base = popularity_over(seen, windows)
        return Factors(points, points.T @ points, base, self.unseen, self.penalty, decay, mix)

    def _turned(self, dials: Dials) -> dict[str, float]:
        found = {} if self.decay is not None else {"decay": dials.turn("decay", DECAYS)}
        return found | super()._turned(dials)


class ContentLists(Personal):
    """Items described like those that the user met, also items that nobody has met yet.

    Parameters
    ----------
    decay : what an interaction of the asking user counts for each newer one; None finds it
    mix : what recent popularity counts; None finds it on the newest parts
    inner : what settings are found on: "time", the newest tenth; "last", each user's last item
    again : lists may hold what the user has met
    """

    name = "content"

    def __init__(
        self, *, decay: float | None = None, mix: float | None = None, inner: str = "time",
        again: bool = False,
    ) -> None:  # fmt: skip
        self.decay, self.mix, self.inner, self.again = decay, mix, inner, again

    def _learn(self, seen: Interactions, history: History, slot: Slot) -> Scorer:
        marks = [] if history.items is None else marks_of(history.items)
        if not any(marks):
            raise LearnerFailed(
                "nothing is written about the items",
                got="no columns of items",
                expected="a table of items with texts, categories or numbers",
                do="give one with --items",
            )
        marks += [[]] * (seen.n_items - len(marks))
        self._marks = described(marks)
        return super()._learn(seen, history, slot)

    def _open(self) -> bool:
        return self.mix is None or self.decay is None

    def made(self, seen: Interactions, windows: Windows, mix: float) -> Scorer:
        decay = 1.0 if self.decay is None else self.decay
        return Content(self._marks, popularity_over(seen, windows), decay, mix)

    def _turned(self, dials: Dials) -> dict[str, float]:
        found = {} if self.decay is not None else {"decay": dials.turn("decay", DECAYS)}
        return found | super()._turned(dials)
