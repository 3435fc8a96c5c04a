"""The champion's members as they are, with calibration and ranges learnt from recent outcomes."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from everfit.data.hashes import row_hashes
from everfit.data.sample import keep_sample
from everfit.data.table import Table
from everfit.deadline import Deadline
from everfit.errors import Refused, TooFewRows
from everfit.evidence.interval import Interval, mean_of
from everfit.evidence.paired import paired_gain
from everfit.evidence.promotion import loss_bound
from everfit.loop.fit.job import Begun, FitJob, Hands
from everfit.loop.fit.made import Found
from everfit.loop.gather import Gathered
from everfit.loop.gather.doubles import tells
from everfit.loop.lineage import Lineage, plan_of
from everfit.records import Answers, Array, Because, Candidate, Losses, Problem, Truth
from everfit.release.plan import Fitted as Member
from everfit.release.plan import write_json
from everfit.release.proof import Packing
from everfit.release.reference import keep_reference
from everfit.release.stage import SEEN, keep_seen, was_seen
from everfit.serve.load import open_plan
from everfit.serve.scorer import Scorer
from everfit.serve.verify import golden_rows
from everfit.study.choose import Judged
from everfit.study.finish import ranges
from everfit.tasks import TASKS, Task

LEAST_ROWS = 100  # a temperature and a bias from fewer are mostly luck
MOST_ROWS = 20_000  # the newest: more would not change the second digit of a temperature
FOLDS = 5
N_BOOT = 100


def recalibrated(
    job: FitJob, hands: Hands, begun: Begun, line: Lineage, rows: Gathered, deadline: Deadline
) -> Found:
    """The champion with a calibration that lowers the loss on rows that it was not fitted to.

    Its score is that of the new calibration, cross-fitted on the recent rows: it speaks of these,
    not of the rows that the members learnt from.

    Raises
    ------
    TooFewRows : fewer than 100 recent outcomes
    Refused : it reads history, its task has no calibration, or none lowers the loss
    """
    problem, task = line.version.problem, TASKS[line.version.problem.task]
    plan = plan_of(line.folder)
    if "history" in plan:
        raise _refused(line, "it reads history, which the log does not hold", "retrain it instead")
    table = _unseen(line, rows.table)
    table = table.take(np.arange(max(0, table.n_rows - MOST_ROWS), table.n_rows))
    truth = task.truth(table, problem)
    if len(truth.ids) < LEAST_ROWS:
        raise TooFewRows(
            f"too few recent outcomes to recalibrate {line.version.name}",
            got=f"{len(truth.ids)} of rows that its members have not seen",
            expected=f"at least {LEAST_ROWS}",
            do="wait for more outcomes",
        )
    raw = _uncalibrated(line, plan, begun.scratch / "raw")
    bare = raw.table(table)[truth.ids]
    recent = _Recent(table, replace(truth, ids=np.arange(len(truth.ids))), bare, problem, task)
    candidate, values, gates = recent.candidate(line, plan["calibration"], again=job.again)
    sample = keep_sample(begun.scratch, table, truth, values, seed=job.seed)
    candidate = replace(candidate, sample=str(sample))
    study = replace(
        line.study,
        problem=problem,
        candidate=candidate,
        stopped="nothing was fitted: the members are those of the version before",
        not_tried=(),
    )

    def beside(packing: Packing) -> None:
        keep_seen(packing.folder, packing.as_read)
        _add_seen(line.folder, packing.folder)
        keep_reference(packing.folder, candidate, problem, truth)

    return Found(
        study=study,
        assessment=line.assessment,
        task=task,
        training=table,
        as_read=table,
        members=_members(line, plan),
        golden=_golden(line, raw, candidate, task),
        gates=gates,
        beside=beside,
        rows=f"{len(truth.ids):,} outcomes that its members have not seen",
        left_s=deadline.left,
        not_done=("its members learnt nothing new",),
    )


@dataclass(frozen=True, slots=True)
class _Recent:
    """Recent rows with what turned out true and what the members say, before any calibration."""

    table: Table
    truth: Truth
    bare: Array  # (n, n_outputs)
    problem: Problem
    task: Task

    def candidate(
        self, line: Lineage, before: Mapping[str, float], *, again: bool
    ) -> tuple[Candidate, Array, tuple[Because, ...]]:
        """The candidate, its cross-fitted answers (n, n_outputs), and the gate that it passed.

        ``again`` asks for no gain: a calibration that stays when newer outcomes speak for none
        would be the stale one.

        Raises
        ------
        Refused : the calibration would not help
        """
        calibration = dict(self.task.recalibrate(Answers(self.truth.ids, self.bare), self.truth))
        if not again and (not calibration or calibration == dict(before)):
            raise _refused(
                line, "no calibration lowers its loss on recent outcomes", "retrain it instead"
            )
        values = self._crossed(calibration)
        ours = self._losses(values)
        theirs = self._losses(self.task.adjust(self.bare, before))
        gain = paired_gain(ours.values, theirs.values, weight=ours.weight)
        gate = Because(
            f"better calibrated than {line.version.name} on recent outcomes",
            None if again else gain.low > 0,
            gain.mid,
            gain.low,
            gain.high,
            gain.n,
            limit=0.0,
            unit="mean loss",
        )
        if not again and not gain.low > 0:
            raise _refused(
                line,
                f"a new calibration saves {gain.mid:.2g} of the mean loss "
                f"({gain.low:.2g} to {gain.high:.2g}), not clearly above 0",
                "more outcomes, or retrain it instead",
            )
        return self._proposed(line, calibration, values, ours, gain), values, (gate,)

    def _proposed(
        self,
        line: Lineage,
        calibration: Mapping[str, float],
        values: Array,
        losses: Losses,
        gain: Interval,
    ) -> Candidate:
        mid, n = mean_of(losses.values, losses.weight), len(losses.values)
        half = 1.96 * float(np.std(losses.values, ddof=1)) / float(np.sqrt(n))
        judged = Judged((), (), self.truth, 1, 1.0)
        before = line.study.candidate
        return replace(
            before,
            name=before.name,
            calibration=dict(calibration),
            score=self._score(values),
            loss=Interval(mid - half, mid, mid + half, n=n),
            selection_score=self._shown(values, np.arange(n)),
            gain_on_floor=before.gain_on_floor,
            gain_on_simple=before.gain_on_simple,
            speaks_of=(
                f"the members of {line.version.name} with a new calibration, cross-fitted on {n} "
                "recent outcomes; gains on the floor and the simple model are those of "
                f"{line.version.name}"
            ),
            loss_bound=loss_bound(losses.values),
            ranges=ranges(judged, values, self.problem.form),
        )

    def _crossed(self, whole: Mapping[str, float]) -> Array:
        """Calibrated answers to rows that the calibration of their fold was not fitted to.

        Folds are blocks of time, since neighbours are alike.
        """
        fold = np.arange(len(self.bare)) * FOLDS // max(1, len(self.bare))
        values = np.array(self.bare)
        for k in range(FOLDS):
            rest = np.flatnonzero(fold != k)
            some = self._part(rest)
            found = self.task.recalibrate(Answers(some.ids, self.bare[rest]), some)
            values[fold == k] = self.task.adjust(self.bare[fold == k], found)
        return values

    def _part(self, rows: Array) -> Truth:
        weight = None if self.truth.weight is None else self.truth.weight[rows]
        return Truth(np.arange(len(rows)), self.truth.values[rows], weight)

    def _losses(self, values: Array) -> Losses:
        answers = Answers(self.truth.ids, values)
        return self.task.losses(answers, self.truth, self.problem.metric)

    def _shown(self, values: Array, rows: Array) -> float:
        part = self._part(rows)
        return self.task.shown(self.problem.metric, values[rows], part.values, part.weight)

    def _score(self, values: Array) -> Interval:
        """The metric on these rows, its range by a bootstrap of rows."""
        n = len(values)
        rng = np.random.default_rng(0)
        mid = self._shown(values, np.arange(n))
        drawn = [self._shown(values, rng.integers(0, n, n)) for _ in range(N_BOOT)]
        half = 1.96 * float(np.nanstd(drawn, ddof=1))
        return Interval(mid - half, mid, mid + half, n=n)


def _refused(line: Lineage, why: str, do: str) -> Refused:
    return Refused(
        f"{line.version.name} cannot be recalibrated",
        got=why,
        expected="a calibration that lowers the loss on rows that it was not fitted to",
        do=do,
    )


def _unseen(line: Lineage, table: Table) -> Table:
    """The rows that the members have not learnt from, where their content tells rows apart."""
    seen, _ = was_seen(line.folder, table)
    if seen is None or not seen.any() or not tells(row_hashes(table)):
        return table
    return table.take(np.flatnonzero(~seen))


def _uncalibrated(line: Lineage, plan: Mapping[str, Any], folder: Path) -> Scorer:
    """The champion's members blended, without calibration and ranges."""
    folder.mkdir(parents=True, exist_ok=True)
    bare = {key: value for key, value in plan.items() if key != "ranges"}
    write_json(folder / "plan.json", bare | {"calibration": {}})
    for member in plan["members"]:
        shutil.copytree(
            line.folder / member["folder"], folder / member["folder"], dirs_exist_ok=True
        )
    return open_plan(folder, trusted=line.version.trusted)


