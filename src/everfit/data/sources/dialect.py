"""How a text file is cut into cells: separator, quote, first lines and header."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

SEPARATORS = (",", ";", "\t", "|")
N_LOOKED_AT = 1_000  # rows of the head that the dialect is judged by
_NUMBER = re.compile(r"^[+-]?(\d[\d.,']*|[.,]\d+)([eE][+-]?\d+)?\s?[%€$£]?$|^[$€£]\s?\d[\d.,]*$")
_DATE = re.compile(r"^\d{1,4}[-/.]\d{1,2}([-/.]\d{1,4})?([T ]\d{1,2}:\d{2}.*)?$")
_MARKS = {"?", "na", "n/a", "nan", "null", "none", "-", ".", "<na>", "nil"}
_WORDS = {"true", "false", "yes", "no", "y", "n", "t", "f"}

Row = list[str]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file is cut: ``quote`` and ``escape`` are empty when there is none.

    ``skip_lines`` are the physical lines before the first row of data (header included);
    ``names`` are the header's cells, or None without a header; ``why_header`` says how it was
    decided; ``width`` is the number of cells in a row.
    """

    separator: str
    quote: str
    escape: str
    skip_lines: int
    width: int
    names: tuple[str, ...] | None
    why_header: str
    blank_before_quote: bool = False


def detect(
    head: str,
    *,
    whole: bool,
    header: bool | Sequence[str] | None = None,
    known: Sequence[str] = (),
) -> Dialect:
    """The dialect of a file, judged by its first lines.

    Parameters
    ----------
    head : the first text of the file; its last line is left out unless ``whole``
    header : what the caller says: there is one, there is none, or the names themselves
    known : names that the file should have; a first row with half of them is a header

    Examples
    --------
    >>> found = detect("age;plan\\n41;trial\\n36;paid\\n", whole=True)
    >>> found.separator, found.names, found.width
    (';', ('age', 'plan'), 2)
    """
    if not whole:
        head = head[: head.rfind("\n") + 1] or head
    separator = _separator(head)
    spaced = (
        separator != " " and '"' in head and bool(re.search(re.escape(separator) + ' +"', head))
    )
    sample = re.sub(re.escape(separator) + r' +"', separator + '"', head) if spaced else head
    quote = _quote(sample, separator)
    escape = "\\" if quote and _escaped(sample, quote, separator) else ""
    rows, ends = cut(sample, separator, quote, escape)
    start, width = _first_row(rows)
    body_width = Counter(len(row) for row in rows[start + 1 :] or rows[start:]).most_common(1)[0][0]
    has_header, why = _decide_header(rows[start:], header, known)
    names = tuple(rows[start]) if has_header else None
    if names is not None:
        names, width = _fit_names(names, body_width, rows[start + 1 :])
    else:
        width = max(width, body_width)
    skipped = start + int(has_header)
    skip_lines = ends[skipped - 1] if skipped else 0
    return Dialect(separator, quote, escape, skip_lines, width, names, why, spaced)


def cut(text: str, separator: str, quote: str, escape: str) -> tuple[list[Row], list[int]]:
    """Rows of cells without empty lines, and the physical line on which each of them ends."""
    reader = csv.reader(
        io.StringIO(text),
        delimiter=separator,
        quotechar=quote or None,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        escapechar=escape or None,
        doublequote=True,
        skipinitialspace=separator == " ",
    )
    rows: list[Row] = []
    ends: list[int] = []
    try:
        for cells in reader:
            # a blank at the end of a line is no further cell where blanks separate
            row = cells[:-1] if separator == " " and cells and cells[-1] == "" else cells
            if any(cell.strip() for cell in row) or len(row) > 1:
                rows.append(row)
                ends.append(reader.line_num)
            if len(rows) >= N_LOOKED_AT:
                break
    except csv.Error:
        # one cell of more than 128 kB: a quote was left open, what came before it still speaks
        pass
    return rows or [[""]], ends or [1]


