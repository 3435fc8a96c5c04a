"""A clock that goes wrong: what it may not do is noticed, written down, and told.

Windows are closed by the clock, once. A clock that was set back closes nothing twice; but what is
asked until it is where it was before falls into windows that are closed, and cannot be judged.
"""

from __future__ import annotations

from everfit.loop.turn.hands import Hands
from everfit.loop.turn.state import State
from everfit.records import Because, Decision, Step
from everfit.store.contract import RunHandle

KIND = "clock"


def clock(state: State, hands: Hands, hold: RunHandle) -> tuple[str, str, int] | None:
    """Say once that the clock went back behind the newest closed window; None when it did not."""
    newest = max((window.end for window in state.reduced["asked"]), default=state.now)
    if state.now >= newest:
        return None
    key = newest.isoformat()
    if any(step.key == key for step in hands.store.steps(state.model, KIND)):
        return None
    behind = (newest - state.now).total_seconds()
    decision = Decision(
        model=state.model,
        kind="called",
        headline=f"The clock went back: it says {state.now:%d %b %Y %H:%M}, and windows up to "
        f"{newest:%d %b %Y %H:%M} are closed",
        because=(
            Because(
                "the clock is not behind the newest window",
                False,
                behind,
                limit=0.0,
                unit="s",
                note="nothing was closed twice",
            ),
        ),
        not_done=("what is asked in those windows now is answered and kept, and not judged",),
        would_change="a clock that is right again",
        version=state.champion.name,
        at=state.now,
    )
    step = Step(state.model, KIND, key, {"behind_s": behind}, state.now)
    written = hands.store.commit(decision, run=hold, steps=[step])
    return step.kind, step.key, written.id
