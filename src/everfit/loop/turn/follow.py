"""A line that has proved itself goes on: its newest recalibration serves without a new trial.

Recalibration is one change, tried once as a procedure: in its trial each window was answered with
the calibration that the outcomes before it gave. Each later one is the same procedure with more
outcomes. It is guarded all the while: the version that it recalibrates stays in the shadow, and the
same test with the roles exchanged goes back to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from everfit.loop.turn.hands import Hands
from everfit.loop.turn.state import Root, State
from everfit.loop.turn.trials import BASE, guard
from everfit.records import Because, Decision, Step, Version
from everfit.release.gates import passed
from everfit.release.trial import Tried, judge_trial
from everfit.store.contract import RunHandle

STEP = "follow"


def follow(state: State, hands: Hands, hold: RunHandle) -> tuple[str, str, int] | None:
    """Let the newest recalibration of the champion serve; None when there is none newer."""
    root = Root(state.root(state.champion.number).number, adaptive=True)
    if state.paused or not state.adaptive:
        return None
    line = [n for n, v in state.versions.items() if state.root(n) == root and v.state != "refused"]
    newest = state.versions[max(line)] if line else state.champion
    if newest.number <= state.champion.number or hands.store.steps(
        state.model, STEP, after=_before(newest)
    ):
        return None
    checks = (hands.holds(newest),)  # it was loaded and proved when it was packed, just now
    decision = _decision(state, newest, _proof(state, hands), _guarded(state, hands), checks)
    aliases: dict[str, int | None] = {}
    if decision.kind == "promoted":
        aliases = {
            "champion": newest.number,
            "previous": state.champion.number,
            BASE: root.number,
        }
    step = Step(state.model, STEP, _key(newest), {"became": decision.kind}, state.now)
    written = hands.store.commit(decision, aliases=aliases, run=hold, seen=state.seen, steps=[step])
    return step.kind, step.key, written.id


def procedure_row(case: Tried) -> Decision:
    """The ledger row of the trial of recalibration as a procedure: ``proven`` or ``kept``."""
    verdict = case.verdict
    proven = verdict is not None and verdict.kind in ("better", "not_worse")
    judged = judge_trial(case)
    if not proven:
        return replace(
            judged,
            headline=f"{case.old} serves as it is: recalibration would not have made it better",
        )
    return replace(
        judged,
        kind="proven",
        headline=f"Recalibration would have made {case.old} better: from now on it goes on with "
        "each window",
        not_done=(f"{case.old} serves until the first recalibration is packed",),
        would_change=f"outcomes on which {case.old} without it is clearly better",
        undo="",
    )


def _key(version: Version) -> str:
    return f"v{version.number:09d}"


def _before(version: Version) -> str:
    return f"v{version.number - 1:09d}"


def _proof(state: State, hands: Hands) -> Because:
    """What the trial of the procedure measured when it was proven."""
    for step in reversed(hands.store.steps(state.model, "procedure")):
        record: dict[str, Any] = dict(step.record)
        if record.get("closed") == "proven":
            return Because(
                "recalibration was better in its trial",
                True,
                record.get("gain_share"),
                n=int(record["n"]),
                limit=0.0,
                unit="share of the loss",
                note=f"decision {step.decision}: log e {record['e']:.2f}, look {record['looks']}",
            )
    return Because("recalibration was better in its trial", False, note="no such trial")


def _guarded(state: State, hands: Hands) -> Because:
    """That the version the line stems from has not shown itself better since."""
    look = guard(state, hands, BASE)
    if look is None or look.verdict is None:
        return Because("the version before is not better", None, note="nothing to compare yet")
    verdict = look.verdict
    return Because(
        "the version before is not better",
        verdict.kind != "better",
        verdict.gain.mid,
        verdict.gain.low,
        verdict.gain.high,
        verdict.n,
        limit=0.0,
        limit_by=state.upkeep.set_by.get("error_budget", "default"),
        unit="share of the bound",
        note=f"{look.challenger.name} in the shadow",
    )


def _decision(
    state: State, newest: Version, proof: Because, guarded: Because, checks: Sequence[Because]
) -> Decision:
    because = (proof, guarded, *checks)
    good = passed(because) and proof.passed is True
    name, champion = newest.name, state.champion.name
    return Decision(
        model=state.model,
        kind="promoted" if good else "kept",
        headline=f"{name} follows {champion}: recalibrated on newer outcomes"
        if good
        else f"Kept {champion}: {name} was not let to follow it",
        because=because,
        not_done=() if good else (f"{name} does not serve",),
        would_change="the version before it being better on the same requests",
        version=name,
        undo=f"everfit rollback {state.model} --to {champion}" if good else "",
        at=state.now,
    )
