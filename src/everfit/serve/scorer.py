"""Execute a scoring plan: one row from a dict, or a table, with the same answers."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from everfit.encoders import steps as st
from everfit.records import Array, Column, Form, Source
from everfit.serve.answer import Answer
from everfit.serve.links import RowLink, TableLink, calibrated
from everfit.serve.row import Asked, RowReader
from everfit.serve.vector import Vector

if TYPE_CHECKING:
    # polars is loaded when the first table comes, not when a process starts to serve rows
    from everfit.data.table import Table

ROWS_AT_ONCE = 65_536


class Engine(Protocol):
    """A native model over one feature vector; ``width`` raw scores a row."""

    width: int

    def row(self) -> Sequence[float]:
        """Raw scores for the features in the vector's buffer."""
        ...

    def table(self, matrix: Array, threads: int) -> Array:
        """Raw scores (n, width) of many rows."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """One distinct feature plan, shared by the members that use it."""

    view: str
    inputs: tuple[st.Input, ...]
    vocabularies: Mapping[str, tuple[str | None, ...]]
    steps: tuple[st.Step, ...]
    names: tuple[str, ...]
    categorical: tuple[int, ...]
    vector: Vector


@dataclass(frozen=True, slots=True)
class Part:
    """One member: its weight, engine, link, and the feature plan it reads."""

    weight: float
    engine: Engine
    row_link: RowLink
    table_link: TableLink
    plan: int | None
    name: str


class Scorer:
    """A packed version, ready to answer. Made by :func:`everfit.serve.load.open_plan`.

    One row at a time passes through the buffers, held by a lock; tables need no lock.
    """

    def __init__(
        self, *, form: Form, labels: Sequence[str], label_type: str, asked: Sequence[Asked],
        parts: Sequence[Part], plans: Sequence[Plan], reader: RowReader,
        calibration: Mapping[str, float], slow: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self.form, self.labels = form, tuple(labels)
        self.columns: tuple[Column, ...] = tuple(item.column for item in asked)
        self.slow = tuple(slow)
        self._asked = tuple(asked)
        self._values = typed_labels(labels, label_type)
        self._parts, self._plans, self._reader = tuple(parts), tuple(plans), reader
        self._fills = [plan.vector.fill for plan in plans]
        self._runs = [(part.weight, part.engine.row, part.row_link) for part in parts]
        self._calibration = dict(calibration)
        self._lock = Lock()

    @property
    def asked(self) -> tuple[Asked, ...]:
        """The columns with their training ranges and defaults."""
        return self._asked

    @property
    def known(self) -> Mapping[str, frozenset[str]]:
        """For category and ordered columns the levels that are known."""
        return self._reader.known

    def row(self, values: Mapping[str, Any]) -> Answer:
        """Answer one row given as a dict from column name to value.

        Absent columns take their default or count as missing; whatever is odd becomes a warning,
        never an error. Columns that the model does not know are ignored.
        """
        with self._lock:
            row, warnings = self._reader(values)
            for fill in self._fills:
                fill(row)
            total: list[float] | None = None
            for weight, run, link in self._runs:
                found = link(run())
                if total is None:
                    total = [weight * p for p in found]
                else:
                    total = [t + weight * p for t, p in zip(total, found, strict=True)]
        answers = total or []
        if self._calibration:
            answers = calibrated(np.array([answers]), self._calibration)[0].tolist()
        if self.form == "values":
            return Answer(answers[0], None, warnings)
        return Answer(self._values[answers.index(max(answers))], tuple(answers), warnings)

    def table(self, table: Table, *, threads: int | None = None) -> Array:
        """Answers for all rows of a table: float64 (n, n_outputs)."""
        table = self._with_defaults(table)
        n, width = table.n_rows, max(1, len(self.labels))
        out = np.empty((n, width))
        for start in range(0, n, ROWS_AT_ONCE):
            part = table
            if n > ROWS_AT_ONCE:
                part = replace(table, frame=table.frame[start : start + ROWS_AT_ONCE])
            out[start : start + ROWS_AT_ONCE] = self._answers(part, threads or _cores())
        return out

    def _answers(self, table: Table, threads: int) -> Array:
        execute = import_module("everfit.encoders.execute")
        matrices = [
            execute.run(plan.steps, plan.inputs, plan.vocabularies, table.frame)
            for plan in self._plans
        ]
        none = np.empty((table.n_rows, 0))
        total: Array | None = None
        for part in self._parts:
            matrix = none if part.plan is None else matrices[part.plan]
            found = part.weight * part.table_link(part.engine.table(matrix, threads))
            total = found if total is None else total + found
        return calibrated(np.asarray(total), self._calibration)

    def _with_defaults(self, table: Table) -> Table:
        """The table with the defaults of columns that it does not have at all."""
        have = set(table.frame.columns)
        gone = [c for c in self._asked if c.column.name not in have and c.default is not None]
        if not gone:
            return table
        polars = import_module("polars")
        added = [polars.lit(item.default).alias(item.column.name) for item in gone]
        return replace(
            table, frame=table.frame.with_columns(added),
            columns=(*table.columns, *(item.column for item in gone)),
        )  # fmt: skip

    def decide(self, values: Array) -> list[str | int | float | bool]:
        """The label of each row of ``values`` (n, n_outputs), or the number itself."""
        if self.form == "values":
            return [float(value) for value in values[:, 0]]
        return [self._values[i] for i in values.argmax(axis=1)]

    def as_table(self, rows: Sequence[Mapping[str, Any]]) -> Table:
        """Rows as a typed table of what the model reads, coerced as :meth:`row` does."""
        polars, tables = import_module("polars"), import_module("everfit.data.table")
        read = [self._reader(row)[0] for row in rows]
        frame = {}
        known = self._reader.positions
        columns = [item.column for item in self._asked if item.column.name in known]
        types = {"number": polars.Float64, "boolean": polars.Float64, "date": polars.Datetime("us")}
        for column in columns:
            at = known[column.name]
            kind = types.get(column.kind, polars.String)
            values = polars.Series([row[at] for row in read], dtype=kind)
            if column.kind == "boolean":
                values = values.fill_nan(None).cast(polars.Boolean)
            frame[column.name] = values
        source = Source("rows", "", len(rows), len(columns))
        made: Table = tables.Table(polars.DataFrame(frame), tuple(columns), source)
        return made


class Constant:
    """An engine that answers the same to every row."""

    def __init__(self, values: Sequence[float]) -> None:
        self._values = [float(value) for value in values]
        self.width = len(self._values)

    def row(self) -> list[float]:
        """The values."""
        return self._values

    def table(self, matrix: Array, threads: int) -> Array:
        """The values, once for each row."""
        return np.tile(np.array(self._values), (len(matrix), 1))


def typed_labels(labels: Sequence[str], label_type: str) -> tuple[str | int | float | bool, ...]:
    """Labels in the type in which they are given back.

    Examples
    --------
    >>> typed_labels(["0", "1"], "int"), typed_labels(["false", "true"], "bool")
    ((0, 1), (False, True))
    """
    if label_type == "int":
        return tuple(int(float(label)) for label in labels)
    if label_type == "float":
        return tuple(float(label) for label in labels)
    if label_type == "bool":
        return tuple(label.strip().lower() in ("true", "1", "1.0", "yes") for label in labels)
    return tuple(labels)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
