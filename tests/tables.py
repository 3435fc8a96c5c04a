"""Tables for tests: built from plain lists, with kinds that fit how each column is stored."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from everfit.assess import assess
from everfit.data.table import Table
from everfit.records import Assessment, Column, Finding, Kind, Problem, Role, Source
from everfit.tasks import TASKS, Task, pick


def make_table(
    data: Mapping[str, Any] | pl.DataFrame,
    *,
    target: str | None = None,
    kinds: Mapping[str, Kind] | None = None,
    roles: Mapping[str, Role] | None = None,
) -> Table:
    """A table stored as `everfit.records.Column` says; words are categories unless told."""
    frame = data if isinstance(data, pl.DataFrame) else pl.DataFrame(dict(data))
    kinds, roles = dict(kinds or {}), dict(roles or {})
    if target is not None:
        roles[target] = "target"
    stored, columns = {}, []
    for name in frame.columns:
        values = _stored(frame[name])
        kind = kinds.get(name, _kind(values))
        stored[name] = values
        columns.append(
            Column(
                name,
                kind,
                roles.get(name, "feature"),
                n_missing=values.null_count(),
                n_distinct=values.drop_nulls().n_unique(),
            )
        )
    frame = pl.DataFrame(stored)
    return Table(frame, tuple(columns), Source("test", "", frame.height, frame.width))


def pose(table: Table, target: str, metric: str | None = None) -> tuple[Task, Problem]:
    """The task and problem of a target."""
    one = Table(table.frame.select(target), (table.column(target),), table.source)
    task, _ = pick(one)
    return task, TASKS[task.name].problem(table, target, metric=metric)


def assessed(table: Table, target: str, *, seed: int = 0, **options: Any) -> Assessment:
    """The assessment of a table for a target."""
    task, problem = pose(table, target)
    return assess(table, problem, task=task, rng=np.random.default_rng(seed), **options)


def found(assessment: Assessment, check: str) -> list[Finding]:
    """The findings of one check."""
    return [finding for finding in assessment.findings if finding.check == check]


def open_set(*parts: str) -> Path:
    """A file of the open data sets beside the repository; the test is skipped without it."""
    shared = os.environ.get("EVERFIT_SHARED")
    root = Path(shared) if shared else Path(__file__).resolve().parents[1] / "../shared"
    path = (root / "data").joinpath(*parts)
    if not path.exists():
        pytest.skip(f"the open data sets are not here: {'/'.join(parts)}")
    return path


def _stored(values: pl.Series) -> pl.Series:
    if values.dtype == pl.Boolean:
        return values
    if values.dtype.is_temporal():
        return values.cast(pl.Datetime("us"))
    if values.dtype.is_integer():
        return values.cast(pl.Int64)
    if values.dtype.is_numeric():
        return values.cast(pl.Float64).fill_nan(None)
    return values.cast(pl.String)


def _kind(values: pl.Series) -> Kind:
    if values.drop_nulls().n_unique() <= 1:
        return "constant"
    if values.dtype == pl.Boolean:
        return "boolean"
    if values.dtype.is_temporal():
        return "date"
    return "number" if values.dtype.is_numeric() else "category"
