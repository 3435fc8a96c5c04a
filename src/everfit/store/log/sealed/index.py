"""An index beside a sealed file: which row has an id or key, without opening the file.

A file of 12 bytes an entry: the sorted 64-bit hashes of the texts, then as many 32-bit distances of
the row's number from the file's first. It is mapped, not read, so that looking for one id in a
year of files costs about 10 microseconds a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np

from everfit.store.log.ingest import write_safely

ENTRY = 12  # bytes
SPAN = 2**32  # numbers that one file may hold


def digest(text: str) -> int:
    """The hash under which an index holds a text."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def write_index(path: Path, texts: Iterable[str | None], numbers: Sequence[int], base: int) -> None:
    """Write the index of ``texts``, leaving out None; ``numbers`` are at least ``base``."""
    kept = [
        (digest(text), number - base)
        for text, number in zip(texts, numbers, strict=True)
        if text is not None
    ]
    hashes = np.array([item[0] for item in kept], dtype="<u8")
    distances = np.array([item[1] for item in kept], dtype="<u4")
    order = np.argsort(hashes, kind="stable")
    write_safely(path, hashes[order].tobytes() + distances[order].tobytes())


class Index:
    """An index that was written, mapped into memory."""

    def __init__(self, path: Path, base: int) -> None:
        n = path.stat().st_size // ENTRY
        self._base = base
        self._hashes = np.empty(0, "<u8")
        self._distances = np.empty(0, "<u4")
        if n:
            self._hashes = np.memmap(path, "<u8", "r", shape=(n,))
            self._distances = np.memmap(path, "<u4", "r", offset=8 * n, shape=(n,))

    def find(self, hashes: Sequence[int]) -> list[tuple[int, int]]:
        """The position in ``hashes`` and the row's number, for each row that has one of them."""
        wanted = np.array(hashes, dtype="<u8")
        low = np.searchsorted(self._hashes, wanted, "left")
        high = np.searchsorted(self._hashes, wanted, "right")
        return [
            (int(at), self._base + int(self._distances[place]))
            for at in np.flatnonzero(high > low)
            for place in range(low[at], high[at])
        ]
