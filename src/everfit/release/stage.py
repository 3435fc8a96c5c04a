"""The release: pack the candidate, put it through its gates, judge it against the champion."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from everfit.data.conform import conform
from everfit.data.groups import groups
from everfit.data.hashes import row_hashes
from everfit.data.table import Table
from everfit.learners import load
from everfit.records import (
    Answers,
    Array,
    Assessment,
    Because,
    Candidate,
    Column,
    Decision,
    Policy,
    Problem,
    Study,
    Truth,
    Version,
)
from everfit.release.gates import (
    beats_floor,
    beats_simple,
    fast_enough,
    guards_segments,
    load_fresh,
    loads,
    manifest_holds,
    reproduces,
    tells_segments,
)
from everfit.release.manifest import Label
from everfit.release.pack import pack
from everfit.release.plan import Fitted, fitted_members
from everfit.release.promote import Case, judge, moves, release_first
from everfit.tasks import Task

GOLDEN_ROWS = 24  # of them a third with missing values, where there are any
SEEN = "seen.npz"

Score = Callable[[Path, Table], Array]  # a packed version's answers (n, n_outputs) to a table


@dataclass(frozen=True, slots=True)
class Bench:
    """What a version is released against: the champion, rows that neither saw, the rules."""

    policy: Policy
    score: Score
    columns_of: Callable[[Path], Sequence[Column]]  # what a packed version asks for
    withheld: Table  # as it was read, before this run cleaned it
    withheld_truth: Truth
    champion: Version | None = None
    champion_folder: Path | None = None
    looks: int = 1
    promoted: int = 0
    cannot: str = ""


@dataclass(frozen=True, slots=True)
class Packing:
    """Where a version is packed, what its label says, and the key that signs it."""

    folder: Path
    label: Label
    number: int
    key: bytes
    as_read: Table  # the training rows before cleaning; their hashes are kept with the version
    left_s: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Released:
    """The decision, the version it is about, and where the aliases shall point."""

    decision: Decision
    version: Version
    aliases: Mapping[str, int | None] = field(default_factory=dict)


def release(
    study: Study,
    assessment: Assessment,
    training: Table,
    *,
    task: Task,
    packing: Packing,
    bench: Bench,
    tell: Callable[[str], None],
) -> Released:
    """Pack ``study.candidate`` into ``packing.folder``, run its gates, and decide.

    ``training`` holds the cleaned rows that the candidate was fitted to.

    Raises
    ------
    ArtefactRefused : a member's files are gone
    OSError : the disk refused; whoever gave the folder clears it
    """
    candidate, problem = study.candidate, study.problem
    members = fitted_members(candidate)
    keep_seen(packing.folder, packing.as_read)
    manifest = pack(
        packing.folder,
        label=packing.label,
        study=study,
        assessment=assessment,
        source=training.source,
        table_columns=training.columns,
        members=members,
        golden_rows=golden(training, members, candidate, task),
        key=packing.key,
    )
    tell("loading it in a fresh process")
    fresh = load_fresh(packing.folder, left_s=packing.left_s())
    gates = [
        beats_floor(candidate),
        beats_simple(candidate),
        manifest_holds(packing.folder, key=packing.key, sha256=manifest.sha256),
        loads(fresh),
        reproduces(fresh),
        fast_enough(fresh, bench.policy),
    ]
    version = Version(
        model=packing.label.model,
        number=packing.number,
        folder=str(packing.folder),
        sha256=manifest.sha256,
        problem=problem,
        score=candidate.score,
        run=packing.label.run,
        candidate=candidate.name,
        created_at=packing.label.created_at,
    )
    case = Case(
        model=version.model,
        version=version.name,
        candidate=candidate.name,
        metric=problem.metric,
        score=candidate.score,
        gates=(),
        policy=bench.policy,
        champion=bench.champion.name if bench.champion else "",
        data_sha256=training.source.sha256,
        run=packing.label.run,
        not_done=study.not_tried,
    )
    if bench.champion is None or bench.champion_folder is None:
        gates.append(tells_segments(candidate.segments, bench.policy))
        decision = release_first(replace(case, gates=tuple(gates)))
        champion = None
    else:
        decision = _against(bench, replace(case, gates=tuple(gates)), packing, task, problem)
        champion = bench.champion.number
    if decision.kind == "refused":
        version = replace(version, state="refused")
    return Released(decision, version, moves(decision, champion, version.number))


def golden(
    training: Table, members: Sequence[Fitted], candidate: Candidate, task: Task
) -> list[dict[str, Any]]:
    """Rows with the answers that the learners themselves give, read back from their files."""
    features = training.drop([c.name for c in training.columns if c.role != "feature"])
    rng = np.random.default_rng(len(features.columns))
    holed = features.frame.select(_any_missing(features)).to_series().to_numpy()
    some = rng.permutation(np.flatnonzero(holed))[: GOLDEN_ROWS // 3]
    others = rng.permutation(np.flatnonzero(~holed))[: GOLDEN_ROWS - len(some)]
    rows = np.sort(np.concatenate([some, others]))
    asked = features.take(rows)
    ids = np.arange(len(rows))
    answers = [Answers(ids, load(m.folder, m.part).answer(asked)) for m in members]
    mixed = task.blend(answers, [m.weight for m in members]).values
    values = task.adjust(mixed, candidate.calibration)
    plain = [{k: _plain(v) for k, v in row.items()} for row in asked.frame.iter_rows(named=True)]
    return [
        {"values": row, "answer": [float(v) for v in answer]}
        for row, answer in zip(plain, values, strict=True)
    ]


def keep_seen(folder: Path, as_read: Table) -> None:
    """Write the hashes of the rows that a version was fitted to, and of which columns."""
    names = np.array([column.name for column in as_read.columns])
    hashes = np.unique(row_hashes(as_read))
    np.savez_compressed(folder / SEEN, names=names, hashes=hashes)


def was_seen(folder: Path, as_read: Table) -> Array | None:
    """Which rows, bool (n,), a packed version was fitted to; None when that cannot be told.

    It cannot be told when the version knew columns that these rows do not have.
    """
    with np.load(folder / SEEN) as kept:
        names, hashes = [str(name) for name in kept["names"]], kept["hashes"]
    have = {column.name: column for column in as_read.columns}
    if any(name not in have for name in names):
        return None
    same = replace(
        as_read,
        frame=as_read.frame.select(names),
        columns=tuple(have[name] for name in names),
    )
    seen: Array = np.isin(row_hashes(same), hashes)
    return seen


def _against(
    bench: Bench, case: Case, packing: Packing, task: Task, problem: Problem
) -> Decision:
    """The decision about a challenger, from the losses of both on the withheld rows."""
    champion, folder = bench.champion, bench.champion_folder
    nothing = np.empty(0)
    if champion is None or folder is None or bench.cannot:
        return judge(case, nothing, nothing, looks=bench.looks, cannot=bench.cannot)
    ours = _losses(bench, packing.folder, task, problem)
    theirs = _losses(bench, folder, task, problem)
    masks = groups(bench.withheld, least=1)
    known = {name: mask[bench.withheld_truth.ids] for name, mask in masks.items()}
    guard: Because = guards_segments(ours, theirs, known, bench.policy, champion.name)
    return judge(
        replace(case, gates=(*case.gates, guard)),
        ours,
        theirs,
        looks=bench.looks,
        promoted=bench.promoted,
    )


def _losses(bench: Bench, folder: Path, task: Task, problem: Problem) -> Array:
    columns = bench.columns_of(folder)
    frame, _ = conform(bench.withheld.frame, columns)
    table = Table(frame, tuple(columns), bench.withheld.source)
    values = bench.score(folder, table)
    answers = Answers(np.arange(len(values)), values)
    return task.losses(answers, bench.withheld_truth, problem.metric).values


def _any_missing(features: Table) -> Any:
    return pl.any_horizontal(pl.all().is_null()).alias("holed")


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
