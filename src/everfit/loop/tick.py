"""One turn of a model that serves: what is due is read from the store, done, and written; again.

Nothing is remembered between two turns, and nothing between two steps but what was written. Each
step is known by what it is about, and is written once, in one transaction with its decision and the
aliases it moves: kill the process anywhere, start it again, and the same ledger comes out.

    pull -> asked -> matured -> trial -> procedure -> guard -> follow -> health -> action -> fit
    -> rehearsed
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from everfit.errors import EverfitError, Refused
from everfit.loop.turn.clocks import clock
from everfit.loop.turn.follow import follow
from everfit.loop.turn.hands import Hands
from everfit.loop.turn.known import remembering
from everfit.loop.turn.look import act, look
from everfit.loop.turn.moves import close_challenge, close_guard, close_procedure, stand_by
from everfit.loop.turn.rehearse import rehearse
from everfit.loop.turn.state import State, read_state
from everfit.loop.turn.windows import close_asked, close_matured, next_window
from everfit.store.contract import RunHandle

MOST_STEPS = 10_000  # of one turn: years of windows; the next turn goes on
AGAIN = "again"  # nothing was done: an alias was moved meanwhile, and what is due is looked up anew
MOST_AGAIN = {AGAIN: 5}  # times of one stage; a step that was written is never due again


@dataclass(frozen=True, slots=True)
class Ticked:
    """What one turn did: kinds of steps in order, with their keys, and the ledger rows written."""

    model: str
    steps: tuple[tuple[str, str], ...] = ()
    decisions: tuple[int, ...] = ()
    stopped: bool = False


Done = tuple[str, str, int]  # kind and key of a step, and its decision (0 for none)
Stage = Callable[[State, Hands, RunHandle], Done | None]


def tick(model: str, hands: Hands, hold: RunHandle) -> Ticked:
    """Do all that is due for ``model``, one step at a time, under a hold that others respect.

    Raises
    ------
    StoreBusy : another took over: what was written stays, what was not is theirs to do
    StoreFailed, Unreachable : the store did not answer; the next turn goes on where this one was
    EverfitError : a step is due again though it was done; what was written stays
    """
    from threadpoolctl import threadpool_limits

    # tables of a turn are small: a second thread waits longer than it works, and changes last bits
    with threadpool_limits(1, user_api="blas"):
        return _turn(model, hands, hold)


def _turn(model: str, hands: Hands, hold: RunHandle) -> Ticked:
    steps: list[tuple[str, str]] = []
    decisions: list[int] = []
    times: Counter[tuple[str, str]] = Counter()
    for line in hands.pull(model, hold):
        hands.tell(line)
    while len(steps) < MOST_STEPS:
        if hands.stopping():
            return Ticked(model, tuple(steps), tuple(decisions), stopped=True)
        state = read_state(model, hands)
        knowing = replace(hands, store=remembering(hands.store, model))
        done = None if state is None else _next(state, knowing, hold)
        if done is None:
            break
        kind, key, decision = done
        hands.tell(f"{model}: {kind} {key}")
        times[kind, key] += 1
        if times[kind, key] > MOST_AGAIN.get(kind, 1):
            raise _stuck(model, kind, key)
        steps.append((kind, key))
        if decision:
            decisions.append(decision)
    return Ticked(model, tuple(steps), tuple(decisions))


def _next(state: State, hands: Hands, hold: RunHandle) -> Done | None:
    """Do the first stage that has something due; None when nothing has."""
    for stage in STAGES:
        try:
            done = stage(state, hands, hold)
        except Refused as error:
            # somebody moved an alias meanwhile: what is due is worked out anew
            hands.tell(f"{state.model}: {error.what}; looking again")
            return (AGAIN, stage.__name__, 0)
        if done is not None:
            return done
    return None


def _stuck(model: str, kind: str, key: str) -> EverfitError:
    """The error that ends a turn which would do the same for ever."""
    again = kind == AGAIN
    return EverfitError(
        f"the turn of {model!r} does not come to an end",
        got=f"{key} was refused {MOST_AGAIN[AGAIN]} times" if again else f"{kind} {key}, twice",
        expected="a step that is done once",
        do="the next turn tries again; if it ends so too, tell the makers of Everfit",
    )


def _asked(state: State, hands: Hands, hold: RunHandle) -> Done | None:
    due = next_window(state, "asked", hands, wait_s=hands.grace_s)
    if due is None:
        return None
    step = close_asked(state, hands, *due)
    hands.store.note(hold, [step])
    return step.kind, step.key, 0


def _matured(state: State, hands: Hands, hold: RunHandle) -> Done | None:
    wait_s = hands.grace_s + state.upkeep.label_delay_s
    due = next_window(state, "matured", hands, wait_s=wait_s)
    if due is None:
        return None
    step = close_matured(state, hands, *due)
    hands.store.note(hold, [step])
    return step.kind, step.key, 0


STAGES: tuple[Stage, ...] = (
    clock,
    _asked,
    _matured,
    close_challenge,
    close_procedure,
    stand_by,
    close_guard,
    follow,
    look,
    act,
    rehearse,
)