def _separator(head: str) -> str:
    """The separator that cuts lines into the same number of clean cells most often."""
    best, best_score = ",", 0.0
    for separator in SEPARATORS:
        rows, _ = cut(head, separator, '"', "")
        plain = cut(head, separator, "", "")[0] if '"' in head else rows
        for candidate in (rows, plain):
            score = _score(candidate, separator)
            if score > best_score + 1e-9:
                best, best_score = separator, score
    if best_score == 0.0 and _is_spaced_numbers(head):
        return " "
    return best


def _score(rows: list[Row], separator: str) -> float:
    widths = Counter(len(row) for row in rows if len(row) > 1)
    if not widths:
        return 0.0
    width, n = widths.most_common(1)[0]
    others = [s for s in SEPARATORS if s not in (separator, ",")]
    cells = [cell for row in rows[:200] if len(row) == width for cell in row]
    clean = sum(1 for cell in cells if not any(other in cell for other in others)) / len(cells)
    consistent = n / len(rows)
    # rows that hold line breaks were swallowed by an open quote
    swallowed = sum("\n" in cell for cell in cells) / len(cells)
    return consistent * (0.4 + 0.6 * clean) * (1 - swallowed) + 0.001 * min(width, 50) / 50


def _is_spaced_numbers(head: str) -> bool:
    lines = [line.split() for line in head.splitlines()[:200] if line.strip()]
    widths = {len(line) for line in lines}
    numeric = sum(bool(_NUMBER.match(cell)) for line in lines for cell in line)
    return len(widths) == 1 and widths != {1} and numeric > 0.5 * sum(map(len, lines))


def _quote(sample: str, separator: str) -> str:
    """The quote character, or an empty string when quotes are just letters of the text."""
    ill, well = ill_quoted(sample, separator)
    # a writer that quotes leaves no cell open; a few come from files that were glued together
    if ill > 0.2 * (ill + well) or (ill >= 3 and ill > 0.05 * (ill + well)):
        rows, _ = cut(sample, separator, "", "")
        usual = Counter(len(row) for row in rows).most_common(1)[0][1]
        if usual >= 0.95 * len(rows):
            return ""
    if '"' not in sample and "'" in sample:
        single = _cells_in(sample, separator, "'")
        lines = sample.count("\n") + 1
        if single >= 0.5 * lines and single > 1:
            return "'"
    return '"'


def _cells_in(sample: str, separator: str, quote: str) -> int:
    sep = re.escape(separator)
    pattern = rf"(?:^|(?<={sep})){quote}(?:[^{quote}\n]|{quote}{quote})*{quote}(?=\s*(?:{sep}|$))"
    return len(re.findall(pattern, sample, re.MULTILINE))


def ill_quoted(text: str, separator: str) -> tuple[int, int]:
    """How many cells start with a quote that does not close well, and how many close well.

    A quote closes well when a separator or a line end follows it. A cell over several lines
    counts as ill when most of its inner lines look like whole rows of the file.
    """
    if '"' not in text:
        return 0, 0
    sep = re.escape(separator)
    opening = rf"(?:^|(?<={sep}))\""
    single = re.compile(
        opening + rf"(?:[^\"\n\\]|\"\"|\\.)*\"(?=[ \t\r]*(?:{sep}|$))", re.MULTILINE
    )
    rest, well = single.subn("", text)
    if '"' not in rest:
        return 0, well
    widths = Counter(line.count(separator) for line in rest.splitlines() if '"' not in line)
    usual = widths.most_common(1)[0][0] if widths else 0
    ill = 0
    several = re.compile(opening + rf"((?:[^\"]|\"\")*)\"(?=[ \t\r]*(?:{sep}|$))", re.MULTILINE)
    for match in list(several.finditer(rest)):
        inner = match.group(1).split("\n")[1:-1]
        rows = sum(line.count(separator) == usual for line in inner) if usual else 0
        if len(inner) > 50 or (inner and rows > 0.5 * len(inner)):
            ill += 1
        else:
            well += 1
            rest = rest.replace(match.group(0), "", 1)
    return ill or len(re.findall(opening, rest, re.MULTILINE)), well


def _escaped(sample: str, quote: str, separator: str) -> bool:
    sep = re.escape(separator)
    pattern = rf"(?:^|{sep}){quote}[^{quote}\n]*\\{quote}(?!\s*(?:{sep}|$))"
    return re.search(pattern, sample, re.MULTILINE) is not None


