"""Whether two lists for the same ask are the same, but for the last digits of their scores.

Scores are sums in 32 bits, whose last digits hang on the order of the sum: many users at once are
scored in another order than one alone. Items whose scores are equal but for that may change places.
"""

from __future__ import annotations

import numpy as np

from everfit.column import Array
from everfit.lists.top import unpack

TOLERANCE = 1e-5  # of scores that lie in 0 to 1


def apart(expected: Array, found: Array) -> float:
    """The largest difference of the scores of one item in answers (n, 2 * DEPTH) to equal asks.

    An item that only one of two lists holds differs by what it scores above the last one of the
    other, which it would have been behind.

    Examples
    --------
    >>> from everfit.lists.top import pack
    >>> one = pack(np.array([[7, 3]]), np.array([[1.0, 0.5]]))
    >>> other = pack(np.array([[3, 7]]), np.array([[1.0, 0.5]]))
    >>> apart(one, one), apart(one, other)
    (0.0, 0.5)
    """
    worst = 0.0
    for ours, theirs in zip(_by_item(expected), _by_item(found), strict=True):
        for some, other in ((ours, theirs), (theirs, ours)):
            last = min(other.values(), default=0.0) if len(other) >= len(some) else 0.0
            gaps = [abs(score - other.get(item, last)) for item, score in some.items()]
            worst = max(worst, *gaps, 0.0)
    return worst


def _by_item(values: Array) -> list[dict[int, float]]:
    codes, scores = unpack(np.asarray(values, dtype=np.float64))
    return [
        {int(c): float(s) for c, s in zip(row, marks, strict=True) if c >= 0}
        for row, marks in zip(codes, scores, strict=True)
    ]
