"""What an ask wants of its list, and the list that it gets: plain values, for every face."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an ask wants of its list.

    Parameters
    ----------
    k : how many items, from 1; fewer come when fewer may be shown
    allowed : the only items that may be shown; None for all
    blocked : items that may not
    again : items that were met before may be shown
    """

    k: int = 10
    allowed: Iterable[Any] | None = None
    blocked: Iterable[Any] = ()
    again: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """The items for one ask, the best first, with their scores.

    ``fallback`` says in words why this is not the ask's own list; empty when it is. ``warnings``
    say what was odd about the ask, one sentence each.

    Parameters
    ----------
    titles : of the items, None where none is known; empty when the model knows no titles
    because : for each item the items met before that speak for it, with shares; empty unless it
        was asked for
    propensities : the chance with which each place got its item, given those above; empty unless
        the list explores
    id, version : of a recorded list, the id that its outcome names, and who answered
    """

    items: tuple[Any, ...]
    scores: tuple[float, ...]
    fallback: str = ""
    warnings: tuple[str, ...] = ()
    titles: tuple[str | None, ...] = ()
    because: tuple[tuple[tuple[Any, float], ...], ...] = ()
    propensities: tuple[float, ...] = ()
    id: str = ""
    version: str = ""
