"""Settings of a personal scorer, found on the newest parts of its own history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from everfit.column import Array
from everfit.learners.rounds import Slot
from everfit.lists.asked import Interactions
from everfit.lists.newest import Newest, best_of
from everfit.lists.scorer import FAINT_MIX, with_base

MIXES = (1.0, FAINT_MIX, 0.1, 0.3, 3.0, 10.0)  # the usual one first
MAKES = 1.5  # a fit on the whole history beside one on what stands before a part


def made_for(
    parts: Sequence[Newest], make: Callable[[Interactions], Any], slot: Slot
) -> tuple[list[Any], list[Newest]]:
    """A scorer for what stands before each part, as many as time allows besides the last fit."""
    scorers: list[Any] = []
    for part in parts:
        began = slot.spent()
        scorers.append(make(part.before))
        cost = slot.spent() - began
        if slot.left() < (1.0 + MAKES) * cost + 2.0 * MAKES * cost:
            break
    return scorers, list(parts[: len(scorers)])


class Dials:
    """Personal scores of the parts, as settings of their scorers are turned one after the other.

    Scores are computed anew only for a setting that changes them.
    """

    def __init__(self, scorers: Sequence[Any], parts: Sequence[Newest], *, again: bool) -> None:
        self.scorers, self.parts, self.again = list(scorers), list(parts), again
        self.gain = 0.0

    def turn(self, name: str, values: Sequence[float]) -> float:
        """Set ``name`` of all scorers to the best of ``values``; give it."""

        def scores(i: int, value: float) -> Array:
            found: Array = replace(self.scorers[i], **{name: value}).scores(self.parts[i].asked)
            return found

        best, self.gain = best_of(values, self.parts, scores, again=self.again)
        self.scorers = [replace(scorer, **{name: best}) for scorer in self.scorers]
        return best

    def mix(self, values: Sequence[float] = MIXES) -> float:
        """The best share of popularity beside the personal scores."""
        personal = [s.personal(p.asked) for s, p in zip(self.scorers, self.parts, strict=True)]

        def scores(i: int, value: float) -> Array:
            return with_base(personal[i], self.scorers[i].base, value)

        best, self.gain = best_of(values, self.parts, scores, again=self.again)
        self.scorers = [replace(scorer, mix=best) for scorer in self.scorers]
        return best
