"""Where pulled rows are kept: Parquet files named by their content, and what was kept before."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from everfit.data.hashes import frame_hashes
from everfit.errors import StoreFailed
from everfit.records import Array

FOLDER = "feeds"
HASHES = ".npy"  # beside the rows: reading them all at every pull would take long


def keep(root: Path, model: str, feed: str, rows: pl.DataFrame) -> str:
    """Write ``rows`` once, wholly or not at all; gives the path in the store.

    Raises
    ------
    StoreFailed : the disk refused
    """
    name = hashlib.sha256(repr(rows.columns).encode())
    name.update(np.ascontiguousarray(hashes(rows)).tobytes())
    path = root / FOLDER / model / feed / f"{name.hexdigest()[:32]}.parquet"
    if not path.exists():
        temporary = path.with_suffix(f".part-{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # first, so that a file of rows is never without it for long; it can be made again
            np.save(path.with_suffix(HASHES), hashes(rows))
            rows.write_parquet(temporary, compression="zstd")
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.rename(path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise StoreFailed(
                f"rows of the feed {feed!r} could not be kept",
                got=error.strerror or str(error),
                expected=f"room for {rows.height:,} rows below {FOLDER} of the store",
                do="make room; the next pull brings them again",
            ) from error
    return path.relative_to(root).as_posix()


def hashes(rows: pl.DataFrame) -> Array:
    """uint64 (n,): the content of each row, whatever order the columns have."""
    return frame_hashes(rows)


def kept(root: Path, files: Sequence[str]) -> Array:
    """The content of all rows that were kept, sorted; of files that are gone, nothing."""
    found = [np.empty(0, dtype=np.uint64)]
    for name in files:
        path = root / name
        if path.with_suffix(HASHES).exists():
            found.append(np.load(path.with_suffix(HASHES)))
        elif path.exists():
            found.append(hashes(pl.read_parquet(path)))
    return np.sort(np.concatenate(found))


def beyond(rows: Array, before: Array) -> Array:
    """bool (n,): the rows that are more than ``before`` held of the same content.

    A content that was held twice and comes three times is new once: the last time.

    Examples
    --------
    >>> beyond(np.array([1, 2, 2, 3], dtype=np.uint64), np.array([2, 3], dtype=np.uint64)).tolist()
    [True, False, True, False]
    """
    held_before = np.searchsorted(before, rows, "right") - np.searchsorted(before, rows, "left")
    order = np.argsort(rows, kind="stable")
    ordered = rows[order]
    starts = np.searchsorted(ordered, ordered, "left")
    place = np.empty(len(rows), dtype=np.int64)
    place[order] = np.arange(len(rows)) - starts
    return np.asarray(place >= held_before)
