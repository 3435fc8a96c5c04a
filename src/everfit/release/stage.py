"""The release: pack the candidate, put it through its gates, judge it against the champion."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from everfit.data.conform import conform
from everfit.data.hashes import row_hashes
from everfit.data.table import Table
from everfit.errors import EverfitError
from everfit.events import Event, Past, to_plain
from everfit.learners import load
from everfit.learners.contract import answered
from everfit.learners.golden import as_inputs, golden_rows, kept_golden
from everfit.records import (
    Answers,
    Array,
    Assessment,
    Because,
    Candidate,
    Column,
    Cut,
    Decision,
    Losses,
    Policy,
    Problem,
    Study,
    Truth,
    Version,
)
from everfit.release.gates import (
    guards_segments,
    is_stage,
    passed,
    spares_segments,
    tells_segments,
)
from everfit.release.plan import Fitted, fitted_members
from everfit.release.promote import Case, judge, moves, release_first
from everfit.release.proof import Packing, packed, proved, worth_it
from everfit.release.reference import keep_reference
from everfit.tasks import Task

SEEN = "seen.npz"
MOST_PAST = 5  # events of a golden row whose history is made up

Score = Callable[[Version, Table], Array]  # a packed version's answers (n, n_outputs) to a table


@dataclass(frozen=True, slots=True)
class Bench:
    """What a version is released against: the champion, rows that neither saw, the rules."""

    policy: Policy
    score: Score
    columns_of: Callable[[Version], Sequence[Column]]  # what a packed version asks for
    withheld: Table  # the rows asked about, as they were read, before this run cleaned them
    withheld_truth: Truth
    groups: Array | None = None  # of the withheld rows, where rows of one group hang together
    segments: Mapping[str, Array] = field(default_factory=dict)  # bool over the withheld rows
    champion: Version | None = None
    looks: int = 1
    promoted: int = 0
    cannot: str = ""


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
    candidate = study.candidate
    members = fitted_members(candidate)
    keep_seen(packing.folder, packing.as_read)
    truth = task.truth(training, study.problem)
    keep_reference(packing.folder, candidate, study.problem, truth)
    rows = golden(training, members, candidate, task)
    version = packed(
        study, assessment, training, members=members, golden_rows=rows, packing=packing
    )
    tell("loading it in a fresh process")
    worth = worth_it(candidate, floor_serves=task.floor_serves)
    unit = unit_of(study.problem)
    gates = tuple(
        replace(gate, counts=unit) for gate in (*worth, *proved(version, packing, bench.policy))
    )
    case = _case(study, training, version, gates, bench)
    if bench.champion is None:
        weakest = tells_segments(candidate.segments, bench.policy)
        spared = spares_segments(candidate.harmed)
        gates = (*gates, *(replace(gate, counts=unit) for gate in (spared, weakest)))
        decision = release_first(replace(case, gates=gates))
        return _outcome(decision, version, None)
    decision = _against(bench, bench.champion, case, version, task)
    return _outcome(decision, version, bench.champion.number)


def _case(
    study: Study, training: Table, version: Version, gates: tuple[Because, ...], bench: Bench
) -> Case:
    return Case(
        model=version.model,
        version=version.name,
        candidate=_named(version, study),
        metric=study.problem.metric,
        score=version.score,
        gates=gates,
        policy=bench.policy,
        champion=bench.champion.name if bench.champion else "",
        data_sha256=training.source.sha256,
        run=version.run,
        not_done=study.not_tried,
        unit=unit_of(study.problem),
    )


def unit_of(problem: Problem) -> str:
    """What is judged one by one, as one of them is called."""
    return "list" if problem.form == "lists" else "row"


def _named(version: Version, study: Study) -> str:
    """What a decision calls the candidate: that it is only the floor must not be overlooked."""
    if is_stage(study.candidate, "floor"):
        return f"{version.candidate}; the floor, for nothing is clearly better"
    return version.candidate


def _outcome(decision: Decision, version: Version, champion: int | None) -> Released:
    if decision.kind == "refused":
        version = replace(version, state="refused")
    return Released(decision, version, moves(decision, champion, version.number))


def golden(
    training: Table, members: Sequence[Fitted], candidate: Candidate, task: Task
) -> list[dict[str, Any]]:
    """Rows with the answers that the learners themselves give, read back from their files."""
    kept = [kept_golden(member.folder) for member in members]
    found = [one for one in kept if one is not None]
    if len(found) == len(members) and all(one.rows == found[0].rows for one in found):
        rows, values = found[0].rows, [one.answers for one in found]
        pasts = [one.past for one in found if one.past is not None]
        # all read the same key: the longest past ends with what each of them had read
        past = [max(of_row, key=len) for of_row in zip(*pasts, strict=True)] if pasts else None
    else:
        everything = Cut("all", np.array([], int), np.arange(training.n_rows))
        asked = golden_rows(task.asks(training, everything))
        rows = as_inputs(asked)
        reading = any("history" in member.part for member in members)
        made = _any_past(rows) if reading else None
        values = [answered(load(m.folder, m.part), asked, made) for m in members]
        past = None if made is None else [to_plain(events) for events in made]
    ids = np.arange(len(rows))
    mixed = task.blend([Answers(ids, v) for v in values], [m.weight for m in members]).values
    final = task.adjust(mixed, candidate.calibration)
    told = [{} if past is None else {"history": past[i]} for i in range(len(rows))]
    return [
        {"values": row, "answer": [float(v) for v in answer], **more}
        for row, answer, more in zip(rows, final, told, strict=True)
    ]


def _any_past(rows: Sequence[Mapping[str, Any]]) -> Past:
    """A history for each row: any shows whether learners and plan read it alike."""
    whole = [Event(None, row, i % 2) for i, row in enumerate(rows)]
    return [whole[max(0, i - MOST_PAST) : i] for i in range(len(rows))]


def keep_seen(folder: Path, as_read: Table) -> None:
    """Write the hashes of the rows that a version was fitted to, and of which columns."""
    known = _telling(as_read)
    np.savez_compressed(
        folder / SEEN,
        names=np.array([column.name for column in known.columns]),
        kinds=np.array([column.kind for column in known.columns]),
        hashes=np.unique(row_hashes(known)),
    )


def was_seen(folder: Path, as_read: Table) -> tuple[Array | None, str]:
    """Which rows, bool (n,), a packed version was fitted to; or None, and why it cannot be told.

    It cannot be told when a column that the version knew its rows by is gone or was read as another
    kind: the same rows would then look new, and a model would be judged on what it learnt.
    """
    try:
        with np.load(folder / SEEN) as kept:
            kinds = dict(zip(kept["names"].tolist(), kept["kinds"].tolist(), strict=True))
            hashes = kept["hashes"]
    except (OSError, ValueError, KeyError) as error:
        return None, f"the rows that it has seen cannot be read: {error}"
    have = {column.name: column for column in as_read.columns}
    for name, kind in kinds.items():
        if name not in have:
            return None, f"the data lacks the column {name!r}, by which it knows its rows"
        if have[name].kind != kind:
            return None, f"the column {name!r} was read as {kind} then and is {have[name].kind} now"
    same = replace(
        as_read,
        frame=as_read.frame.select(list(kinds)),
        columns=tuple(have[name] for name in kinds),
    )
    seen: Array = np.isin(row_hashes(same), hashes)
    return seen, ""


def _telling(as_read: Table) -> Table:
    """The columns that a row is recognised by: a new export may number its rows anew.

    What was named as the key of something is no number of a row.
    """
    named = ("group", "target")
    kept = [
        c
        for c in as_read.columns
        if c.role in named or (c.role != "ignore" and c.kind != "identifier")
    ]
    names = [column.name for column in kept]
    return replace(as_read, frame=as_read.frame.select(names), columns=tuple(kept))


def _against(bench: Bench, champion: Version, case: Case, version: Version, task: Task) -> Decision:
    """The decision about a challenger, from the losses of both on the withheld rows."""
    if bench.cannot or not passed(case.gates):
        nothing = np.empty(0)
        return judge(case, nothing, nothing, looks=bench.looks, cannot=bench.cannot)
    ours = _losses(bench, version, task, version.problem)
    try:
        theirs = _losses(bench, champion, task, version.problem)
    except (EverfitError, OSError) as error:
        # whatever became of the champion's files, there is a verdict about the challenger
        nothing = np.empty(0)
        cannot = f"{champion.name} can no longer answer: {getattr(error, 'what', error)}"
        return judge(case, nothing, nothing, looks=bench.looks, cannot=cannot)
    known = {name: mask[ours.ids] for name, mask in bench.segments.items()}
    guard = guards_segments(ours.values, theirs.values, known, bench.policy, champion.name)
    case = replace(case, gates=(*case.gates, replace(guard, counts=case.unit)))
    return judge(
        case,
        _units(ours, bench.groups),
        _units(theirs, bench.groups),
        looks=bench.looks,
        promoted=bench.promoted,
        bound=champion.loss_bound,
    )


def _units(losses: Losses, groups_: Array | None) -> Array:
    """One loss per unit of evidence: a row, counted by its weight, or the mean of a group."""
    values, weight = losses.values, losses.weight
    if groups_ is not None:
        _, codes = np.unique(groups_[losses.ids], return_inverse=True)
        count = np.bincount(codes, weights=weight)
        whole = values if weight is None else values * weight
        found: Array = np.bincount(codes, weights=whole) / np.maximum(count, 1e-300)
        return found
    if weight is None or weight.sum() <= 0:
        return values
    return np.asarray(values * weight / weight.mean())


def _losses(bench: Bench, version: Version, task: Task, problem: Problem) -> Losses:
    columns = bench.columns_of(version)
    frame, _ = conform(bench.withheld.frame, columns)
    values = bench.score(version, Table(frame, tuple(columns), bench.withheld.source))
    values = task.aligned(values, version.problem, problem)
    answers = Answers(np.arange(len(values)), values)
    return task.losses(answers, bench.withheld_truth, version.problem.metric)
