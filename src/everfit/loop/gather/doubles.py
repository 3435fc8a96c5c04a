"""Rows that came twice: told by what they hold, where that tells rows apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from everfit.data.hashes import frame_hashes
from everfit.records import Array, Column

TELLING = 0.95  # of the rows must differ, for two that are equal to be one


def tells(hashes: Array) -> bool:
    """Whether rows of these contents differ so much that two equal ones are the same row.

    Examples
    --------
    >>> tells(np.arange(100, dtype=np.uint64)), tells(np.zeros(100, dtype=np.uint64))
    (True, False)
    """
    return len(hashes) > 0 and len(np.unique(hashes)) >= TELLING * len(hashes)


def contents(frame: pl.DataFrame, columns: Sequence[Column], here: Sequence[str]) -> Array:
    """uint64 (n,): the content of each row, by its features, key and group, without its target.

    Only columns named in ``here`` count: those that every part holds.
    """
    wanted = [c.name for c in columns if c.role not in ("target", "weight") and c.name in here]
    return frame_hashes(frame.select(wanted))


def firsts(parts: Sequence[Array], *, keep_first: int) -> list[Array]:
    """For each part bool (n,): the rows that stay when each content counts once.

    The first ``keep_first`` parts stay whole, and win over later ones; of the others the last row
    of a content stays, since it knows most.

    Examples
    --------
    >>> source, log = np.array([1, 2], dtype=np.uint64), np.array([2, 3, 3], dtype=np.uint64)
    >>> [kept.tolist() for kept in firsts([source, log], keep_first=1)]
    [[True, True], [False, False, True]]
    """
    kept = [np.ones(len(part), dtype=bool) for part in parts]
    known = np.concatenate([np.empty(0, np.uint64), *parts[:keep_first]])
    later = [np.empty(0, np.uint64), *parts[keep_first:]]
    joined = np.concatenate(later)
    # the last of each content: the first in reverse order
    _, places = np.unique(joined[::-1], return_index=True)
    last = np.zeros(len(joined), dtype=bool)
    last[len(joined) - 1 - places] = True
    stays = last & ~np.isin(joined, known)
    start = 0
    for number, part in enumerate(parts[keep_first:], start=keep_first):
        kept[number] = stays[start : start + len(part)]
        start += len(part)
    return kept
