"""Going back is rehearsed: once a month the version before is proved to be ready to serve.

A rollback that was never tried is a hope. The rehearsal does all that a rollback does but the last
move: files, a load in a fresh process, golden rows.
"""

from __future__ import annotations

from everfit.loop.turn.hands import Hands
from everfit.loop.turn.state import State
from everfit.records import Decision, Step
from everfit.release.gates import passed
from everfit.store.contract import RunHandle

KIND = "rehearsed"


def rehearse(state: State, hands: Hands, hold: RunHandle) -> tuple[str, str, int] | None:
    """Prove once a month that there is a version to go back to; None when it was done."""
    before = state.at("fallback") or state.at("previous")
    if before is None or before.number == state.champion.number:
        return None
    key = f"{state.now:%Y-%m}"
    if any(step.key == key for step in hands.store.steps(state.model, KIND)):
        return None  # a clock that was set back rehearses nothing twice
    checks = tuple(hands.checks(before))
    ready = passed(checks) and any(check.passed for check in checks)
    decision = Decision(
        model=state.model,
        kind=KIND,
        headline=f"Rehearsed a rollback: {before.name} "
        + ("is ready to serve" if ready else "could not serve"),
        because=checks,
        not_done=("nothing was moved: it was a rehearsal",),
        would_change=f"{before.name} as it was packed" if not ready else "",
        version=before.name,
        at=state.now,
    )
    record = {"version": before.number, "ready": ready}
    step = Step(state.model, KIND, key, record, state.now)
    written = hands.store.commit(decision, run=hold, steps=[step])
    return step.kind, step.key, written.id
