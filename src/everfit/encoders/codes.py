"""The view for tree learners: numbers as they are, categories as codes, dates as parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from everfit.data.table import Table
from everfit.encoders.execute import Reader, date_part
from everfit.encoders.plan import FeaturePlan
from everfit.encoders.steps import TEXT_FACTS, DatePart, Input, Part, Step, Take, Words
from everfit.encoders.text import fit_words
from everfit.records import Column

MAX_LEVELS = 1_000
PARTS: tuple[Part, ...] = ("year", "month", "day", "weekday", "hour", "days")


@dataclass
class Draft:
    """A plan while it is being made."""

    table: Table
    view: str
    seed: int
    inputs: dict[str, Input] = field(default_factory=dict)
    vocabularies: dict[str, tuple[str | None, ...]] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    categorical: list[int] = field(default_factory=list)

    def read(self, column: Column) -> None:
        """Say that the plan reads ``column``."""
        words = column.levels if column.kind == "boolean" else ()
        self.inputs[column.name] = Input(column.name, column.kind, words)

    def add(self, step: Step, names: Sequence[str], *, categorical: bool = False) -> None:
        """Append a step whose features are called ``names``."""
        if categorical:
            self.categorical.append(len(self.names))
        self.steps.append(step)
        self.names += names

    def reader(self) -> Reader:
        """Base values of the training rows."""
        return Reader(self.table.frame, list(self.inputs.values()), self.vocabularies)

    def done(self) -> FeaturePlan:
        """The finished plan."""
        return FeaturePlan(
            self.view, tuple(self.inputs.values()), dict(self.vocabularies), tuple(self.steps),
            tuple(self.names), tuple(self.categorical),
        )  # fmt: skip


def vocabulary_of(
    series: pl.Series, *, most: int = MAX_LEVELS, least: int = 2
) -> tuple[str | None, ...]:
    """The levels of a category column, most frequent first (ties by name), None for missing.

    Levels with fewer than ``least`` rows are left out, as are those beyond ``most``.

    Examples
    --------
    >>> vocabulary_of(pl.Series(["a", "b", "b", None, None, None, "c", "c", "a"]))
    (None, 'a', 'b', 'c')
    """
    if series.dtype != pl.String:
        series = series.cast(pl.String, strict=False)
    counts = series.rename("level").value_counts(name="rows")
    counts = counts.filter(pl.col("rows") >= least)
    counts = counts.sort(["rows", "level"], descending=[True, False], nulls_last=True)
    levels: list[str | None] = counts["level"].head(most).to_list()
    if None not in levels and None in counts["level"]:
        levels[-1] = None
    return tuple(levels)


def code_columns(draft: Draft) -> None:
    """Add the steps of the codes view for every usable feature of the draft's table."""
    for column in draft.table.features:
        if column.kind in ("identifier", "constant") or column.name not in draft.table.frame:
            continue
        if column.kind in ("category", "ordered"):
            _code_category(draft, column)
        elif column.kind == "date":
            code_date(draft, column)
        elif column.kind == "text":
            draft.read(column)
            add_words(draft, column)
        elif draft.table.frame[column.name].null_count() < draft.table.n_rows:
            draft.read(column)
            draft.add(Take(column.name), [column.name])


def _code_category(draft: Draft, column: Column) -> None:
    if column.kind == "ordered" and column.levels:
        draft.vocabularies[column.name] = column.levels
    else:
        draft.vocabularies[column.name] = vocabulary_of(draft.table.frame[column.name])
    if draft.vocabularies[column.name]:
        draft.read(column)
        draft.add(Take(column.name), [column.name], categorical=column.kind == "category")


def varying_parts(draft: Draft, column: Column) -> list[Part]:
    """The parts of a date column that differ between training rows."""
    dates = draft.reader().dates(column.name).drop_nulls()
    if not len(dates):
        return []
    parts: list[Part] = [part for part in PARTS[:-1] if np.ptp(date_part(dates, part)) > 0.0]
    return [*parts, "days"]


def code_date(draft: Draft, column: Column) -> float:
    """Add the parts of a date that vary; gives the reference (first date) in seconds."""
    draft.read(column)
    parts = varying_parts(draft, column)
    if not parts:
        return 0.0
    reference = float(np.nanmin(draft.reader().floats(column.name)))
    for part in parts:
        draft.add(DatePart(column.name, part, reference), [f"{column.name}.{part}"])
    return reference


def add_words(draft: Draft, column: Column) -> Words:
    """Add the counts and the components of a text column."""
    texts = draft.table.frame[column.name].to_list()
    step = fit_words(column.name, texts, seed=draft.seed)
    draft.add(step, word_names(step))
    return step


def word_names(step: Words) -> list[str]:
    """Names of the features of a text step."""
    sides = [f"topic{i + 1}" for i in range(step.size - len(TEXT_FACTS))]
    return [f"{step.column}.{name}" for name in (*TEXT_FACTS, *sides)]
