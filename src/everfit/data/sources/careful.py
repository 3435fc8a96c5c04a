"""A slow parser for damaged files: it repairs line by line and counts what it repaired."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from everfit.data.sources.dialect import Dialect

MAX_LINES_IN_CELL = 200  # a quoted cell longer than this is taken for an open quote


@dataclass(slots=True)
class Tally:
    """What was repaired: rows padded, rows left out, quotes taken as letters."""

    padded: int = 0
    dropped: int = 0
    stray: int = 0
    cut_off: int = 0
    first_dropped: str = ""

    def notes(self, width: int) -> list[str]:
        """The repairs in words."""
        found: list[str] = []
        if self.padded:
            found.append(f"{self.padded:,} rows with fewer than {width} cells: the rest is missing")
        if self.dropped:
            found.append(
                f"{self.dropped:,} rows with more than {width} cells were left out, "
                f"the first: {self.first_dropped!r}"
            )
        if self.stray:
            found.append(f"{self.stray:,} lines have a quote that does not close: read as a letter")
        if self.cut_off:
            found.append(
                f"the last line is cut off ({self.cut_off} of {width} cells, no line end) "
                "and was left out"
            )
        return found


def careful_rows(lines: Iterable[str], dialect: Dialect, tally: Tally) -> Iterator[bytes]:
    """Repaired rows of ``dialect.width`` cells as UTF-8 lines of ordinary CSV.

    Parameters
    ----------
    lines : physical lines with their line ends, from the top of the file
    tally : counts what was repaired while the rows are taken
    """
    out = io.StringIO(newline="")
    # every cell in quotes: a row of one empty cell must not look like an empty line
    writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for cells, ended in _records(lines, dialect, tally):
        row = _fit(cells, dialect.width, ended, tally)
        if row is not None:
            writer.writerow(row)
        if out.tell() > 1 << 20:
            yield out.getvalue().encode("utf-8")
            out.seek(0)
            out.truncate()
    yield out.getvalue().encode("utf-8")


def _fit(cells: list[str], width: int, ended: bool, tally: Tally) -> list[str] | None:
    if len(cells) > width:
        if any(cell.strip() for cell in cells[width:]):
            tally.dropped += 1
            tally.first_dropped = tally.first_dropped or ",".join(cells)[:120]
            return None
        return cells[:width]
    if len(cells) < width:
        if not ended:
            tally.cut_off = len(cells)
            return None
        tally.padded += 1
        return cells + [""] * (width - len(cells))
    return cells


def _records(
    lines: Iterable[str], dialect: Dialect, tally: Tally
) -> Iterator[tuple[list[str], bool]]:
    """Cells of each record, and whether its last line had a line end."""
    source = iter(lines)
    for _ in range(dialect.skip_lines):
        next(source, None)
    waiting: list[str] = []
    while True:
        line = waiting.pop(0) if waiting else next(source, None)
        if line is None:
            return
        if not line.strip(" \r\n") and dialect.separator != "\t":
            continue
        taken = [line]
        cells = _split(line, dialect)
        while cells is None and len(taken) < MAX_LINES_IN_CELL:
            more = waiting.pop(0) if waiting else next(source, None)
            if more is None:
                break
            taken.append(more)
            if dialect.quote in more:
                cells = _split("".join(taken), dialect)
                if cells is not None and len(cells) != dialect.width:
                    cells = None
        if cells is None:
            # nothing closes the quote within reach: the line stands alone, the others wait
            tally.stray += 1
            waiting = taken[1:] + waiting
            cells = _raw(taken[0], dialect)
            taken = taken[:1]
        yield cells, taken[-1].endswith(("\n", "\r"))


def _split(text: str, dialect: Dialect) -> list[str] | None:
    """Cells of one whole record; None when its quotes do not close as they should."""
    if not dialect.quote or dialect.quote not in text:
        return _raw(text, dialect)
    try:
        rows = list(
            csv.reader(
                io.StringIO(text, newline=""),
                delimiter=dialect.separator,
                quotechar=dialect.quote,
                escapechar=dialect.escape or None,
                skipinitialspace=dialect.blank_before_quote or dialect.separator == " ",
                strict=True,
            )
        )
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None


def _raw(line: str, dialect: Dialect) -> list[str]:
    line = line.rstrip("\r\n")
    if dialect.separator == " ":
        return line.split()
    return line.split(dialect.separator)
