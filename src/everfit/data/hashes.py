"""One 64-bit number for the content of each row, the same in every process and version.

Each cell gives a number from its value and its column's name; a row is their sum, so that neither
the order of columns nor a new column of missing cells changes it. Numbers are hashed by value (5
and 5.0 are one), words by BLAKE2b, both finished by the mixer of splitmix64.

References
----------
.. [1] Steele, Lea, Flood (2014), Fast splittable pseudorandom number generators, OOPSLA.
"""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl

from everfit.data.table import Table
from everfit.records import Array

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def mix(values: Array) -> Array:
    """The finishing step of splitmix64 on uint64 (n,): each bit depends on all bits.

    Examples
    --------
    >>> hex(int(mix(np.array([1], dtype=np.uint64))[0]))
    '0x910a2dec89025cc1'
    """
    mixed = values + _GOLDEN
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))


def word_hash(word: str) -> int:
    """64 bits of BLAKE2b of a word.

    Examples
    --------
    >>> word_hash("churn") == word_hash("churn"), word_hash("churn") < 2**64
    (True, True)
    """
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8"), digest_size=8).digest(), "little")


def row_hashes(table: Table) -> Array:
    """uint64 (n,), one content hash a row over all columns of ``table``.

    Examples
    --------
    >>> from everfit.data.read import read
    >>> first = row_hashes(read({"a": [1, 2], "b": ["x", "y"]}))
    >>> second = row_hashes(read({"b": ["y", "x"], "a": [2.0, 1.0]}))
    >>> bool((first == second[::-1]).all())
    True
    """
    return frame_hashes(table.frame)


def frame_hashes(frame: pl.DataFrame) -> Array:
    """uint64 (n,), as :func:`row_hashes`, of a frame of stored columns."""
    total = np.zeros(frame.height, dtype=np.uint64)
    for column in frame.get_columns():
        salt = np.uint64(word_hash(column.name))
        hashed = mix(_cell_bits(column) ^ salt)
        if column.null_count():
            hashed[column.is_null().to_numpy()] = 0
        total += hashed
    return mix(total)


def _cell_bits(column: pl.Series) -> Array:
    if column.dtype == pl.String:
        return _word_bits(column)
    if column.dtype.is_temporal():
        whole = column.cast(pl.Datetime("us")).cast(pl.Int64).fill_null(0).to_numpy()
        return whole.astype(np.int64).view(np.uint64)
    numbers = column.cast(pl.Float64).fill_null(0.0).to_numpy() + 0.0  # -0.0 becomes 0.0
    numbers = np.ascontiguousarray(numbers, dtype=np.float64)
    return numbers.view(np.uint64)


def _word_bits(column: pl.Series) -> Array:
    words = column.unique()
    known = words.drop_nulls()
    if len(known) == 0:
        return np.zeros(len(column), dtype=np.uint64)
    if len(known) > 0.5 * len(column):
        # nearly all differ: a join would cost more than hashing each cell
        plain = [0 if word is None else word_hash(word) for word in column]
        return np.array(plain, dtype=np.uint64)
    hashes = pl.Series([word_hash(word) for word in known], dtype=pl.UInt64)
    return column.replace_strict(known, hashes, default=0, return_dtype=pl.UInt64).to_numpy()
