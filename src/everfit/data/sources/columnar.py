"""Typed files: Parquet, Arrow and Feather, JSON lines, Excel; read batch by batch."""

from __future__ import annotations

import hashlib
import itertools
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import polars as pl
import pyarrow as pa

from everfit.data.sources.contract import check_width, tidy_names
from everfit.data.sources.frames import plain
from everfit.data.sources.survey import BLOCK, blocks, packing
from everfit.errors import SourceUnreadable

BATCH = 65_536  # rows

Reader = Callable[[Path], Iterator[pl.DataFrame]]


class Columnar:
    """One typed file.

    Raises
    ------
    SourceUnreadable, TooManyColumns : damaged, empty, of another format, or too wide
    """

    def __init__(self, path: Path, reader: Reader, what: str) -> None:
        self.uri = str(path)
        self.notes: list[str] = []
        self.ordered: dict[str, tuple[str, ...]] = {}
        self.comma = False
        self._path = path
        self._reader = reader
        self._what = what
        if path.stat().st_size == 0:
            raise SourceUnreadable(
                f"{path} is empty",
                got="0 bytes",
                expected=f"a {what} file",
                do="check how the file was written",
            )
        # keys of JSON lines may first appear far down: all lines are asked for their names
        n_looked_at = None if reader is json_lines else 1
        names: dict[str, None] = {}
        for frame in itertools.islice(self._frames(), n_looked_at):
            first, self.notes = plain(frame)
            names.update(dict.fromkeys(first.columns))
        self.names = tidy_names(list(names), [])
        check_width(self.uri, len(self.names))

    def sha256(self) -> str:
        """The hash of the file."""
        digest = hashlib.sha256()
        with self._path.open("rb") as stream:
            while block := stream.read(BLOCK):
                digest.update(block)
        return digest.hexdigest()

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Frames in file order."""
        wanted = self.names if columns is None else columns
        for frame in self._frames():
            tidy, _ = plain(frame)
            absent = [pl.lit(None).alias(name) for name in wanted if name not in tidy.columns]
            yield tidy.with_columns(absent).select(wanted)

    def _frames(self) -> Iterator[pl.DataFrame]:
        try:
            yield from self._reader(self._path)
        except (pa.ArrowException, OSError, ValueError, pl.exceptions.PolarsError) as error:
            raise SourceUnreadable(
                f"{self._path} cannot be read as {self._what}",
                got=f"{type(error).__name__}: {str(error)[:200]}",
                expected=f"a whole {self._what} file",
                do="check the file's ending and copy or write it again",
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None


def _to_frame(data: Any) -> pl.DataFrame:
    found = pl.from_arrow(data)
    return found if isinstance(found, pl.DataFrame) else found.to_frame()


def parquet(path: Path) -> Iterator[pl.DataFrame]:
    """Batches of a Parquet file in its row order."""
    from pyarrow import parquet as arrow_parquet

    with arrow_parquet.ParquetFile(path, memory_map=False, pre_buffer=False) as file:
        empty = file.schema_arrow.empty_table()
        if file.metadata.num_rows == 0:
            yield _to_frame(empty)
        for batch in file.iter_batches(batch_size=BATCH):
            yield _to_frame(batch)


def arrow(path: Path) -> Iterator[pl.DataFrame]:
    """Batches of an Arrow or Feather file, of the file or the stream format."""
    with pa.OSFile(str(path), "rb") as stream:
        if stream.read(4) == b"FEA1":
            from pyarrow import feather

            with warnings.catch_warnings():
                # the first version of Feather is old, which is not the reader's fault
                warnings.simplefilter("ignore", DeprecationWarning)
                yield _to_frame(feather.read_table(path))
            return
        stream.seek(0)
        is_file = stream.read(6) == b"ARROW1"
        stream.seek(0)
        if is_file:
            file = pa.ipc.open_file(stream)
            if file.num_record_batches == 0:
                yield _to_frame(file.schema.empty_table())
            for place in range(file.num_record_batches):
                yield _to_frame(file.get_batch(place))
        else:
            reader = pa.ipc.open_stream(stream)
            yield _to_frame(reader.schema.empty_table())
            for batch in reader:
                yield _to_frame(batch)


def json_lines(path: Path) -> Iterator[pl.DataFrame]:
    """Batches of a file with one JSON object a line; keys may come and go between lines."""
    with path.open("rb") as stream:
        packed = packing(stream.read(8))
    rest = b""
    for block in blocks(path, packed):
        lines = rest + block
        end = lines.rfind(b"\n") + 1
        rest = lines[end:]
        if lines[:end].strip():
            yield pl.read_ndjson(lines[:end], infer_schema_length=None)
    if rest.strip():
        yield pl.read_ndjson(rest, infer_schema_length=None)


def excel(path: Path) -> Iterator[pl.DataFrame]:
    """The first sheet of a workbook, cells as they are typed there; at most a million rows."""
    import fastexcel

    try:
        sheet = fastexcel.read_excel(path).load_sheet(0, header_row=None, dtypes="string")
    except fastexcel.FastExcelError as error:
        raise ValueError(str(error).splitlines()[0]) from error
    cells = _to_frame(sheet.to_arrow())
    cells = cells.filter(pl.any_horizontal(pl.all().is_not_null()))
    if cells.height == 0:
        raise ValueError("the first sheet has no cells")
    names = tidy_names([str(cell or "") for cell in cells.row(0)], [])
    cells.columns = list(names)
    yield cells[1:]


READERS: dict[str, tuple[Reader, str]] = {
    ".parquet": (parquet, "Parquet"),
    ".pq": (parquet, "Parquet"),
    ".arrow": (arrow, "Arrow"),
    ".ipc": (arrow, "Arrow"),
    ".feather": (arrow, "Feather"),
    ".jsonl": (json_lines, "JSON lines"),
    ".ndjson": (json_lines, "JSON lines"),
    ".jsonl.gz": (json_lines, "JSON lines"),
    ".xlsx": (excel, "Excel"),
    ".xlsm": (excel, "Excel"),
    ".xls": (excel, "Excel"),
    ".ods": (excel, "OpenDocument"),
}
