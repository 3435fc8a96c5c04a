"""The question before anything is written: read the data, pose the problem, assess, clean."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from everfit.assess import assess
from everfit.data.clean import clean
from everfit.data.read import read
from everfit.data.table import Table
from everfit.deadline import Deadline
from everfit.errors import NothingToLearn, UsageError
from everfit.plain import as_plain
from everfit.records import (
    Array,
    Assessment,
    Column,
    Kind,
    Policy,
    Problem,
    Progress,
    Role,
)
from everfit.store.contract import suggested
from everfit.tasks import Task, pick

ASSESS_SHARE, ASSESS_MAX_S = 0.12, 30.0  # of the budget: what the assessment may use
ROW = "row, as everfit read it"  # no column of a file is likely to be called so

Tell = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asks for: data, target, budget, and everything that overrides an inference.

    ``beside`` are sources of tables that stand beside the data, by name; ``started`` is the time on
    the monotonic clock that the budget counts from.
    """

    source: Any
    target: str
    name: str | None = None
    task: str | None = None
    metric: str | None = None
    budget_s: float = 60.0
    seed: int = 0
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    roles: Mapping[str, Role] = field(default_factory=dict)
    header: bool | Sequence[str] | None = None
    query: str | None = None
    learners: tuple[Any, ...] = ()
    policy: Policy = field(default_factory=Policy)
    started: float = 0.0
    beside: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Posed:
    """A question put to data: the table, its problem, its task, and why this task.

    ``as_read`` holds the same rows as ``table``, before any cleaning: what a row is recognised by
    must not depend on what one run thought of a column. ``beside`` are the tables beside it.
    """

    table: Table
    as_read: Table
    problem: Problem
    task: Task
    why: str
    beside: Mapping[str, Table] = field(default_factory=dict)

    @property
    def aside(self) -> Mapping[str, Table]:
        """The tables beside the data as learners get them."""
        return self.task.aside(self.problem, self.beside)


def pose(request: Request) -> Posed:
    """Read the data and say what problem the target poses. Nothing is written.

    Raises
    ------
    DataError : the data cannot be used; each case has its own class
    """
    roles: dict[str, Role] = {**request.roles, request.target: "target"}
    table = read(
        request.source,
        query=request.query,
        kinds=dict(request.kinds) or None,
        roles=roles,
        header=request.header,
    )
    table.column(request.target)
    target = table.drop([c.name for c in table.columns if c.name != request.target])
    task, why = pick(target, request.task)
    beside = beside_of(request.beside, task, table)
    problem = task.problem(table, request.target, metric=request.metric, beside=beside)
    return Posed(table, table, problem, task, why, beside)


def beside_of(sources: Mapping[str, Any], task: Task, table: Table) -> dict[str, Table]:
    """The tables beside the data, read; the column that both share is no feature of theirs.

    Raises
    ------
    UsageError : this kind of question has no place for one of them
    DataError : one cannot be read, or lacks the column that it shares with the data
    """
    found: dict[str, Table] = {}
    for name, source in sources.items():
        if name not in task.beside:
            raise UsageError(
                f"there is no place for a table of {name}",
                got=f"a table of {name} beside the data",
                expected=", ".join(f"a table of {known}" for known in task.beside)
                or "the data alone, for this kind of question",
                do=f"leave --{name} out, or name the kind of question with --task",
            )
        shared = table.role(task.beside[name])
        roles: dict[str, Role] = {} if shared is None else {shared.name: "ignore"}
        found[name] = read(source, roles=roles)
    return found


def named(request: Request) -> str:
    """The model's name: as given, else that of the file, else that of the target."""
    if request.name:
        return request.name
    source = request.source
    plain = isinstance(source, (str, Path)) and "://" not in str(source)
    return suggested(Path(source).stem if plain else request.target)


def examine(posed: Posed, request: Request, *, deadline: Deadline | None, tell: Tell) -> Assessment:
    allowed = (
        (lambda: float("inf"))
        if deadline is None
        else _allowance(deadline, min(ASSESS_SHARE * deadline.budget_s, ASSESS_MAX_S))
    )
    share = deadline.share if deadline else (lambda: 0.0)
    return assess(
        posed.table,
        posed.problem,
        task=posed.task,
        rng=np.random.default_rng(request.seed),
        deadline=allowed,
        tell=lambda line: tell(Progress("assess", line, share())),
        beside=posed.beside,
        now=datetime.now(UTC),
    )


def _allowance(deadline: Deadline, seconds: float) -> Callable[[], float]:
    until = deadline.left() - seconds
    return lambda: deadline.left() - until


def cleaned(posed: Posed, assessment: Assessment, request: Request) -> tuple[Posed, Assessment]:
    """The table with what the findings ask for done, and the problem that it then poses."""
    table, rows = _clean(posed.table, assessment)
    if not table.features and posed.problem.form != "lists":
        raise NothingToLearn(
            "no usable feature is left",
            got="; ".join(f.headline for f in assessment.findings if f.acts)[:400]
            or f"{len(posed.table.columns)} columns, none of them a feature",
            expected="at least one column that varies and is not an identifier",
            do="add columns, or keep one with --role COLUMN=feature",
        )
    problem = posed.task.problem(table, request.target, metric=request.metric, beside=posed.beside)
    cleaned = replace(posed, table=table, as_read=posed.as_read.take(rows), problem=problem)
    return cleaned, replace(assessment, problem=problem)


def _clean(table: Table, assessment: Assessment) -> tuple[Table, Array]:
    """The cleaned table, and the positions of its rows in the table that was read."""
    numbered = replace(
        table,
        frame=table.frame.with_columns(pl.int_range(pl.len()).alias(ROW)),
        columns=(*table.columns, Column(ROW, "number", "ignore")),
    )
    cleaned = clean(numbered, assessment.acts)
    rows = cleaned.frame[ROW].to_numpy()
    cleaned = cleaned.drop([ROW])
    return replace(cleaned, source=replace(cleaned.source, n_columns=cleaned.frame.width)), rows


def spec_of(request: Request, posed: Posed) -> dict[str, Any]:
    return {
        "source": source_name(request.source),
        "folder": str(Path.cwd()),
        "query": request.query,
        "header": request.header if request.header is None else as_plain(request.header),
        "target": request.target,
        "task": posed.problem.task,
        "metric": posed.problem.metric,
        "budget_s": request.budget_s,
        "seed": request.seed,
        "data_sha256": posed.table.source.sha256,
        "kinds": dict(request.kinds),
        "roles": dict(request.roles),
        "learners": [str(learner) for learner in request.learners],
        "beside": {name: source_name(source) for name, source in request.beside.items()},
        "policy": as_plain(request.policy),
    }


def source_name(source: Any) -> str:
    return str(source) if isinstance(source, (str, Path)) else f"a {type(source).__name__}"


def shape_of(posed: Posed) -> str:
    """How much was read, in words."""
    source = posed.table.source
    return f"{Path(source.uri).name}: {source.n_rows:,} rows x {source.n_columns:,} columns"
