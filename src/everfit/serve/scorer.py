"""Execute a scoring plan: one row from a dict, or a table, with the same answers."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from everfit.column import Array, Column, Form
from everfit.encoders import steps as st
from everfit.events import Event, Past, Reads
from everfit.serve.answer import Answer
from everfit.serve.links import RowLink, TableLink, calibrated, row_calibration
from everfit.serve.past import PastReader
from everfit.serve.quick import Quick, blend
from everfit.serve.ranges import Ranges
from everfit.serve.row import Asked, RowReader
from everfit.serve.vector import Vector

if TYPE_CHECKING:
    # polars is loaded when the first table comes, not when a process starts to serve rows
    from everfit.data.table import Table
    from everfit.serve.engines.foreign import Estimator

LEAST_AT_ONCE, MOST_AT_ONCE = 65_536, 262_144  # rows of a table in one piece
CELLS_AT_ONCE = 4_194_304  # features of a piece that has more rows than the least: 32 MB
_new = tuple.__new__  # a named tuple's own way takes twice as long


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
    reader: Estimator | None = None  # the engine, when it reads history


class Scorer:
    """A packed version, ready to answer. Made by :func:`everfit.serve.load.open_plan`.

    One row at a time passes through the buffers, held by a lock; tables need no lock.
    """

    def __init__(
        self, *, form: Form, labels: Sequence[str], label_type: str, asked: Sequence[Asked],
        parts: Sequence[Part], plans: Sequence[Plan], reader: RowReader,
        calibration: Mapping[str, float], slow: Sequence[str] = (),
        ranges: Ranges | None = None, reads: Reads | None = None,
    ) -> None:  # fmt: skip
        self.form, self.labels = form, tuple(labels)
        self.columns: tuple[Column, ...] = tuple(item.column for item in asked)
        self.slow = tuple(slow)
        self._asked = tuple(asked)
        self._values = typed_labels(labels, label_type)
        self._parts, self._plans, self._reader = tuple(parts), tuple(plans), reader
        self._fills = [plan.vector.fill for plan in plans]
        self._slowly = [(p.weight, p.engine.row, p.row_link) for p in parts]
        self._quick = Quick(parts, plans, reader)
        self._calibration = dict(calibration)
        self._calibrate = row_calibration(self._calibration, max(1, len(self.labels)))
        self._ranges, self._range = ranges, None if ranges is None else ranges.of
        self.reads = reads
        self._readers = [part.reader for part in parts if part.reader is not None]
        self._past = PastReader(asked, self.labels) if reads is not None else None
        self._lock = Lock()

    @property
    def asked(self) -> tuple[Asked, ...]:
        """The columns with their training ranges and defaults."""
        return self._asked

    @property
    def known(self) -> Mapping[str, frozenset[str]]:
        """For category and ordered columns the levels that are known."""
        return self._reader.known

    @property
    def read_columns(self) -> tuple[str, ...]:
        """Names of the columns that some member reads, in the order of :meth:`read`."""
        return tuple(self._reader.positions)

    def read(self, values: Mapping[str, Any]) -> list[Any]:
        """The base values of one row, as :meth:`row` reads them, for :meth:`answers`."""
        return self._reader(values)[0]

    def answers(self, rows: Sequence[list[Any]], past: Past | None = None) -> Array:
        """Answers to rows that were read: float64 (n, n_outputs); for hundreds, without Polars."""
        matrices = []
        for plan in self._plans:
            matrix = np.empty((len(rows), plan.vector.n_features))
            for at, row in enumerate(rows):
                # rows of others may come between
                with self._lock:
                    plan.vector.fill(row)
                    matrix[at] = plan.vector.view
            matrices.append(matrix)
        return self._blended(matrices, len(rows), 1, past)

    def row(self, values: Mapping[str, Any], past: Sequence[Event] = ()) -> Answer:
        """Answer one row given as a dict from column name to value.

        Absent columns take their default or count as missing; whatever is odd becomes a warning,
        never an error. Columns that the model does not know are ignored. ``past`` is what happened
        to the row's key, oldest first, for a version that reads history.
        """
        warnings: tuple[str, ...] = ()
        with self._lock:
            for reader in self._readers:
                reader.past = (past,)
            answers = self._quick.row(values)
            if answers is None:
                row, warnings = self._reader(values)
                for fill in self._fills:
                    fill(row)
                answers = blend(self._slowly)
        if self._calibrate is not None:
            answers = self._calibrate(answers)
        return self._answer(answers, warnings)

    def _answer(self, answers: Sequence[float], warnings: tuple[str, ...]) -> Answer:
        top = max(answers)
        around = None if self._range is None else self._range(top)
        if not self._values:
            return _new(Answer, (top, None, warnings, around))
        label = self._values[answers.index(top)]
        return _new(Answer, (label, tuple(answers), warnings, around))

    def numbers(self, values: Mapping[str, Any], past: Sequence[Event] = ()) -> list[float]:
        """The answer to one row as golden rows hold it: probabilities, or the one value."""
        answer = self.row(values, past)
        return [float(answer.value)] if answer.probabilities is None else list(answer.probabilities)

    def rows(self, values: Sequence[Mapping[str, Any]], past: Past | None = None) -> list[Answer]:
        """Answer many rows given as dicts, members over all rows at once; see :meth:`row`."""
        read = [self._reader(item) for item in values]
        found = self.answers([row for row, _ in read], past).tolist()
        return [self._answer(item, odd) for item, (_, odd) in zip(found, read, strict=True)]

    def ranges(self, values: Array) -> Array | None:
        """The 95% ranges of answers (n, n_outputs): float64 (n, 2); None when there are none."""
        return None if self._ranges is None else self._ranges.of_many(values.max(axis=1))

    def table(self, table: Table, *, threads: int | None = None, past: Past | None = None) -> Array:
        """Answers for all rows of a table: float64 (n, n_outputs)."""
        table = self._with_defaults(table)
        n, width = table.n_rows, max(1, len(self.labels))
        out = np.empty((n, width))
        features = sum(plan.vector.n_features for plan in self._plans)
        size = max(LEAST_AT_ONCE, min(MOST_AT_ONCE, CELLS_AT_ONCE // max(1, features)))
        for start in range(0, n, size):
            part = table
            if n > size:
                part = replace(table, frame=table.frame[start : start + size])
            of_part = None if past is None else past[start : start + size]
            out[start : start + size] = self._answers(part, threads or _cores(), of_part)
        return out

    def _answers(self, table: Table, threads: int, past: Past | None) -> Array:
        execute = import_module("everfit.encoders.execute")
        matrices = [
            execute.run(plan.steps, plan.inputs, plan.vocabularies, table.frame, order="F")
            for plan in self._plans
        ]
        return self._blended(matrices, table.n_rows, threads, past)

    def _blended(self, matrices: Sequence[Array], n: int, threads: int, past: Past | None) -> Array:
        none = np.empty((n, 0))
        total: Array | None = None
        for part in self._parts:
            matrix = none if part.plan is None else matrices[part.plan]
            if part.reader is None:
                raw = part.engine.table(matrix, threads)
            else:
                raw = part.reader.table(matrix, threads, past or ())
            found = part.weight * part.table_link(raw)
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

    def events(self, plain: Sequence[Sequence[Any]]) -> list[Event]:
        """Events as a log or a source has them, as the models of this version learnt them.

        ``plain`` has ``[at, values, outcome]`` each; values and outcome are read as those of a row
        and of the target, so that what was sent as a label becomes its class code.
        """
        return [] if self._past is None else self._past.events(plain)

    def decide(self, values: Array) -> list[str | int | float | bool]:
        """The label of each row of ``values`` (n, n_outputs), or the number itself."""
        if self.form == "values":
            return [float(value) for value in values[:, 0]]
        return [self._values[i] for i in values.argmax(axis=1)]

    def as_table(self, rows: Sequence[Mapping[str, Any]]) -> Table:
        """Rows as a typed table of what the model reads, coerced as :meth:`row` does."""
        polars, tables = import_module("polars"), import_module("everfit.data.table")
        records = import_module("everfit.records")
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
        if not columns:
            # a version that reads no column still answers each row, and a frame counts its rows
            # by a column
            columns = [item.column for item in self._asked[:1]]
            frame |= {
                c.name: polars.Series([None] * len(rows), dtype=types.get(c.kind, polars.String))
                for c in columns
            }
        source = records.Source("rows", "", len(rows), len(columns))
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
