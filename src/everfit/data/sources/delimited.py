"""CSV and its relatives: a fast parser for well-kept files, a careful one for the others.

The fast way streams blocks through Arrow's parser, all cells as text. At the first row with the
wrong number of cells, or a quote that does not close, the file is written again by the careful
parser, which pads short rows, leaves out long ones and counts both.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import polars as pl
import pyarrow as pa
from pyarrow import csv as arrow_csv

from everfit.data.sources.careful import Tally, careful_rows
from everfit.data.sources.contract import check_width, tidy_names
from everfit.data.sources.dialect import Dialect, detect, ill_quoted
from everfit.data.sources.survey import HEAD, QuoteTally, Survey, rewritten, survey
from everfit.errors import DataError, SourceUnreadable

PARSER_BLOCK = 512 << 10  # bytes; the parser holds about thirty of them at once
BATCHES = (1 << 20, 16 << 20)  # bytes of text in a frame, growing with the file
WHOLE_CHECK = 64 << 20  # quotes of files up to this size are checked as a whole


class _RaggedError(Exception):
    """A row does not have as many cells as the others; the careful parser takes over."""


class Delimited:
    """One delimited text file, cut into frames of text cells; empty cells are empty strings.

    Raises
    ------
    SourceUnreadable, TooManyColumns, DataError : see :func:`survey` and :func:`detect`
    """

    def __init__(
        self,
        path: Path,
        *,
        header: bool | Sequence[str] | None = None,
        known: Sequence[str] = (),
    ) -> None:
        self.uri = str(path)
        self.notes: list[str] = []
        self.ordered: dict[str, tuple[str, ...]] = {}
        self._path = path
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._cut_line = b""
        self._cut_noted = False
        self._careful = False
        self._seen: Survey = survey(path)
        quotes = self._as_utf8()
        head = self._head()
        self._dialect = detect(
            head.removeprefix("\ufeff"),
            whole=self._path.stat().st_size <= HEAD,
            header=header,
            known=known,
        )
        self.comma = self._dialect.separator == ";"
        self.names = self._names(header)
        check_width(self.uri, len(self.names))
        if self._needs_care(quotes):
            self._rewrite_carefully()

    def sha256(self) -> str:
        """The hash of the file's (unpacked) bytes."""
        return self._seen.sha256

    @property
    def has_header(self) -> bool:
        """Whether the first row was taken as names."""
        return self._dialect.names is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Frames of text in file order; after a ragged row the file is started again.

        A caller that holds earlier frames must not see rows twice, so the switch to the careful
        parser skips as many rows as were already given.
        """
        given = 0
        try:
            for frame in self._parse(columns):
                given += frame.height
                yield frame
            return
        except _RaggedError:
            self._rewrite_carefully()
        for frame in self._parse(columns):
            if given >= frame.height:
                given -= frame.height
                continue
            yield frame[given:] if given else frame
            given = 0

    def _as_utf8(self) -> QuoteTally:
        seen = self._seen
        if seen.encoding not in ("utf-8", "utf-8-sig"):
            self.notes.append(f"read as {seen.encoding}")
        if seen.bad_bytes:
            self.notes.append(
                f"{seen.bad_bytes:,} bytes are not valid UTF-8 and were replaced by U+FFFD"
            )
        if seen.plain:
            return seen.quotes
        quotes = QuoteTally()
        with self._temporary("utf8.csv") as stream:
            for block in rewritten(self._path, seen):
                quotes.add(block)
                stream.write(block)
        quotes.close()
        self._path = Path(stream.name)
        return quotes

    def _temporary(self, name: str) -> IO[bytes]:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="everfit-read-")
        return (Path(self._folder.name) / name).open("wb")

    def _head(self) -> str:
        with self._path.open("rb") as stream:
            head = stream.read(HEAD)
            size = stream.seek(0, 2)
            stream.seek(max(0, size - HEAD))
            tail = stream.read()
        if not tail.endswith(b"\n"):
            self._cut_line = tail[tail.rfind(b"\n") + 1 :].strip()
        # a character may be cut in two at the end of the head
        return head.decode("utf-8", errors="ignore").replace("\r\n", "\n")

    def _names(self, header: bool | Sequence[str] | None) -> tuple[str, ...]:
        dialect = self._dialect
        if header is not None and not isinstance(header, bool):
            given = [str(name) for name in header]
            if len(given) != dialect.width:
                raise DataError(
                    f"the names given do not fit {self.uri}",
                    got=f"{len(given)} names: {', '.join(given[:8])}",
                    expected=f"{dialect.width} names, one for each column",
                    do="give one name for each column, or leave header= out",
                )
            if dialect.names is not None:
                self.notes.append("the header row was replaced by the names given")
            return tidy_names(given, self.notes)
        if dialect.names is None:
            self.notes.append(
                f"no header row ({dialect.why_header}): columns are called column_1 to "
                f"column_{dialect.width}"
            )
            return tuple(f"column_{place}" for place in range(1, dialect.width + 1))
        return tidy_names(dialect.names, self.notes)

    def _needs_care(self, quotes: QuoteTally) -> bool:
        dialect = self._dialect
        if dialect.blank_before_quote or dialect.separator == " ":
            return True
        if dialect.quote != '"' or quotes.n_odd_lines == 0:
            return False
        if quotes.n_quotes % 2:
            return True
        with self._path.open("rb") as stream:
            text = stream.read(WHOLE_CHECK).decode("utf-8", errors="ignore")
        return ill_quoted(text.replace("\r\n", "\n"), dialect.separator)[0] > 0

    def _rewrite_carefully(self) -> None:
        if self._careful:
            raise SourceUnreadable(
                f"{self.uri} cannot be cut into rows",
                got="rows of changing width after repair",
                expected=f"{len(self.names)} cells in each row",
                do="export the file again with quoted cells",
            )
        self._careful = True
        tally = Tally()
        with (
            self._path.open("r", encoding="utf-8", errors="replace", newline="") as lines,
            self._temporary("careful.csv") as out,
        ):
            for row in careful_rows(lines, self._dialect, tally):
                out.write(row)
        self._path = Path(out.name)
        self.notes += tally.notes(len(self.names))
        self._dialect = Dialect(
            ",", '"', "", 0, self._dialect.width, self._dialect.names, self._dialect.why_header
        )

    def _parse(self, columns: Sequence[str] | None) -> Iterator[pl.DataFrame]:
        low, high = BATCHES
        enough = min(high, max(low, self._path.stat().st_size // 48))
        waiting: list[pa.RecordBatch] = []
        for batch in self._record_batches(columns):
            waiting.append(batch)
            if sum(one.nbytes for one in waiting) >= enough:
                yield _frame(waiting)
        if waiting:
            yield _frame(waiting)

    def _record_batches(self, columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
        reader = _reader(self._path, self._dialect, self.names, columns, self._on_bad_row)
        while reader is not None:
            try:
                batch = reader.read_next_batch()
            except StopIteration:
                return
            except pa.ArrowInvalid as error:
                raise self._failure(error) from error
            if batch.num_rows:
                yield batch

    def _on_bad_row(self, row: Any) -> str:
        text = (row.text or "").strip().encode("utf-8")
        if self._cut_line and text == self._cut_line and row.actual_columns < row.expected_columns:
            if not self._cut_noted:
                self._cut_noted = True
                self.notes.append(
                    f"the last line is cut off ({row.actual_columns} of {row.expected_columns} "
                    "cells, no line end) and was left out"
                )
            return "skip"
        return "error"

    def _failure(self, error: pa.ArrowInvalid) -> Exception:
        if "Expected" in str(error) and "columns" in str(error):
            return _RaggedError()
        if "straddling" in str(error) and not self._careful:
            return _RaggedError()
        return SourceUnreadable(
            f"{self.uri} cannot be cut into rows",
            got=str(error)[:300],
            expected=f"rows of {len(self.names)} cells",
            do="check the file near that row; long cells need quotes around them",
        )


def _frame(waiting: list[pa.RecordBatch]) -> pl.DataFrame:
    """The waiting batches as one frame; the list is emptied, so that their memory goes back."""
    frame = pl.from_arrow(pa.Table.from_batches(waiting))
    waiting.clear()
    pa.default_memory_pool().release_unused()
    return frame if isinstance(frame, pl.DataFrame) else frame.to_frame()


def _reader(
    path: Path,
    dialect: Dialect,
    names: Sequence[str],
    columns: Sequence[str] | None,
    on_bad_row: Callable[[Any], str],
) -> arrow_csv.CSVStreamingReader | None:
    try:
        return arrow_csv.open_csv(
            pa.OSFile(str(path), "rb"),
            read_options=arrow_csv.ReadOptions(
                column_names=list(names),
                skip_rows=dialect.skip_lines,
                block_size=PARSER_BLOCK,
                use_threads=False,  # threads read ahead as much as fits, which is the file
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=dialect.separator,
                quote_char=dialect.quote or False,
                escape_char=dialect.escape or False,
                newlines_in_values=bool(dialect.quote),
                ignore_empty_lines=True,
                invalid_row_handler=on_bad_row,
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types={name: pa.string() for name in names},
                include_columns=list(columns) if columns is not None else [],
                null_values=[],
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        if "Empty CSV" in str(error):
            return None
        raise _RaggedError() from error
