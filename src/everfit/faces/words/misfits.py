"""What did not fit a model in the rows that were given, in words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from everfit.serve.misfits import Misfit
from everfit.serve.row import UNKNOWN

SHOWN, FEW = 10, 3
INSTEAD = "its default stands in (see: everfit columns)"
THEIRS = "their defaults stand in (see: everfit columns)"
_WRONG = re.compile(
    r"(?P<head>column .+): (?P<n>[\d,]+) of (?P<of>[\d,]+) values are no (?P<tail>.+)", re.DOTALL
)


_NOT_GIVEN = re.compile(r"(?P<name>.+): not given, .+", re.DOTALL)
_VALUE = re.compile(r"'[^']*'|\"[^\"]*\"|(?<=: )\S+(?= is outside )")
_ABSENT = re.compile(r"column '(?P<name>.+)' is not there and counts as missing", re.DOTALL)


class InputWarning(UserWarning):
    """Rows were answered although something in them did not fit the model; says how many."""


def misfit_lines(found: Iterable[Misfit], notes: Sequence[str]) -> list[str]:
    """One line for each thing that did not fit; ``notes`` are what reading the rows said.

    Examples
    --------
    >>> print(misfit_lines([Misfit("age", "out_of_range", 3, "212", "18 to 96")], [])[0])
    column 'age': 3 numbers outside the training range 18 to 96, such as 212
    """
    lines = [
        note.replace("counts as missing", INSTEAD) if _ABSENT.fullmatch(note) else note
        for note in merged(notes)
    ]
    for misfit in found:
        plural = "" if misfit.n == 1 else "s"
        end = ""
        if misfit.kind == "unseen":
            what = f"{misfit.n:,} value{plural} of a rare or new category"
            end = f"; each {UNKNOWN}"
        else:
            what = f"{misfit.n:,} number{plural} outside the training range {misfit.expected}"
        lines.append(f"column {misfit.column!r}: {what}, such as {misfit.example[:40]}{end}")
    return lines


def row_lines(warnings: Sequence[str]) -> list[str]:
    """What was odd about one row; the columns that were not given are one line when they are many.

    Examples
    --------
    >>> row_lines([f"{name}: not given, 1.0 is used" for name in "abcd"])
    ['not given: a, b, c, d; their defaults stand in (see: everfit columns)']
    """
    absent = [match["name"] for text in warnings if (match := _NOT_GIVEN.fullmatch(text))]
    if len(absent) <= FEW:
        return list(warnings)
    rest = [text for text in warnings if not _NOT_GIVEN.fullmatch(text)]
    return [*rest, f"not given: {', '.join(absent)}; {THEIRS}"]


def alike(counts: Mapping[str, int]) -> list[str]:
    """Warnings of many rows as one for each kind, with an example and how many rows had it.

    Examples
    --------
    >>> alike({"plan: category 'a' is rare": 2, "plan: category 'b' is rare": 1, "age: missing": 1})
    ["plan: category 'a' is rare (3 rows)", 'age: missing']
    """
    found: dict[str, tuple[str, int]] = {}
    for line, n in counts.items():
        kind = _VALUE.sub("", line)
        first, before = found.get(kind, (line, 0))
        found[kind] = first, before + n
    return [line if n == 1 else f"{line} ({n:,} rows)" for line, n in found.values()]


def merged(notes: Sequence[str]) -> list[str]:
    """Notes of many batches as one each: counts of the same column are added up.

    Examples
    --------
    >>> note = "column 'age': {} values are no number and count as missing, such as 'old'"
    >>> merged([note.format("1 of 2"), note.format("3 of 1,000")])
    ["column 'age': 4 of 1,002 values are no number and count as missing, such as 'old'"]
    """
    sums: dict[str, tuple[int, int, str]] = {}
    lines: dict[str, None] = {}
    for note in notes:
        match = _WRONG.fullmatch(note)
        if match is None:
            lines.setdefault(note)
            continue
        n, of, tail = sums.get(match["head"], (0, 0, match["tail"]))
        sums[match["head"]] = (n + _whole(match["n"]), of + _whole(match["of"]), tail)
    counted = [
        f"{head}: {n:,} of {of:,} values are no {tail}" for head, (n, of, tail) in sums.items()
    ]
    return [*counted, *lines]


def absent_columns(notes: Sequence[str]) -> set[str]:
    """Names of columns that reading did not find.

    Examples
    --------
    >>> absent_columns(["column 'age' is not there and counts as missing", "2 files"])
    {'age'}
    """
    return {match["name"] for note in notes if (match := _ABSENT.fullmatch(note))}


def _whole(text: str) -> int:
    return int(text.replace(",", ""))


def shortened(lines: Sequence[str]) -> list[str]:
    """The first lines, and how many more there are."""
    more = len(lines) - SHOWN
    return [*lines[:SHOWN], f"... and {more} more"] if more > 0 else list(lines)


def plain_misfits(found: Iterable[Misfit], notes: Sequence[str]) -> Mapping[str, object]:
    """The same for ``--json``."""
    return {
        "notes": merged(notes),
        "columns": [
            {
                "column": m.column,
                "kind": m.kind,
                "n": m.n,
                "example": m.example,
                "expected": m.expected,
            }
            for m in found
        ],
    }
