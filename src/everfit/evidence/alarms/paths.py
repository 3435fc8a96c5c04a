"""Recursions over windows that go on where they were left: a turn follows only what is new.

What a detector says after each window depends on the windows before it alone. So a path that was
followed once is kept, and is believed as long as it begins with the very same numbers.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Generic, TypeVar

import numpy as np

from everfit.evidence.interval import Floats

MOST = 16  # paths that are kept, the last ones used: a few for each model
S = TypeVar("S")


@dataclass(slots=True)
class _Path(Generic[S]):
    given: tuple[Floats, ...]
    out: Floats
    state: S


class Paths(Generic[S]):
    """Paths of one kind of recursion, by what each is about.

    Examples
    --------
    >>> sums: Paths[list[float]] = Paths()
    >>> def step(state: list[float], t: int) -> float:
    ...     state[0] += x[t]
    ...     return state[0]
    >>> x = np.array([1.0, 2.0, 3.0])
    >>> sums.follow("x", [x], lambda: [0.0], step).tolist()
    [1.0, 3.0, 6.0]
    """

    def __init__(self, most: int = MOST) -> None:
        self._most, self._lock = most, Lock()
        self._kept: OrderedDict[Hashable, _Path[S]] = OrderedDict()

    def follow(
        self,
        about: Hashable,
        given: Sequence[Floats],
        begin: Callable[[], S],
        step: Callable[[S, int], Floats | float],
    ) -> Floats:
        """What ``step`` gives after each window, the same bits as if all were followed anew.

        Parameters
        ----------
        about : what else the steps depend on, and which path it is
        given : arrays of one row per window, oldest first: all that steps read of windows
        begin : the state before the first window
        step : changes the state by window ``t`` and gives the row of the result
        """
        with self._lock:
            path = self._kept.pop(about, None)
            n = len(given[0])
            if path is None or not _begins(given, path.given):
                path = _Path(tuple(part[:0] for part in given), np.zeros(0), begin())
            rows = [*path.out[:n]]
            for t in range(len(path.out), n):
                rows.append(step(path.state, t))
            if len(path.out) < n:
                path = _Path(tuple(part.copy() for part in given), np.array(rows), path.state)
            self._kept[about] = path
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
            return path.out[:n].copy()


def _begins(given: Sequence[Floats], kept: Sequence[Floats]) -> bool:
    """Whether one begins with the other, number by number."""
    for now, before in zip(given, kept, strict=True):
        n = min(len(now), len(before))
        if now.shape[1:] != before.shape[1:]:
            return False
        if not np.array_equal(now[:n], before[:n], equal_nan=True):
            return False
    return True
