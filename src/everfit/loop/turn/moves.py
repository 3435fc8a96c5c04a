"""What a trial decides: promote, keep, or go on; and going back when a promotion was a mistake.

The version that is to serve is verified first: files, a load in a fresh process, golden rows. The
decision, the aliases it moves and the step are one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from everfit.loop.turn.courses import Course
from everfit.loop.turn.follow import procedure_row
from everfit.loop.turn.hands import Hands
from everfit.loop.turn.state import State, paused_now
from everfit.loop.turn.trials import (
    BASE,
    CHALLENGER,
    FALLBACK,
    Look,
    challenge,
    changed,
    guard,
    lasting,
    procedure,
)
from everfit.records import Because, Decision, Step
from everfit.release.trial import Tried, judge_guard, judge_trial, wins
from everfit.store.contract import RunHandle

Done = tuple[str, str, int]


def close_challenge(state: State, hands: Hands, hold: RunHandle) -> Done | None:
    """Judge the challenger on the windows that came since; promote it, drop it, or go on."""
    if state.paused:
        return None
    if (course := changed(state, hands)) is not None:
        return _begin_anew(state, hands, hold, course)
    found = challenge(state, hands)
    if found is None or _was_seen(state, hands, "trial", found):
        return None
    verdict = found.verdict
    if not found.over and (verdict is None or not verdict.decided):
        return _note(state, hands, hold, "trial", found)
    won = verdict is not None and wins(verdict)
    checks = hands.checks(found.challenger) if won else ()
    decision = judge_trial(_tried(state, found, checks))
    aliases: dict[str, int | None] = {CHALLENGER: None}
    if decision.kind == "promoted":
        champion = state.champion.number
        aliases |= {
            "champion": found.challenger.number,
            "previous": champion,
            FALLBACK: champion,
            BASE: None,
        }
    return _commit(state, hands, hold, _Outcome("trial", found, decision, aliases))


def close_procedure(state: State, hands: Hands, hold: RunHandle) -> Done | None:
    """Judge whether recalibration, had it gone on, would have answered better than the champion."""
    if state.paused:
        return None
    found = procedure(state, hands)
    if found is None or _was_seen(state, hands, "procedure", found):
        return None
    verdict = found.verdict
    if verdict is None or not verdict.decided:
        closed = "kept" if found.over else ""
        return _note(state, hands, hold, "procedure", found, closed=closed)
    decision = procedure_row(_tried(state, found, ()))
    return _commit(state, hands, hold, _Outcome("procedure", found, decision, {}))


def close_guard(state: State, hands: Hands, hold: RunHandle) -> Done | None:
    """Judge versions that served before on the same windows; go back to one that is better."""
    for alias in () if state.paused else (FALLBACK, BASE):
        found = guard(state, hands, alias)
        if found is None or _was_seen(state, hands, "guard", found):
            continue
        kind = "undecided" if found.verdict is None else found.verdict.kind
        better = kind == "better" and not found.cannot
        if kind == "worse" and not found.over:
            return _note(state, hands, hold, "guard", found, closed="did_nothing")
        if not better and not found.over:
            return _note(state, hands, hold, "guard", found)
        checks = hands.checks(found.challenger) if better else ()
        decision = judge_guard(_tried(state, found, checks))
        aliases: dict[str, int | None] = {alias: None}
        ends = ""
        if decision.kind == "rolled_back":
            before = hands.store.served_before(state.model, found.challenger.number)
            aliases |= {"champion": found.challenger.number, "previous": before, BASE: None}
            ends = "recalibration" if alias == BASE else ""
        return _commit(state, hands, hold, _Outcome("guard", found, decision, aliases, ends))
    return None


def stand_by(state: State, hands: Hands, hold: RunHandle) -> Done | None:
    """Let the champion before stand by when it was not the loop that promoted; once a change.

    What a person promoted, or a run, may be a mistake too: it is guarded like the loop's own.
    """
    before = state.at("previous")
    if state.paused or before is None:
        return None
    promoted = hands.store.decisions(state.model, kinds=("promoted", "rolled_back"), last=1)
    if not promoted or promoted[0].kind != "promoted" or before.number == state.champion.number:
        return None
    made = promoted[0]
    if state.at(FALLBACK) is not None and state.aliases[FALLBACK].decision >= made.id:
        return None  # who stands there now, stands there since this promotion
    own = {s.decision for kind in ("trial", "follow") for s in hands.store.steps(state.model, kind)}
    key = f"{made.id:09d}"
    if made.id in own or any(s.key == key for s in hands.store.steps(state.model, "stand_by")):
        return None
    decision = Decision(
        model=state.model,
        kind="shadow",
        headline=f"{before.name} stands by in the shadow of {state.champion.name}, to be gone back "
        "to",
        because=(Because(f"promoted by {made.by}", None, note=f"decision {made.id}"),),
        not_done=("nobody else answers: it is watched beside the champion",),
        would_change=f"outcomes on which {before.name} is clearly better",
        version=before.name,
        undo=f"everfit rollback {state.model}",
        at=state.now,
    )
    step = Step(state.model, "stand_by", key, {"version": before.number}, state.now)
    aliases = {FALLBACK: before.number}
    written = hands.store.commit(decision, aliases=aliases, run=hold, seen=state.seen, steps=[step])
    return step.kind, step.key, written.id


@dataclass(frozen=True, slots=True)
class _Outcome:
    kind: str
    look: Look
    decision: Decision
    aliases: dict[str, int | None]
    ends: str = ""


def _commit(state: State, hands: Hands, hold: RunHandle, outcome: _Outcome) -> Done | None:
    look, verdict = outcome.look, outcome.look.verdict
    if paused_now(state, hands):
        return None  # a person paused it while the version was verified: nothing moves
    share = None
    if verdict is not None and look.loss > 0:
        share = verdict.gain.mid * look.unit / look.loss
    record = look.record() | {"closed": outcome.decision.kind, "gain_share": share}
    if outcome.ends:
        record["ends"] = outcome.ends
    step = Step(state.model, outcome.kind, look.key, record, state.now)
    written = hands.store.commit(
        outcome.decision, aliases=outcome.aliases, run=hold, seen=state.seen, steps=[step]
    )
    return step.kind, step.key, written.id


def _note(
    state: State, hands: Hands, hold: RunHandle, kind: str, look: Look, *, closed: str = ""
) -> Done:
    record = look.record() | ({"closed": closed} if closed else {})
    step = Step(state.model, kind, look.key, record, state.now)
    hands.store.note(hold, [step])
    return step.kind, step.key, 0


def _begin_anew(state: State, hands: Hands, hold: RunHandle, course: Course) -> Done:
    """Close a trial that was against another champion; the challenger stays in the shadow."""
    name, record = state.versions[course.who[0]].name, course.last
    against, why = f"v{record['champion']}", f"{state.champion.name} serves now"
    if course.who[1] == state.root(state.champion.number).number:
        why = f"recalibration {'goes on' if state.adaptive else 'ended'} meanwhile"
    decision = Decision(
        model=state.model,
        kind="inconclusive",
        headline=f"The trial of {name} against {against} begins anew: {why}",
        because=(
            Because(
                "the trial is about what it began with",
                False,
                n=int(record["n"]),
                note=f"log e {record['e']:.2f} after {record['looks']} looks",
            ),
        ),
        not_done=(
            f"what was seen beside {against} so far does not count",
            f"{name} does not serve",
        ),
        would_change=f"outcomes of predictions that {name} and {state.champion.name} both answered",
        version=name,
        at=state.now,
    )
    ended = dict(record) | {"closed": decision.kind, "anew": True}
    step = Step(state.model, "trial", f"{course.looks[-1].key}/ended", ended, state.now)
    written = hands.store.commit(decision, run=hold, steps=[step])
    return step.kind, step.key, written.id


def _was_seen(state: State, hands: Hands, kind: str, look: Look) -> bool:
    return any(step.key == look.key for step in hands.store.steps(state.model, kind))


def _tried(state: State, look: Look, checks: Sequence[Because]) -> Tried:
    return Tried(
        model=state.model,
        challenger=look.challenger,
        champion=state.champion,
        verdict=look.verdict,
        upkeep=lasting(state.upkeep),
        at=state.now,
        policy=state.policy,
        checks=tuple(checks),
        unit=look.unit,
        level=look.terms.level,
        number=look.terms.number,
        over=look.over,
        cannot=look.cannot,
    )
