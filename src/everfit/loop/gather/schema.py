"""Whether rows still have the columns that a version learnt from, and what became of the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from everfit.data.conform import fit_column
from everfit.errors import ColumnMissing, DataError, near
from everfit.records import Column

LOST_SHARE = 0.1  # of the values: above it a column means something else than it did


@dataclass(frozen=True, slots=True)
class Differences:
    """How names of columns differ from those that are known: both in order."""

    gone: tuple[str, ...]
    new: tuple[str, ...]


def differences(names: Sequence[str], like: Sequence[Column]) -> Differences:
    """What is missing among ``names`` of what ``like`` needs, and what is more.

    A column that was left out of the learning need not be there.

    Examples
    --------
    >>> differences(["age", "town"], [Column("age", "number"), Column("plan", "category")])
    Differences(gone=('plan',), new=('town',))
    """
    have, known = set(names), {column.name for column in like}
    needed = [column.name for column in like if column.role != "ignore"]
    return Differences(
        tuple(name for name in needed if name not in have),
        tuple(name for name in names if name not in known),
    )


def require(names: Sequence[str], like: Sequence[Column], place: str) -> Differences:
    """The differences when no column is missing.

    Raises
    ------
    ColumnMissing : one is; says which new name looks like it
    """
    found = differences(names, like)
    if not found.gone:
        return found
    hints = {name: near(name, found.new, n=1) for name in found.gone}
    renamed = "; ".join(f"{name!r} is now {hint}?" for name, hint in hints.items() if hint)
    raise ColumnMissing(
        f"{place} lacks {_listed(found.gone)}",
        got=f"new: {_listed(found.new)}" if found.new else "no new columns either",
        expected="all columns that the version learnt from",
        do=f"{renamed} Give the column its old name back, or study the data anew: everfit run"
        if renamed
        else "bring the column back, or study the data anew: everfit run",
    )


class Fitting:
    """Frames made to fit known columns one after the other, with a count of what did not fit.

    A column of another type that still reads as its kind is taken. ``absent`` allows columns that
    are not there at all: they count as missing.
    """

    def __init__(self, like: Sequence[Column], place: str, *, absent: bool = False) -> None:
        self._like, self._place, self._absent = tuple(like), place, absent
        self._known: dict[str, int] = {}
        self._lost: dict[str, tuple[int, Any]] = {}  # how many, and the first of them

    def take(self, frame: pl.DataFrame) -> pl.DataFrame:
        """``frame`` with exactly the known columns, as their kinds are stored.

        Raises
        ------
        ColumnMissing : a column is not there, and must be
        """
        if not self._absent:
            require(frame.columns, self._like, self._place)
        return pl.DataFrame([self._fit(frame, column) for column in self._like])

    def notes(self) -> list[str]:
        """What did not fit, in words.

        Raises
        ------
        DataError : more than a tenth of the values of a column are no longer of its kind
        """
        return [self._judged(column) for column in self._like if column.name in self._lost]

    def _fit(self, frame: pl.DataFrame, column: Column) -> pl.Series:
        name = column.name
        if name not in frame.columns:
            return fit_column(pl.Series(name, [None] * frame.height, dtype=pl.String), column)[0]
        values = frame[name]
        if values.dtype == pl.Null:
            values = values.cast(pl.String)
        stored, lost = fit_column(values, column)
        known = self._known.get(name, 0)
        self._known[name] = known + len(values) - values.null_count()
        if lost.any():
            before, example = self._lost.get(name, (0, values.filter(lost).item(0)))
            self._lost[name] = before + int(lost.sum()), example
        return stored

    def _judged(self, column: Column) -> str:
        n, example = self._lost[column.name]
        known, kind = self._known[column.name], column.kind
        told = f"{n:,} of {known:,} values of {column.name!r} are no {kind}, such as {example!r}"
        if n > LOST_SHARE * known:
            raise DataError(
                f"{self._place}: {column.name!r} is no longer a {kind}",
                got=told,
                expected=f"at most {LOST_SHARE:.0%} of them, as when the version was made",
                do="bring the column back as it was, or study the data anew: everfit run",
            )
        return f"{self._place}: {told}; they count as missing"


def fitted(
    frame: pl.DataFrame, like: Sequence[Column], place: str, *, absent: bool = False
) -> tuple[pl.DataFrame, list[str]]:
    """One frame as :class:`Fitting` makes it, and the notes about it.

    Raises
    ------
    ColumnMissing, DataError : as :class:`Fitting` says
    """
    fitting = Fitting(like, place, absent=absent)
    found = fitting.take(frame)
    return found, fitting.notes()


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:8]))
    return shown + (f" and {len(names) - 8} more" if len(names) > 8 else "")
