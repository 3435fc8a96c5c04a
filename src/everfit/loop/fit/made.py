"""From what a fit found to a packed version in the shadow, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from everfit.data.table import Table
from everfit.loop.fit.job import MADE, Begun, FitJob, Fitted, Hands
from everfit.plain import as_plain
from everfit.records import Assessment, Because, Decision, Study
from everfit.release.challenge import Challenge, above_floor, into_shadow
from everfit.release.handover import PAUSED, PAUSES, not_paused
from everfit.release.manifest import Label
from everfit.release.plan import Fitted as FittedMember
from everfit.release.proof import Packing, packed, proved
from everfit.store.contract import RunHandle
from everfit.tasks import Task

STEP = "fit"


@dataclass(frozen=True, slots=True)
class Found:
    """A candidate ready to be packed.

    ``beside`` writes what lies in the folder beside the plan: hashes of the rows that were seen,
    and the reference; ``rows`` says in words what it learnt from; ``gates`` those that need no
    packing.
    """

    study: Study
    assessment: Assessment
    task: Task
    training: Table
    as_read: Table
    members: Sequence[FittedMember]
    golden: Sequence[Mapping[str, Any]]
    gates: tuple[Because, ...]
    beside: Callable[[Packing], None]
    rows: str
    left_s: Callable[[], float]
    not_done: tuple[str, ...] = ()


def commit(job: FitJob, hands: Hands, begun: Begun, found: Found, key: str) -> Fitted:
    """Pack the version, put it through its gates, and write version, decision and alias at once."""
    store, handle = hands.store, begun.handle
    number = store.next_number(job.model)
    higher = found.task.better(found.study.problem.metric) == "higher"
    with store.packing(job.model, number) as folder:
        packing = Packing(
            folder=folder,
            label=Label(job.model, f"v{number}", handle.id, job.now, job.until),
            number=number,
            key=store.key(),
            as_read=found.as_read,
            left_s=found.left_s,
        )
        found.beside(packing)
        version = packed(
            found.study,
            found.assessment,
            found.training,
            members=found.members,
            golden_rows=found.golden,
            packing=packing,
        )
        hands.tell(f"loading {version.name} in a fresh process")
        gates = (
            *found.gates,
            *above_floor(found.study.candidate, job.upkeep, higher=higher),
            *proved(version, packing, job.policy),
            # last: a person may have paused the model while all this was made
            *not_paused(store.decisions(job.model, kinds=PAUSES, last=1)),
        )
    placed = replace(version, folder=str(store.folder(job.model, number)))
    before = store.aliases(job.model).get("shadow")
    decision = into_shadow(
        Challenge(
            model=job.model,
            made=MADE[job.act],
            version=placed,
            gates=gates,
            rows=found.rows,
            champion=f"v{job.champion}",
            at=job.now,
            data_sha256=found.training.source.sha256,
            before=f"v{before.number}" if before is not None and before.number else "",
            not_done=found.not_done,
            tried=job.shadow,
        )
    )
    refused = decision.kind == "refused"
    placed = replace(placed, state="refused") if refused else placed
    aliases = {"shadow": number} if job.shadow and not refused else {}
    result = {"assessment": as_plain(found.assessment), "study": as_plain(found.study)}
    # first, so that no version is ever without what its run found: the hold outlives the run
    store.finish_run(handle, "done", result=result)
    # what was refused for a pause alone is made again, when an action asks for it after the pause
    paused = [gate.rule for gate in gates if gate.passed is False] == [PAUSED]
    done = "" if paused else key
    step = job.step(None if refused else number, done, begun.aged, paused=paused)
    written = store.commit(
        decision, version=placed, aliases=aliases, run=handle, seen=handle.seen, steps=step
    )
    store.prune(job.model)
    return Fitted(written, placed, key)


def refusal(job: FitJob, hands: Hands, run: RunHandle, decision: Decision, key: str) -> Fitted:
    """Write why no version was made, with the step, so that it is not tried again at once."""
    return Fitted(hands.store.commit(decision, run=run, steps=job.step(None, key)), None, key)
