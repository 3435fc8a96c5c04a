"""Counts what in many rows did not fit a packed version: unseen levels, numbers out of range."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import polars as pl

from everfit.data.table import Table
from everfit.serve.scorer import Scorer


@dataclass(frozen=True, slots=True)
class Misfit:
    """How often values of one column did not fit, with one of them and what was expected."""

    column: str
    kind: Literal["unseen", "out_of_range"]
    n: int
    example: str
    expected: str = ""


def with_defaults(scorer: Scorer, table: Table, absent: Iterable[str]) -> Table:
    """``table`` without the columns ``absent`` that have a default, so that the scorer uses it.

    A reader gives columns that its source does not have as all missing; one row as a dict would
    get their defaults, and a table must be answered the same.
    """
    have = {item.column.name for item in scorer.asked if item.default is not None}
    return table.drop(have.intersection(absent))


class Misfits:
    """Counts over tables that come one after another, as a stream gives them.

    A level that training pooled as rare counts as unseen here too: both are answered as "other".

    Parameters
    ----------
    scorer : the packed version that answers
    """

    def __init__(self, scorer: Scorer) -> None:
        self._ranges = {
            item.column.name: (item.low, item.high)
            for item in scorer.asked
            if item.column.kind == "number" and item.low is not None and item.high is not None
        }
        words = {c.name for c in scorer.columns if c.kind in ("category", "ordered")}
        self._levels = {
            name: pl.Series(sorted(levels), dtype=pl.String)
            for name, levels in scorer.known.items()
            if name in words
        }
        self._counts: Counter[tuple[str, Literal["unseen", "out_of_range"]]] = Counter()
        self._examples: dict[tuple[str, Literal["unseen", "out_of_range"]], str] = {}

    def add(self, table: Table) -> None:
        """Count the rows of ``table``; missing values always fit."""
        for name, (low, high) in self._ranges.items():
            if name in table.frame.columns:
                values = table.frame[name].drop_nulls()
                odd = values.filter((values < low) | (values > high))
                self._count(name, "out_of_range", odd)
        for name, levels in self._levels.items():
            if name in table.frame.columns:
                values = table.frame[name].drop_nulls()
                self._count(name, "unseen", values.filter(~values.is_in(levels.implode())))

    def _count(self, name: str, kind: Literal["unseen", "out_of_range"], odd: pl.Series) -> None:
        if len(odd):
            self._counts[name, kind] += len(odd)
            self._examples.setdefault((name, kind), str(odd[0]))

    def found(self) -> tuple[Misfit, ...]:
        """All that did not fit, the most frequent first."""
        return tuple(
            Misfit(name, kind, n, self._examples[name, kind], self._expected(name, kind))
            for (name, kind), n in self._counts.most_common()
        )

    def _expected(self, name: str, kind: str) -> str:
        if kind == "unseen":
            return f"one of {len(self._levels[name])} known categories"
        low, high = self._ranges[name]
        return f"{low:.6g} to {high:.6g}"
