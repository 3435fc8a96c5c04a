"""New rows of a file that grows or is replaced, and of new files in a folder."""

from __future__ import annotations

import glob
import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from everfit.data.sources.opening import open_source
from everfit.errors import SourceMissing
from everfit.loop.feed.contract import Feed
from everfit.loop.feed.keeping import beyond, hashes, keep, kept
from everfit.loop.gather.doubles import tells
from everfit.records import Array

UNFINISHED = (".part", ".tmp", ".partial", ".crdownload", ".swp", "~")
Check = Callable[[pl.DataFrame, str], None]


@dataclass(frozen=True, slots=True)
class Found:
    """What a look at a feed found: files that were kept, the state after it, and notes."""

    files: tuple[str, ...]
    n: int
    state: Mapping[str, Any]
    notes: tuple[str, ...]


def pull_files(
    feed: Feed,
    state: Mapping[str, Any],
    *,
    root: Path,
    model: str,
    check: Check,
    target: str,
    now_s: Callable[[], float] = time.time,
) -> Found:
    """Rows that were not there at the pull before; files that are being written wait.

    Of a file that changed, rows count that it did not hold before; a file whose content was pulled
    under another name counts for nothing.

    Parameters
    ----------
    now_s : the clock of the file system, in seconds since 1970

    Raises
    ------
    SourceMissing : there is no such file, or the folder is gone
    SourceUnreadable : a file is not what its name says
    DataError : as ``check`` says
    """
    known: dict[str, str] = dict(state.get("files", {}))
    before: list[str] = list(state.get("kept", []))
    stored: list[str] = []
    notes: list[str] = []
    contents = set(known.values())
    n = 0
    for path in _paths(feed, known):
        if _unsettled(path, feed, now_s()):
            notes.append(f"{path.name} is still being written: it waits")
            continue
        sha256 = _sha256(path)
        if known.get(str(path)) == sha256:
            continue
        if sha256 in contents:
            notes.append(f"{path.name} holds what another file held, and counts for nothing")
            known[str(path)] = sha256
            continue
        rows, dropped = _labelled(_rows(path), target)
        check(rows, f"the feed's {path.name}")
        if dropped:
            notes.append(f"{path.name}: {dropped:,} rows without an outcome wait for it")
        fresh = _fresh(rows, kept(root, [*before, *stored]), changed=str(path) in known)
        if fresh.height < rows.height:
            gone = rows.height - fresh.height
            notes.append(f"{path.name}: {gone:,} rows were there already and count once")
        if _unsettled(path, feed, now_s()) or _sha256(path) != sha256:
            notes.append(f"{path.name} changed while it was read: it waits")
            continue
        if fresh.height:
            stored.append(keep(root, model, feed.name, fresh))
            n += fresh.height
        known[str(path)] = sha256
        contents.add(sha256)
    after = {"files": known, "kept": [*before, *stored]}
    return Found(tuple(stored), n, after, tuple(notes))


def _paths(feed: Feed, known: Mapping[str, str]) -> list[Path]:
    """The files of a feed by name.

    Raises
    ------
    SourceMissing : none, where there was one or must be one
    """
    source = feed.source.removeprefix("file://")
    place = Path(source)
    if place.is_dir():
        return sorted(p for p in place.iterdir() if p.is_file() and not _is_unfinished(p))
    if place.is_file():
        return [place]
    pattern = glob.has_magic(source)
    found = sorted(Path(name) for name in glob.glob(source, recursive=True)) if pattern else []
    files = [path for path in found if path.is_file() and not _is_unfinished(path)]
    folder = (
        Path(source[: source.index(next(c for c in source if c in "*?["))]) if pattern else None
    )
    if files or (pattern and not known and folder is not None and _base(folder).is_dir()):
        return files
    raise SourceMissing(
        f"the feed {feed.name!r} has vanished",
        got=f"no {source}",
        expected="the file or folder that it was" if known else "a file or folder that exists",
        do="bring it back, or change its source in everfit.toml; what was pulled is kept",
    )


def _base(folder: Path) -> Path:
    return folder if folder.is_dir() else folder.parent


def _is_unfinished(path: Path) -> bool:
    return path.name.startswith((".", "_")) or path.name.endswith(UNFINISHED)


def _unsettled(path: Path, feed: Feed, now_s: float) -> bool:
    """Whether somebody may still be writing: the clock of the file system says, not the loop's."""
    age = now_s - path.stat().st_mtime
    # a time in the future tells of another clock, and would never pass
    return 0 <= age < feed.settle_s


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _rows(path: Path) -> pl.DataFrame:
    with open_source(path) as supply:
        frames = list(supply.batches())
    return pl.concat(frames, how="vertical_relaxed", rechunk=True) if frames else pl.DataFrame()


def _labelled(rows: pl.DataFrame, target: str) -> tuple[pl.DataFrame, int]:
    """The rows whose outcome is there, and how many have none; all when the column is missing."""
    if target not in rows.columns:
        return rows, 0
    text = rows[target].dtype == pl.String
    known = rows[target].is_not_null() & ((rows[target] != "") if text else True)
    return rows.filter(known), rows.height - int(known.sum())


def _fresh(rows: pl.DataFrame, before: Array, *, changed: bool) -> pl.DataFrame:
    """The rows that were not pulled before.

    A changed file is compared row by row with what was kept. In a new file a row counts as known
    only where content tells rows apart: else two equal rows are two.
    """
    own = hashes(rows)
    if not changed and not tells(own):
        return rows
    return rows.filter(pl.Series(beyond(own, before)))
