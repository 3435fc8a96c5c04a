"""What every source gives: names, batches that can be asked for twice, a hash and notes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Protocol, Self

import polars as pl

from everfit.errors import SourceUnreadable, TooManyColumns

MAX_COLUMNS = 5_000  # above this a study cannot look at each column within a budget


class Supply(Protocol):
    """An open source of rows, used as a context manager so that its temporary files go away.

    ``batches`` may be called again: a column whose first guess was wrong is read a second time.
    """

    uri: str
    names: tuple[str, ...]
    notes: list[str]
    comma: bool  # decimal commas are likely (the separator is a semicolon)
    ordered: dict[str, tuple[str, ...]]  # levels that the source itself declares as ordered

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Frames in source order, with ``columns`` only when given."""
        ...

    def sha256(self) -> str | None:
        """The hash of the content; None where it must be taken of the rows."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def tidy_names(raw: Sequence[str], notes: list[str]) -> tuple[str, ...]:
    """Names without blanks around them, none empty and none twice; changes go into ``notes``.

    Examples
    --------
    >>> notes = []
    >>> tidy_names([" age", "", "age"], notes)
    ('age', 'column_2', 'age_2')
    >>> notes
    ["column 2 has no name and is called 'column_2'", "the name 'age' comes twice: 'age_2'"]
    """
    taken = {name.strip() for name in raw}
    used: set[str] = set()
    names: list[str] = []
    for place, given in enumerate(raw, start=1):
        name = given.strip()
        if not name:
            name = _free(f"column_{place}", used | taken)
            notes.append(f"column {place} has no name and is called {name!r}")
        elif name in used:
            free = _free(f"{name}_2", used | taken)
            notes.append(f"the name {name!r} comes twice: {free!r}")
            name = free
        used.add(name)
        names.append(name)
    return tuple(names)


def _free(name: str, used: set[str]) -> str:
    if name not in used:
        return name
    stem, _, last = name.rpartition("_")
    number = int(last) + 1 if stem and last.isdigit() else 2
    stem = stem if stem and last.isdigit() else name
    while f"{stem}_{number}" in used:
        number += 1
    return f"{stem}_{number}"


def check_width(uri: str, n_columns: int) -> None:
    """Refuse a source with no column or with more than :data:`MAX_COLUMNS`.

    Raises
    ------
    SourceUnreadable, TooManyColumns
    """
    if n_columns == 0:
        raise SourceUnreadable(
            f"{uri} has no columns",
            got="0 columns",
            expected="a table with at least one feature and a target",
            do="check the file, the query or the frame that was given",
        )
    if n_columns > MAX_COLUMNS:
        raise TooManyColumns(
            f"{uri} has more columns than can be studied",
            got=f"{n_columns:,} columns",
            expected=f"at most {MAX_COLUMNS:,}",
            do="keep the columns that matter, or turn wide measurements into a few summaries",
        )
