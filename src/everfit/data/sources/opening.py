"""Finds out what a source is and opens it: file, files of a pattern, database or frame."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import polars as pl

from everfit.data.sources.columnar import READERS, Columnar
from everfit.data.sources.contract import Supply, check_width
from everfit.data.sources.database import Database, is_address
from everfit.data.sources.delimited import Delimited
from everfit.data.sources.frames import Frame
from everfit.errors import SourceMissing, SourceUnreadable, UsageError, near

Header = bool | Sequence[str] | None


def open_source(
    source: Any,
    *,
    query: str | None = None,
    header: Header = None,
    known: Sequence[str] = (),
) -> Supply:
    """The supply of rows behind anything that can be read.

    Parameters
    ----------
    source : path, glob, list of paths, SQLAlchemy URL, frame, Arrow table or dict of lists
    known : names that the source should have, which helps to recognise a header

    Raises
    ------
    SourceMissing, SourceUnreadable, UsageError, Unreachable, DataError : see the sources
    """
    if is_address(source):
        return Database(source, query)
    if query is not None:
        raise UsageError(
            "a query needs a database",
            got=f"query={query[:60]!r} with {str(source)[:60]!r}",
            expected="an SQLAlchemy URL such as sqlite:///shop.db",
            do="give the address of the database, or leave the query out",
        )
    if isinstance(source, (str, os.PathLike)):
        paths = _paths(os.fspath(source).removeprefix("file://"))
        if len(paths) == 1:
            return _open_file(paths[0], header, known)
        return Several(str(source), paths, header, known)
    if (
        isinstance(source, (list, tuple))
        and source
        and all(isinstance(item, (str, os.PathLike)) for item in source)
    ):
        found = [path for item in source for path in _paths(os.fspath(item))]
        return Several(", ".join(map(str, source)), found, header, known)
    return Frame(source)


class Several:
    """Files with the same columns, one after the other in the order of their names."""

    def __init__(
        self, uri: str, paths: Sequence[Path], header: Header, known: Sequence[str]
    ) -> None:
        self.uri = uri
        self.notes: list[str] = [f"{len(paths)} files"]
        self._open = ExitStack()
        self._supplies: list[Supply] = []
        try:
            for path in paths:
                self._supplies.append(self._open.enter_context(_open_file(path, header, known)))
        except BaseException:
            self._open.close()
            raise
        first = self._supplies[0]
        self.comma = first.comma
        self.ordered = first.ordered
        self.names = tuple(dict.fromkeys(n for supply in self._supplies for n in supply.names))
        check_width(uri, len(self.names))
        for supply in self._supplies:
            gone = [name for name in self.names if name not in supply.names]
            if gone:
                self.notes.append(f"{supply.uri} has no {', '.join(map(repr, gone[:5]))}")
            self.notes += [f"{Path(supply.uri).name}: {note}" for note in supply.notes]

    def sha256(self) -> str:
        """The hash of the hashes of all files, in order."""
        digest = hashlib.sha256()
        for supply in self._supplies:
            digest.update((supply.sha256() or "").encode("ascii"))
        return digest.hexdigest()

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Frames of the first file, then of the second, and so on."""
        wanted = list(self.names if columns is None else columns)
        for supply in self._supplies:
            there = [name for name in wanted if name in supply.names]
            absent = [pl.lit(None).alias(name) for name in wanted if name not in supply.names]
            for frame in supply.batches(there):
                yield frame.with_columns(absent).select(wanted)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()


def _paths(text: str) -> list[Path]:
    """The files that a path or pattern means.

    Raises
    ------
    SourceMissing : none, with near names
    """
    path = Path(text)
    if path.is_file():
        return [path]
    if path.is_dir():
        raise SourceMissing(
            f"{text} is a folder",
            got=f"a folder with {sum(1 for _ in path.iterdir())} entries",
            expected="a file, or a pattern of files",
            do=f"give a file in it, or all of them with '{text.rstrip('/')}/*.csv'",
        )
    if glob.has_magic(text):
        found = sorted(Path(name) for name in glob.glob(text, recursive=True))
        files = [name for name in found if name.is_file()]
        if files:
            return files
    raise _missing(path)


def _missing(path: Path) -> SourceMissing:
    folder = path.parent
    there = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    hint = near(path.name, there)
    if not folder.is_dir():
        do = f"there is no folder {folder} either; check the path"
    elif hint:
        do = f"did you mean {hint}?"
    else:
        shown = ", ".join(sorted(there)[:8]) or "nothing"
        do = f"check the path; in {folder} there is {shown}"
    return SourceMissing(
        f"there is no file {path}", got=str(path), expected="a file that exists", do=do
    )


def _open_file(path: Path, header: Header, known: Sequence[str]) -> Supply:
    try:
        for ending, (reader, what) in READERS.items():
            if path.name.lower().endswith(ending):
                return Columnar(path, reader, what)
        return Delimited(path, header=header, known=known)
    except PermissionError as error:
        raise SourceUnreadable(
            f"{path} may not be read",
            got=str(error),
            expected="a file that this user may read",
            do="change its rights, or run as a user who may",
        ) from error