def _first_row(rows: list[Row]) -> tuple[int, int]:
    """Where the table starts below title lines, and how many cells that row has."""
    usual = Counter(len(row) for row in rows).most_common(1)[0][0]
    start = 0
    if usual > 1:
        while start < min(20, len(rows) - 1) and _is_title(rows[start], usual):
            start += 1
    return start, len(rows[start])


def _is_title(row: Row, usual: int) -> bool:
    """A title or remark above the table: one filled cell where the table has several."""
    if len(row) != usual and (len(row) == 1 or row[0].startswith("#")):
        return True
    return sum(map(bool, row)) <= 1 < usual - 1


def _fit_names(names: tuple[str, ...], width: int, body: list[Row]) -> tuple[tuple[str, ...], int]:
    """Names for as many cells as the rows have: row names in front, or an empty cell at the end."""
    if not body or width <= len(names):
        return names, len(names)
    missing = width - len(names)
    if missing == 1 and any(row[-1].strip() for row in body if len(row) == width):
        return ("", *names), width
    return (*names, *([""] * missing)), width


def _decide_header(
    rows: list[Row], header: bool | Sequence[str] | None, known: Sequence[str]
) -> tuple[bool, str]:
    if isinstance(header, bool):
        return header, "as told"
    first = [cell.strip() for cell in rows[0]]
    if known:
        same = len(set(first) & set(known))
        if same >= max(1, 0.5 * min(len(known), len(first))):
            return True, f"{same} of its cells are names that were asked for"
    if header is not None and {c.lower() for c in first} == {
        str(n).strip().lower() for n in header
    }:
        return True, "its cells are the names given"
    return is_header(first, rows[1:])


def is_header(first: Sequence[str], body: Sequence[Row]) -> tuple[bool, str]:
    """Whether the first row names the columns: its cells are compared with the cells below.

    Examples
    --------
    >>> is_header(["39", "State-gov"], [["50", "Private"], ["38", "Private"]])[0]
    False
    >>> is_header(["age", "work"], [["50", "Private"], ["38", "Private"]])[0]
    True
    """
    if not body:
        return True, "the only row"
    yes = no = 0
    years = _are_years(first)
    for place, cell in enumerate(first):
        if years and cell.isdigit():
            continue
        below = [row[place].strip() for row in body if place < len(row)]
        vote = _vote(cell, [value for value in below if value and value.lower() not in _MARKS])
        yes += max(vote, 0)
        no += max(-vote, 0)
    if no > yes:
        return False, "the first row is like the rows below"
    return True, "the first row differs from the rows below"


def _are_years(first: Sequence[str]) -> bool:
    """Whether the first row counts years, as in a table with one column for each year."""
    numbers = [int(cell) for cell in first if cell.isdigit() and len(cell) == 4]
    steps = {right - left for left, right in pairwise(numbers)}
    return len(numbers) >= 3 and steps == {1} and 1900 <= numbers[0] <= 2100


def _vote(cell: str, below: Sequence[str]) -> int:
    """Above 0 when ``cell`` looks like a name over ``below``, below 0 when like one of them.

    Numbers and dates speak three times as loud as words.
    """
    if not below or not cell:
        return 0
    if cell.lower() in _MARKS:
        return -1
    for pattern in (_NUMBER, _DATE):
        fits = sum(bool(pattern.match(value)) for value in below)
        if fits >= 0.8 * len(below):
            return -3 if pattern.match(cell) else 3
    if _NUMBER.match(cell):
        return -3
    kinds = set(below)
    if cell in kinds:
        return -1
    if len(kinds) > 1 and {value.lower() for value in kinds} <= _WORDS:
        return 1
    # few different words below, and the first is none of them
    if len(below) >= 5 and len(kinds) <= 0.5 * len(below):
        return 1
    return _vote_by_length(cell, below)


def _vote_by_length(cell: str, below: Sequence[str]) -> int:
    lengths = [len(value) for value in below]
    if len(below) >= 5 and (len(cell) < 0.5 * min(lengths) or len(cell) > 2 * max(lengths)):
        return 1
    return 0
