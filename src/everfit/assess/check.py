"""What a check is: a name, what it costs, and a function from a context to findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Literal

import numpy as np
import polars as pl
from scipy.special import chdtrc, stdtr

from everfit.assess.quick import View, view
from everfit.data.columns.collect import as_words
from everfit.data.table import Table
from everfit.records import Act, Array, Column, ColumnProfile, Finding, Problem, Profile
from everfit.tasks.contract import Task

Cost = Literal["facts", "rows", "model"]
# seconds that must be left for a check of this cost to be started; facts come from the profile
NEEDS: Mapping[Cost, float] = {"facts": float("-inf"), "rows": 0.05, "model": 0.25}
SAMPLE_ROWS = 10_000


@dataclass
class Context:
    """What a check may look at, and what the checks before it have asked for.

    ``known`` are the positions of rows whose target is known, int64 (m,); ``target`` (m,) float64
    holds class codes or numbers; ``acts`` grows as findings arrive, so that a later check does not
    look at a column that is already given up or at values that already count as missing. ``scale``
    is above 1 when the table is a sample: rows that there are for one that is here. ``beside`` are
    the tables that stand beside it; later than ``now`` is in the future.
    """

    table: Table
    problem: Problem
    profile: Profile
    task: Task
    rng: np.random.Generator
    known: Array
    target: Array
    left: Callable[[], float] = field(default=lambda: float("inf"))
    acts: list[Act] = field(default_factory=list)
    scale: float = 1.0
    beside: Mapping[str, Table] = field(default_factory=dict)
    now: datetime | None = None

    @cached_property
    def facts(self) -> Mapping[str, ColumnProfile]:
        """Profiles of columns by name."""
        return {column.name: column for column in self.profile.columns}

    @cached_property
    def sample(self) -> Array:
        """At most 10,000 rows with a known target, as ascending positions in ``known``."""
        if len(self.known) <= SAMPLE_ROWS:
            return np.arange(len(self.known))
        return np.sort(self.rng.choice(len(self.known), SAMPLE_ROWS, replace=False))

    @property
    def gone(self) -> set[str]:
        """Columns that a finding has asked to leave out."""
        return {act.column for act in self.acts if act.kind == "drop_column"}

    @property
    def features(self) -> list[Column]:
        """Feature columns that are still in."""
        gone = self.gone
        return [c for c in self.table.features if c.name not in gone]

    def add(self, findings: Iterable[Finding]) -> None:
        """Take over what findings ask for."""
        for finding in findings:
            self.acts.extend(finding.acts)

    def series(self, name: str, rows: Array | None = None) -> pl.Series:
        """One column, with values that count as missing blanked; ``rows`` are positions."""
        values = self.table.frame[name]
        if rows is not None:
            values = values[rows]
        marks = [v for a in self.acts if a.kind == "blank" and a.column == name for v in a.values]
        return blank(values, marks) if marks else values

    def numbers(self, name: str) -> Array:
        """One number column as float64 (n_rows,), NaN where it is missing."""
        return as_numbers(self.series(name))

    def view(self, positions: Array, *, without: Iterable[str] = ()) -> View:
        """Binned features of the rows at ``positions`` of ``known``."""
        rows, out = self.known[positions], set(without)
        columns = [c for c in self.features if c.name not in out]
        whole = np.array_equal(rows, np.arange(self.table.n_rows))
        picked = [(c, self.series(c.name, None if whole else rows)) for c in columns]
        return view(picked)


@dataclass(frozen=True, slots=True)
class Check:
    """One check: ``run`` gives findings, or an empty list when there is nothing to say."""

    name: str
    cost: Cost
    run: Callable[[Context], list[Finding]]


def as_numbers(values: pl.Series) -> Array:
    """A series as float64 with NaN where it is missing; dates as seconds, text as NaN."""
    if values.dtype.is_temporal():
        seconds = values.cast(pl.Datetime("us")).to_physical().cast(pl.Float64) / 1e6
        return seconds.to_numpy().copy()
    return values.cast(pl.Float64, strict=False).to_numpy().astype(np.float64)


def blank(values: pl.Series, marks: Iterable[str]) -> pl.Series:
    """``values`` with those that equal a mark set to missing.

    Examples
    --------
    >>> blank(pl.Series([1.0, 999.0]), ["999"]).to_list()
    [1.0, None]
    """
    if values.dtype.is_numeric():
        hit = values.cast(pl.Float64).is_in([float(mark) for mark in marks])
    else:
        hit = as_words(values).is_in(list(marks))
    nothing = pl.repeat(None, len(values), dtype=values.dtype, eager=True)
    return values.zip_with(~hit.fill_null(False), nothing)


def share(part: float, whole: float) -> float:
    """``part / whole``, 0 of nothing."""
    return float(part) / float(whole) if whole else 0.0


def percent(value: float) -> str:
    """A share in words: ``3.1%``, ``0.04%``.

    Examples
    --------
    >>> percent(0.0313), percent(0.5), percent(0.00041)
    ('3.1%', '50%', '0.041%')
    >>> percent(0.9956)
    '99.6%'
    """
    number = 100 * value
    if 99 < number < 100:
        return f"{min(number, 99.9):.1f}%"
    if number >= 10 or number == 0:
        return f"{number:.0f}%"
    return f"{number:.2g}%"


def counted(number: int, noun: str) -> str:
    """A count with its noun.

    Examples
    --------
    >>> counted(1, "row"), counted(1200, "row")
    ('1 row', '1,200 rows')
    """
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def listed(names: Iterable[str], limit: int = 4) -> str:
    """Names in code marks, joined; the rest as a count.

    Examples
    --------
    >>> listed(["a", "b"])
    '`a`, `b`'
    """
    every = list(names)
    shown = ", ".join(f"`{name}`" for name in every[:limit])
    return shown + (f" and {len(every) - limit} more" if len(every) > limit else "")


def plain_number(value: float) -> str:
    """A number as a person writes it: whole numbers without a point.

    Examples
    --------
    >>> plain_number(99999999.0), plain_number(0.25)
    ('99999999', '0.25')
    """
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(value)


def chi_squared(gone: Array, codes: Array, k: int) -> tuple[float, float, float]:
    """Statistic, p and Cramer's V of missing against class."""
    table = np.zeros((2, k))
    np.add.at(table, (gone.astype(np.int64), codes.astype(np.int64)), 1)
    table = table[:, table.sum(axis=0) > 0]
    n = table.sum()
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / n
    statistic = float(((table - expected) ** 2 / expected).sum())
    return statistic, float(chdtrc(max(table.shape[1] - 1, 1), statistic)), (statistic / n) ** 0.5


def welch(a: Array, b: Array) -> tuple[float, float, float]:
    """Statistic, two-sided p and the difference in standard deviations."""
    va, vb = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    if va + vb == 0:
        return 0.0, 1.0, 0.0
    t = float((a.mean() - b.mean()) / np.sqrt(va + vb))
    freedom = (va + vb) ** 2 / (va**2 / (len(a) - 1) + vb**2 / (len(b) - 1))
    sd = float(np.concatenate([a, b]).std())
    return t, float(2 * stdtr(freedom, -abs(t))), abs(float(a.mean() - b.mean())) / sd
