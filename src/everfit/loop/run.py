"""The loop: the file to read first. It lists the stages in order, and it alone writes.

``run`` does one pass: read, assess, study, release. Each stage is a plain function of records; what
it found is written together with its decision, in one transaction, before the next stage starts.
Kill the process anywhere and give the same command again: finished fits are found by the hash of
their data, settings and fold, and the same ledger comes out.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from everfit.assess.account import account as assessed
from everfit.assess.account import summary
from everfit.data.split import group_codes, withhold
from everfit.data.table import Table
from everfit.deadline import Deadline
from everfit.errors import Interrupted
from everfit.executors import Executor
from everfit.lists.titles import lay_titles
from everfit.plain import as_plain
from everfit.pose import (
    Posed,
    Request,
    Tell,
    cleaned,
    examine,
    named,
    pose,
    shape_of,
    source_name,
    spec_of,
)
from everfit.records import (
    Array,
    Assessment,
    Cut,
    Decision,
    Problem,
    Progress,
    Study,
    Version,
)
from everfit.release import Label, Released, release
from everfit.release.past import Rows, known_before, lists_before
from everfit.release.proof import Packing
from everfit.release.stage import Bench, was_seen
from everfit.serve.load import open_version
from everfit.serve.scorer import Scorer
from everfit.shield import shield
from everfit.store.contract import RunHandle, Store
from everfit.study import Setting, own_hypotheses, study
from everfit.study.account import account as studied
from everfit.tasks.rows import among

if TYPE_CHECKING:
    from everfit.serve.lists.lists import Lists

WITHHELD_SHARE, WITHHELD_MAX, WITHHELD_FROM = 0.1, 2_500, 2_000  # rows kept for later judgement
WITHHELD_LEAST = 50  # with fewer rows not even very large differences could be told
FRESH_SHARE, FRESH_WANTED = 0.5, 500  # of few new rows, at most half go to the judgement

__all__ = ["Means", "Request", "RunResult", "Tell", "Turn", "assess_only", "named", "run"]

Step = Literal["read", "assess", "study", "release", "done"]


@dataclass(frozen=True, slots=True)
class RunResult:
    """What one pass of the loop gave."""

    model: str
    run: str
    assessment: Assessment
    study: Study
    decision: Decision
    version: Version | None
    champion: Version | None
    seconds: float
    store: str


@dataclass(frozen=True, slots=True)
class Means:
    """What a pass of the loop works with; ``wire`` chooses them."""

    open_store: Callable[[], Store]
    make_executor: Callable[[], Executor]
    threads: int
    tell: Tell
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))


def assess_only(
    request: Request, *, tell: Tell, open_store: Callable[[], Store] | None = None
) -> Assessment:
    """Read and assess; kept in the ledger of the model when a store is given."""
    posed = pose(request)
    assessment = examine(posed, request, deadline=None, tell=tell)
    if open_store is not None:
        store = open_store()
        handle = store.begin_run(named(request), spec_of(request, posed))
        sha256 = posed.table.source.sha256
        row = assessed(assessment, model=handle.model, run=handle.id, data_sha256=sha256)
        store.finish_run(handle, "done", [row], result={"assessment": as_plain(assessment)})
    return assessment


def run(request: Request, means: Means) -> RunResult:
    """One pass of the loop within ``request.budget_s``; the store is opened when data is usable.

    Raises
    ------
    EverfitError : see the tree in ``errors``. Before trials began, an error leaves the store as it
        was; after that, what was finished is kept.
    """
    deadline = Deadline(request.started, request.budget_s)
    executor = means.make_executor()  # its processes import their libraries while we read
    try:
        means.tell(Progress("read", f"reading {source_name(request.source)}", deadline.share()))
        posed = pose(request)
        means.tell(Progress("read", shape_of(posed), deadline.share()))
        assessment = examine(posed, request, deadline=deadline, tell=means.tell)
        means.tell(Progress("assess", summary(assessment), deadline.share()))
        posed, assessment = cleaned(posed, assessment, request)
        with TemporaryDirectory(prefix="everfit-") as place:
            # a mistake in one is found before a write
            own_hypotheses(request.learners, Path(place), posed.as_read)
        store = means.open_store()
        spec = spec_of(request, posed)
        handle = store.begin_run(named(request), spec)
        turn = Turn(request, posed, assessment, store, handle, deadline, means.tell, means.clock)
        try:
            return turn.through(executor, means.threads)
        except KeyboardInterrupt:
            store.finish_run(handle, "interrupted", [_ended(handle, "interrupted", "by a person")])
            raise Interrupted(
                f"the run of {handle.model!r} was stopped",
                got="Ctrl-C",
                do="give the same command again: finished trials are not repeated",
            ) from None
        except BaseException as error:
            store.finish_run(handle, "failed", [_ended(handle, "did_nothing", _first_line(error))])
            raise
    finally:
        executor.close()


@dataclass(frozen=True, slots=True)
class Turn:
    """One pass over data that was found usable: study, release, and every write between."""

    request: Request
    posed: Posed
    assessment: Assessment
    store: Store
    handle: RunHandle
    deadline: Deadline
    tell: Tell
    clock: Callable[[], datetime]

    def through(self, executor: Executor, threads: int) -> RunResult:
        """Study and release; each stage is written with its decision before the next begins."""
        about = {
            "model": self.handle.model,
            "run": self.handle.id,
            "data_sha256": self.posed.table.source.sha256,
        }
        self._write(assessed(self.assessment, **about))
        champion = self.store.champion(self.handle.model)
        kept, cannot = self._withheld(champion)
        scratch = self.store.root / "staging" / f"run-{self.handle.id}"
        try:
            found = self._study(np.flatnonzero(~kept), executor, threads, scratch)
            self._write(studied(found, **about))
            self._say("release", f"packing {found.candidate.name}")
            with shield():
                released, decision = self._release(found, kept, champion, cannot)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        result = {"assessment": as_plain(self.assessment), "study": as_plain(found)}
        self.store.finish_run(self.handle, "done", result=result)
        self.store.prune(self.handle.model)
        self._say("done", decision.headline)
        return RunResult(
            model=self.handle.model,
            run=self.handle.id,
            assessment=self.assessment,
            study=found,
            decision=decision,
            version=released.version,
            champion=self.store.champion(self.handle.model),
            seconds=self.deadline.spent(),
            store=str(self.store.root),
        )

    def _study(self, rows: Array, executor: Executor, threads: int, scratch: Path) -> Study:
        read = self.posed.as_read
        own, warnings = own_hypotheses(self.request.learners, scratch / "own", read)
        for warning in warnings:
            self._say("study", warning)
        setting = Setting(
            executor=executor,
            threads=threads,
            workspace=scratch / "workspace",
            fits=scratch / "fits",
            recall=self._recall,
            keep=self._keep,
            tell=lambda line, detail: self._say("study", line, detail),
        )
        return study(
            self.posed.table.take(rows),
            self.posed.problem,
            self.assessment,
            task=self.posed.task,
            deadline=self.deadline,
            setting=setting,
            seed=self.request.seed,
            own=own,
            as_read=read.take(rows),
            beside=self.posed.aside,
        )

    def _release(
        self, found: Study, kept: Array, champion: Version | None, cannot: str
    ) -> tuple[Released, Decision]:
        store, model = self.store, self.handle.model
        number, now = store.next_number(model), self.clock()
        rows, aside = np.flatnonzero(~kept), np.flatnonzero(kept)
        decisions = store.decisions(model)
        posed, task, problem = self.posed, self.posed.task, self.posed.problem
        cut = Cut("withheld", rows, aside)
        asked = task.asked(posed.table, problem, cut)
        truth = task.truth(posed.table, problem)
        rows_by_time = Rows(posed.as_read, truth, kept, self.assessment.split)
        groups = group_codes(posed.table, self.assessment.split)
        bench = Bench(
            policy=self.request.policy,
            score=lambda version, table: _answers(store, version, table, rows_by_time, problem),
            columns_of=lambda version: opened(store, version).columns,
            withheld=posed.as_read.take(asked),
            withheld_truth=among(task.turned_out(posed.table, problem, (cut,)), asked),
            groups=None if groups is None else groups[asked],
            segments=task.segments(posed.as_read, problem, (cut,), asked, least=1),
            champion=champion,
            looks=1 + sum(d.looks > 0 for d in decisions),
            promoted=sum(d.kind == "promoted" and d.by == "system" for d in decisions),
            cannot=cannot,
        )
        with store.packing(model, number) as folder:
            packing = Packing(
                folder=folder,
                label=Label(model, f"v{number}", self.handle.id, now),
                number=number,
                key=store.key(),
                as_read=self.posed.as_read.take(rows),
                left_s=self.deadline.left,
            )
            lay_titles(folder, self.posed.aside.get("items"))
            released = release(
                found,
                self.assessment,
                self.posed.table.take(rows),
                task=self.posed.task,
                packing=packing,
                bench=bench,
                tell=lambda line: self._say("release", line),
            )
        placed = replace(released.version, folder=str(store.folder(model, number)))
        decision = self._write(released.decision, version=placed, aliases=released.aliases)
        return replace(released, version=placed), decision

    def _withheld(self, champion: Version | None) -> tuple[Array, str]:
        """Rows, bool (n,), that this run must not learn from; and why none can judge, if so."""
        posed, none = self.posed, np.zeros(self.posed.table.n_rows, dtype=bool)
        if champion is None:
            large = posed.table.n_rows >= WITHHELD_FROM
            share = min(WITHHELD_SHARE, WITHHELD_MAX / posed.table.n_rows) if large else 0.0
            if self.assessment.split.kind in ("time", "last"):
                return none, ""  # the newest rows are the best to learn from; later rows will judge
            return self._aside(None, share), ""
        if cannot := _differs(champion.problem, posed.problem):
            return none, cannot
        seen, unknown = was_seen(self.store.root / champion.folder, posed.as_read)
        if seen is None:
            return none, f"{champion.name}: {unknown}"
        if seen.all():
            return none, f"{champion.name} has seen all {len(seen)} rows; bring new rows"
        new = Cut("fresh", np.flatnonzero(seen), np.flatnonzero(~seen))
        fresh = len(new.asked)
        # what judges are asks: a row each, or several rows of one user
        asks = len(posed.task.asked(posed.table, posed.problem, new))
        share = min(FRESH_SHARE, max(WITHHELD_SHARE, FRESH_WANTED / max(asks, 1)))
        aside = self._aside(seen, share)
        few = f"{champion.name} has not seen {fresh} rows; {WITHHELD_LEAST / share:.0f} are needed"
        return aside, "" if aside.any() else few

    def _aside(self, seen: Array | None, share: float) -> Array:
        least = WITHHELD_LEAST if seen is not None else 0
        policy, table = self.assessment.split, self.posed.as_read
        return withhold(table, policy, seen=seen, share=share, at_least=least)

    def _write(
        self,
        decision: Decision,
        version: Version | None = None,
        aliases: Mapping[str, int | None] | None = None,
    ) -> Decision:
        told = replace(decision, at=self.clock())
        return self.store.commit(told, version=version, aliases=aliases, run=self.handle)

    def _recall(self, key: str) -> Path | None:
        found = self.store.trial(key, self.handle)
        return None if found is None else found[1]

    def _keep(self, key: str, record: Mapping[str, Any], folder: Path) -> Path:
        self.store.save_trial(self.handle, key, record, folder)
        kept = self._recall(key)
        return folder if kept is None else kept

    def _say(self, step: Step, line: str, detail: Mapping[str, Any] | None = None) -> None:
        self.tell(Progress(step, line, self.deadline.share(), detail or {}))


def opened(store: Store, version: Version) -> Scorer | Lists:
    """A version that answers; its folder may be relative to the store."""
    return open_version(store.root / version.folder, trusted=version.trusted)


def _answers(store: Store, version: Version, table: Table, rows: Rows, problem: Problem) -> Array:
    """A version's answers to the rows that were kept aside, with what was known before them."""
    scorer = opened(store, version)
    if not isinstance(scorer, Scorer):
        seen, _ = was_seen(store.root / version.folder, rows.as_read)
        return lists_before(scorer, rows, problem, seen).table(table)
    if scorer.reads is None:
        return scorer.table(table)
    past = known_before(rows, scorer.reads, scorer.columns, scorer.form)
    return scorer.table(table, past=past)


def _ended(handle: RunHandle, kind: str, why: str) -> Decision:
    """The ledger row of a run that did not come to its end."""
    stopped = kind == "interrupted"
    return Decision(
        model=handle.model,
        kind=kind,
        headline=f"Run {handle.id} {'was stopped' if stopped else 'failed'}: {why}",
        not_done=("no version was made", "the champion was not touched"),
        would_change="the same command again: finished trials are not repeated",
        by="person" if stopped else "system",
        run=handle.id,
    )


def _first_line(error: BaseException) -> str:
    what = getattr(error, "what", "") or str(error).split("\n", maxsplit=1)[0]
    return f"{type(error).__name__}: {what}"[:200]


def _differs(old: Problem, new: Problem) -> str:
    """Why losses on two problems cannot be compared; empty when they can.

    A catalogue of items may change: answers are then brought together by the items' names.
    """
    labels = () if new.form == "lists" else ("labels",)
    for name in ("task", "target", "metric", *labels):
        before, now = getattr(old, name), getattr(new, name)
        if before != now:
            return f"the {name} changed from {before!r} to {now!r}"
    return ""
