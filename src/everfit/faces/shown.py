"""Values that show themselves well at a prompt: the same from a local and a remote model."""

from __future__ import annotations

from dataclasses import dataclass

from everfit.evidence.interval import Interval


class Words(str):
    """A text that shows itself with its line breaks when it is the result of a cell."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True, slots=True)
class Score(Interval):
    """A score with its 95% range, the name of the metric, and what it is a statement about."""

    metric: str = ""
    speaks_of: str = ""
