"""Execute the ranges of a scoring plan: an answer's bin says what to add to it."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

import numpy as np

from everfit.column import Array


class Ranges:
    """The 95% range of an answer: of the outcome, or of the probability of the predicted label.

    Parameters
    ----------
    plain : ``ranges`` of plan.json, see docs/plan.md

    Raises
    ------
    ValueError : offsets that do not fit the edges, or edges that do not rise

    Examples
    --------
    >>> ranges = Ranges({"edges": [10], "low": [-1, -4], "high": [2, 8], "least": 0.0})
    >>> ranges.of(0.5), ranges.of(10.0)
    ((0.0, 2.5), (6.0, 18.0))
    """

    def __init__(self, plain: Mapping[str, Any]) -> None:
        edges = [float(edge) for edge in plain["edges"]]
        low, high = [float(x) for x in plain["low"]], [float(x) for x in plain["high"]]
        if not len(low) == len(high) == len(edges) + 1 or edges != sorted(set(edges)):
            raise ValueError("ranges need rising edges, and offsets for one bin more")
        least, most = plain.get("least"), plain.get("most")
        self._edges, self._low, self._high = edges, low, high
        self._least = -math.inf if least is None else float(least)
        self._most = math.inf if most is None else float(most)

    def of(self, answer: float) -> tuple[float, float]:
        """The range of one answer."""
        at = bisect_right(self._edges, answer)
        low, high = answer + self._low[at], answer + self._high[at]
        return (
            low if low > self._least else self._least,
            high if high < self._most else self._most,
        )

    def of_many(self, answers: Array) -> Array:
        """The ranges of many answers (n,): float64 (n, 2)."""
        at = np.searchsorted(self._edges, answers, side="right")
        low, high = answers + np.array(self._low)[at], answers + np.array(self._high)[at]
        return np.column_stack([np.maximum(low, self._least), np.minimum(high, self._most)])