def _members(line: Lineage, plan: Mapping[str, Any]) -> tuple[Member, ...]:
    return tuple(
        Member(float(one["weight"]), line.folder / one["folder"], one["part"], hypothesis)
        for one, (hypothesis, _) in zip(plan["members"], line.members, strict=True)
    )


def _golden(line: Lineage, raw: Scorer, candidate: Candidate, task: Task) -> list[dict[str, Any]]:
    """The champion's golden rows with what they are answered from now on."""
    inputs = [row["input"] for row in golden_rows(line.folder)]
    bare = np.array([list(a.probabilities or (a.value,)) for a in raw.rows(inputs)], dtype=float)
    final = task.adjust(bare, candidate.calibration)
    return [
        {"values": row, "answer": [float(value) for value in answer]}
        for row, answer in zip(inputs, final, strict=True)
    ]


def _add_seen(before: Path, folder: Path) -> None:
    """The rows that the members have seen are seen by the new version too, where they compare."""
    with np.load(before / SEEN) as old, np.load(folder / SEEN) as new:
        names, kinds, hashes = old["names"], old["kinds"], old["hashes"]
        if names.tolist() == new["names"].tolist():
            hashes = np.union1d(hashes, new["hashes"])
    np.savez_compressed(folder / SEEN, names=names, kinds=kinds, hashes=hashes)
