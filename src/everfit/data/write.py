"""Writes predictions: CSV, JSON lines, Parquet, Arrow or Feather, by the ending of the name.

Rows are written as they come into a temporary file beside the target, which takes its name only
when everything is on disk: a reader never sees half a file.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Protocol

import polars as pl
import pyarrow as pa

from everfit.errors import SourceMissing, StoreFailed, UsageError

ENDINGS = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".pq", ".arrow", ".ipc", ".feather")


class _Writer(Protocol):
    def write(self, frame: pl.DataFrame) -> None: ...

    def close(self) -> None: ...


def write(frames: Iterable[pl.DataFrame], path: Path | str) -> int:
    """Write frames with the same columns one after the other; the number of rows written.

    Raises
    ------
    UsageError : the ending is not one that can be written
    SourceMissing : the folder does not exist
    StoreFailed : the disk is full or may not be written

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write([pl.DataFrame({"p": [0.5]}), pl.DataFrame({"p": [1.0]})], folder + "/out.csv")
    2
    """
    path = Path(path)
    check_ending(path)
    if not path.parent.is_dir():
        raise SourceMissing(
            f"there is no folder {path.parent}",
            got=str(path),
            expected="a file in a folder that exists",
            do="make the folder first",
        )
    temporary: Path | None = None
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=".tmp")
        temporary = Path(name)
        # mkstemp gives a private file; the result has the rights that any new file has
        os.chmod(temporary, 0o666 & ~_umask())
        with os.fdopen(handle, "wb") as stream:
            n_rows = _write_all(frames, stream, path.suffix.lower())
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
        temporary = None
        return n_rows
    except OSError as error:
        raise StoreFailed(
            f"{path} could not be written",
            got=f"{type(error).__name__}: {error}",
            expected="a folder with room and with the right to write",
            do="free some space, or write to another folder",
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def check_ending(path: Path) -> None:
    """Refuse an ending that cannot be written, before any work is done.

    Raises
    ------
    UsageError
    """
    if path.suffix.lower() not in ENDINGS:
        raise UsageError(
            f"{path.name} cannot be written",
            got=f"the ending {path.suffix!r}",
            expected="one of " + ", ".join(ENDINGS),
            do=f"write to {path.stem}.csv or {path.stem}.parquet",
        )


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _write_all(frames: Iterable[pl.DataFrame], stream: IO[bytes], ending: str) -> int:
    writer: _Writer | None = None
    schema: dict[str, pl.DataType] = {}
    n_rows = 0
    for frame in frames:
        if writer is None:
            writer = _writer(stream, ending, frame)
            schema = dict(frame.schema)
        writer.write(frame.cast(schema) if dict(frame.schema) != schema else frame)  # type: ignore[arg-type]
        n_rows += frame.height
    if writer is not None:
        writer.close()
    return n_rows


def _writer(stream: IO[bytes], ending: str, first: pl.DataFrame) -> _Writer:
    if ending in (".csv", ".tsv"):
        return _Csv(stream, "\t" if ending == ".tsv" else ",")
    if ending in (".jsonl", ".ndjson"):
        return _JsonLines(stream)
    schema = first.head(0).to_arrow(compat_level=pl.CompatLevel.oldest()).schema
    return _Arrow(stream, schema, parquet=ending in (".parquet", ".pq"))


class _Csv:
    def __init__(self, stream: IO[bytes], separator: str) -> None:
        self._stream = stream
        self._separator = separator
        self._header = True

    def write(self, frame: pl.DataFrame) -> None:
        text = frame.write_csv(include_header=self._header, separator=self._separator)
        self._stream.write(text.encode("utf-8"))
        self._header = False

    def close(self) -> None:
        return None


class _JsonLines:
    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def write(self, frame: pl.DataFrame) -> None:
        self._stream.write(frame.write_ndjson().encode("utf-8"))

    def close(self) -> None:
        return None


class _Arrow:
    """Parquet, or Arrow's file format, which is Feather too."""

    def __init__(self, stream: IO[bytes], schema: pa.Schema, *, parquet: bool) -> None:
        self._schema = schema
        if parquet:
            from pyarrow import parquet as arrow_parquet

            self._writer = arrow_parquet.ParquetWriter(stream, schema)
        else:
            self._writer = pa.ipc.new_file(stream, schema)

    def write(self, frame: pl.DataFrame) -> None:
        table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        self._writer.write_table(table.cast(self._schema))

    def close(self) -> None:
        self._writer.close()
