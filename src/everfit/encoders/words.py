"""One text or many as numbers, by a fitted :class:`~everfit.encoders.steps.Words` step.

Needs numpy only: a serving process runs this file as it is, over one row.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from everfit.column import Array
from everfit.encoders.steps import TEXT_FACTS, TEXT_LIMIT, Words

_WORD = re.compile(r"\w\w+")
_DIGIT = re.compile(r"[0-9]")
_CAPITAL = re.compile(r"[A-Z]")
_MARK = re.compile(r"[!?$%&*#@+]")
_CHUNK = 4_096  # texts whose weighted components are in memory at one time


def words_of(text: str) -> list[str]:
    """The words of a text in order, lower case, two letters or digits at least.

    Examples
    --------
    >>> words_of("Call 0800 now! I do")
    ['call', '0800', 'now', 'do']
    """
    return _WORD.findall(text[:TEXT_LIMIT].lower())


def facts_of(text: str, n_words: int) -> tuple[float, ...]:
    """Characters, words, digits, capitals and marks in a text, in the order of TEXT_FACTS.

    Examples
    --------
    >>> facts_of("WIN 50!", 2)
    (7.0, 2.0, 2.0, 3.0, 1.0)
    """
    text = text[:TEXT_LIMIT]
    return (
        float(len(text)),
        float(n_words),
        float(len(_DIGIT.findall(text))),
        float(len(_CAPITAL.findall(text))),
        float(len(_MARK.findall(text))),
    )


def weigh(words: Sequence[str], place: Mapping[str, int], idf: Sequence[float]) -> dict[int, float]:
    """The tf-idf vector of one text with length 1: position -> weight, positions ascending."""
    counts = Counter([place[word] for word in words if word in place])
    pairs = [(at, count**0.5 * idf[at]) for at, count in sorted(counts.items())]
    norm = 0.0
    for _, weight in pairs:
        norm += weight * weight
    return {at: weight / norm**0.5 for at, weight in pairs}


class Describer:
    """A ``Words`` step made ready: texts in, features out.

    One text and many go through the same additions in the same order, so they agree exactly.
    """

    def __init__(self, step: Words) -> None:
        self._step = step
        self._place = {word: at for at, word in enumerate(step.words)}
        self._idf = step.idf.tolist()

    def __call__(self, texts: Sequence[str | None]) -> Array:
        """The features of each text: float64 (n, step.size); a missing text is an empty one."""
        step = self._step
        out = np.zeros((len(texts), step.size))
        for start in range(0, len(texts), _CHUNK):
            self._fill(texts[start : start + _CHUNK], out[start : start + _CHUNK])
        if len(step.centre):
            out = np.clip((out - step.centre) / step.spread, -8.0, 8.0)
        return out

    def _fill(self, texts: Sequence[str | None], out: Array) -> None:
        places: list[int] = []
        weights: list[float] = []
        rows: list[int] = []
        starts: list[int] = []
        for row, text in enumerate(texts):
            words = words_of(text or "")
            out[row, : len(TEXT_FACTS)] = facts_of(text or "", len(words))
            found = weigh(words, self._place, self._idf)
            if found:
                rows.append(row)
                starts.append(len(places))
                places += found.keys()
                weights += found.values()
        if places:
            parts = self._step.components[places] * np.array(weights)[:, None]
            out[rows, len(TEXT_FACTS) :] = np.add.reduceat(parts, starts, axis=0)
