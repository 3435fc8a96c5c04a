"""The champion's own recipe on new rows, or a new search that starts from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from math import sqrt
from pathlib import Path
from typing import Any, cast

import numpy as np

from everfit.assess.check import Context
from everfit.assess.profile import profile
from everfit.assess.stage import floor_of
from everfit.data.table import Table
from everfit.deadline import Deadline
from everfit.errors import EverfitError, Refused, SourceMissing, TargetUnusable
from everfit.learners import make
from everfit.lists.titles import lay_titles
from everfit.loop.fit.job import Begun, FitJob, Hands
from everfit.loop.fit.made import Found
from everfit.loop.fit.stretch import newest
from everfit.loop.gather import Gathered
from everfit.loop.gather.source import place_of
from everfit.loop.lineage import Lineage
from everfit.pose import Posed, Request, beside_of, cleaned, examine
from everfit.records import Assessment, Hypothesis, Problem, SplitPolicy, Study
from everfit.release.plan import fitted_members
from everfit.release.proof import Packing, worth_it
from everfit.release.reference import keep_reference
from everfit.release.stage import golden, keep_seen
from everfit.study import Setting, study
from everfit.tasks import TASKS, Task, pick

STRETCH_SHARE = 0.15  # of the budget: to see how far back it is good to learn from


def retrained(
    job: FitJob, hands: Hands, begun: Begun, line: Lineage, rows: Gathered, deadline: Deadline
) -> Found:
    """The champion's hypotheses with their settings, fitted again; weights are learnt anew.

    Raises
    ------
    TargetUnusable : the new rows know one label only
    Refused : not one of the hypotheses could be fitted again
    """
    problem, task = line.version.problem, TASKS[line.version.problem.task]
    rows, older = newest(line, rows, seconds=STRETCH_SHARE * deadline.left(), seed=job.seed)
    beside = _beside(job, line, task, rows.table)
    if problem.form == "lists":  # its labels are a catalogue, which goes on
        target, metric = problem.target, problem.metric
        problem = task.problem(rows.table, target, metric=metric, beside=beside)
    table, notes = _known_labels(rows.table, problem, task)
    assessment = _again(line.assessment, table, problem, task, job.seed)
    posed = Posed(table, table, problem, task, "as the version before", beside)
    # what was left out then is not read again, so nothing is to be done about it
    acts = line.acts
    findings = [
        replace(f, acts=tuple(act for act in f.acts if act in acts)) for f in assessment.findings
    ]
    assessment = replace(assessment, findings=tuple(findings))
    posed, _ = cleaned(posed, assessment, _request(job, line))
    posed = replace(posed, problem=problem)
    assessment = replace(assessment, problem=problem)
    own, unmade = _makeable(line.hypotheses)
    work = _Work(job, hands, begun, deadline, again=True)
    found = work.study(posed, assessment, own)
    _fitted_again(found, own, line.version.name)
    return work.found(found, posed, assessment, rows, (*older, *notes, *unmade))


def searched(
    job: FitJob, hands: Hands, begun: Begun, line: Lineage, rows: Gathered, deadline: Deadline
) -> Found:
    """A full study on the new rows; the champion's hypotheses are the first after the floor.

    Raises
    ------
    DataError : the rows cannot be used
    """
    request = _request(job, line)
    rows, older = newest(line, rows, seconds=STRETCH_SHARE * deadline.left(), seed=job.seed)
    table = rows.table
    others = [column.name for column in table.columns if column.name != request.target]
    task, why = pick(table.drop(others), request.task)
    beside = _beside(job, line, task, table)
    problem = task.problem(table, request.target, metric=request.metric, beside=beside)
    posed = Posed(table, table, problem, task, why, beside)
    assessment = examine(posed, request, deadline=deadline, tell=lambda told: hands.tell(told.line))
    posed, assessment = cleaned(posed, assessment, request)
    own, unmade = _makeable(line.hypotheses)
    work = _Work(job, hands, begun, deadline, again=False)
    found = work.study(posed, assessment, own)
    return work.found(found, posed, assessment, rows, (*older, *unmade))


@dataclass(frozen=True, slots=True)
class _Work:
    """A study inside a run: where its fits are kept, and what comes of it."""

    job: FitJob
    hands: Hands
    begun: Begun
    deadline: Deadline
    again: bool

    def study(self, posed: Posed, assessment: Assessment, own: Sequence[Hypothesis]) -> Study:
        hands, scratch = self.hands, self.begun.scratch
        executor = hands.make_executor()
        try:
            setting = Setting(
                executor=executor,
                threads=hands.threads,
                workspace=scratch / "workspace",
                fits=scratch / "fits",
                recall=self._recall,
                keep=self._keep,
                tell=lambda line, detail: hands.tell(line),
            )
            return study(
                posed.table,
                posed.problem,
                assessment,
                task=posed.task,
                deadline=self.deadline,
                setting=setting,
                seed=self.job.seed,
                own=own,
                as_read=posed.as_read,
                again=self.again,
                beside=posed.aside,
            )
        finally:
            executor.close()

    def found(
        self,
        made: Study,
        posed: Posed,
        assessment: Assessment,
        rows: Gathered,
        not_done: Sequence[str],
    ) -> Found:
        candidate, task, table = made.candidate, posed.task, posed.table
        members = fitted_members(candidate)
        truth = task.truth(table, made.problem)

        def beside(packing: Packing) -> None:
            keep_seen(packing.folder, packing.as_read)
            keep_reference(packing.folder, candidate, made.problem, truth)
            lay_titles(packing.folder, posed.aside.get("items"))

        return Found(
            study=made,
            assessment=assessment,
            task=task,
            training=table,
            as_read=posed.as_read,
            members=members,
            golden=golden(table, members, candidate, task),
            gates=worth_it(candidate, floor_serves=task.floor_serves),
            beside=beside,
            rows=_told(rows, table.n_rows),
            left_s=self.deadline.left,
            not_done=(*not_done, *made.not_tried),
        )

    def _recall(self, key: str) -> Path | None:
        if self.again:  # a fit again is over before keeping it would pay
            return None
        found = self.hands.store.trial(key, self.begun.handle)
        return None if found is None else found[1]

    def _keep(self, key: str, record: Mapping[str, Any], folder: Path) -> Path:
        if self.again:
            return folder
        self.hands.store.save_trial(self.begun.handle, key, record, folder)
        kept = self._recall(key)
        return folder if kept is None else kept


def _request(job: FitJob, line: Lineage) -> Request:
    spec = {**line.spec, **job.spec}
    return Request(
        source=spec.get("source"),
        target=str(spec["target"]),
        name=job.model,
        task=cast("str | None", spec.get("task")),
        metric=cast("str | None", spec.get("metric")),
        budget_s=job.budget_s,
        seed=job.seed,
        policy=job.policy,
    )


def _beside(job: FitJob, line: Lineage, task: Task, table: Table) -> dict[str, Table]:
    """The tables that stood beside what the champion learnt from, where they can be read again."""
    spec = {**line.spec, **job.spec}
    places: dict[str, str] = {}
    for name, source in dict(cast("Mapping[str, Any]", spec.get("beside") or {})).items():
        with suppress(SourceMissing):  # it lay in memory; what users met is known without it
            places[name] = place_of({**spec, "source": source})
    return beside_of(places, task, table)


def _again(before: Assessment, table: Table, problem: Problem, task: Task, seed: int) -> Assessment:
    """The assessment of the version before, with the facts of the rows that there are now."""
    facts, truth = profile(table), task.truth(table, problem)
    context = Context(
        table, problem, facts, task, np.random.default_rng(seed), truth.ids, truth.values
    )
    split = before.split
    if split.column is not None and split.column not in table.frame.columns:
        split = SplitPolicy("random", why=f"the column {split.column!r} is not asked any more")
    # the spread of two models' losses is a trait of the data: with more rows less can be seen
    scale = sqrt(max(before.n_rows, 1) / max(table.n_rows, 1))
    return replace(
        before,
        problem=problem,
        n_rows=table.n_rows,
        profile=facts,
        floor=floor_of(context),
        smallest_gain=before.smallest_gain * scale,
        split=split,
    )


def _known_labels(table: Table, problem: Problem, task: Task) -> tuple[Table, tuple[str, ...]]:
    """The rows whose outcome the problem knows, and a note about the others.

    Raises
    ------
    TargetUnusable : they know fewer than two labels
    """
    truth = task.truth(table, problem)
    gone = table.n_rows - len(truth.ids)
    if problem.labels and len(np.unique(truth.values)) < 2:
        counts = table.frame[problem.target].value_counts(sort=True).rows()[:3]
        raise TargetUnusable(
            "all outcomes are the same" if len(counts) == 1 else "outcomes of one known label only",
            got=", ".join(f"{value!r}: {n:,} rows" for value, n in counts),
            expected=f"rows of at least two of {', '.join(problem.labels[:5])}",
            do="check how outcomes are sent",
        )
    if not gone:
        return table, ()
    unknown = np.setdiff1d(np.arange(table.n_rows), truth.ids)
    example = table.frame[problem.target][int(unknown[0])]
    note = (
        f"{gone:,} rows were left out whose {problem.target!r} is none of the labels of the "
        f"version before, such as {example!r}; a search would learn it"
    )
    return table.take(truth.ids), (note,)


def _makeable(hypotheses: Sequence[Hypothesis]) -> tuple[list[Hypothesis], tuple[str, ...]]:
    """The hypotheses whose learners can be made here, and why the others cannot."""
    found, unmade = [], []
    for hypothesis in hypotheses:
        try:
            make(hypothesis.learner, hypothesis.settings)
        except (EverfitError, OSError, ImportError, AttributeError) as error:
            unmade.append(
                f"{hypothesis.name} cannot be made again: {getattr(error, 'what', error)}"
            )
        else:
            found.append(hypothesis)
    return found, tuple(unmade)


def _fitted_again(found: Study, own: Sequence[Hypothesis], name: str) -> None:
    """See that what was fitted is the recipe, and not just the simple model beside it.

    A simple model that beats the recipe may serve; one that is alone because the recipe's fits
    broke off, or had no time, may not: each later fit would start from it.

    Raises
    ------
    Refused : none of the hypotheses could be judged
    """
    names = {hypothesis.name for hypothesis in own}
    mine = [t for t in found.trials if t.hypothesis.name in names]
    broken = ("failed", "timed_out")
    whole = (t.status not in broken and (t.loss is not None or t.status == "skipped") for t in mine)
    if names and any(whole):
        return
    reasons = "; ".join(t.reason for t in mine if t.reason)[:300]
    raise Refused(
        f"no hypothesis of {name} could be fitted again",
        got=reasons or "learners that cannot be made here",
        expected="at least one of its members",
        do="give a larger retrain_budget, or search anew",
    )


def _told(rows: Gathered, n: int) -> str:
    """How many rows, and how many of them are new, in words."""
    # when not all rows were taken, the newest were
    new = min(n, sum(count for name, count in rows.n.items() if name != "source"))
    return f"{n:,} rows ({new:,} from feeds and the log)" if new else f"{n:,} rows"
