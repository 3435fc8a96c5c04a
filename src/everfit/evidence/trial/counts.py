"""How many units lie at each step of a difference: two arrays that read as a mapping.

A year of windows is kept in memory between the turns of a loop; as a dict each of them would take
ten times as much.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from everfit.evidence.interval import Floats


class Counts(Mapping[int, float]):
    """Units by step, in the order given; equal to a dict that says the same.

    Parameters
    ----------
    steps, times : (k,), each step once

    Examples
    --------
    >>> Counts.of({-1000: 1.0, 0: 2.5})
    {-1000: 1.0, 0: 2.5}
    >>> Counts.of({0: 2.5})[0]
    2.5
    """

    __slots__ = ("_worked_out", "steps", "times")

    def __init__(self, steps: NDArray[np.int64], times: Floats) -> None:
        self.steps, self.times = steps, times
        self._worked_out: dict[Hashable, Floats] = {}

    @classmethod
    def of(cls, counts: Mapping[int, float]) -> Counts:
        """From any mapping."""
        size = len(counts)
        return cls(
            np.fromiter(counts.keys(), dtype=np.int64, count=size),
            np.fromiter(counts.values(), dtype=np.float64, count=size),
        )

    def once(self, name: Hashable, work: Callable[[], Floats]) -> Floats:
        """What ``work`` makes of these counts, worked out once: they never change."""
        if name not in self._worked_out:
            self._worked_out[name] = work()
        return self._worked_out[name]

    def __getitem__(self, step: int) -> float:
        at = np.flatnonzero(self.steps == step)
        if not len(at):
            raise KeyError(step)
        return float(self.times[at[0]])

    def __iter__(self) -> Iterator[int]:
        return iter(self.steps.tolist())

    def __len__(self) -> int:
        return len(self.steps)

    def __repr__(self) -> str:
        return repr(dict(zip(self.steps.tolist(), self.times.tolist(), strict=True)))
