"""Looking at a model's health, deciding what to do, and having it done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from everfit.loop.fit.job import MADE
from everfit.loop.turn.acting import RECENT_DECISIONS, action_step, decided, is_news, job_of
from everfit.loop.turn.hands import Hands
from everfit.loop.turn.lines import blind, of_line
from everfit.loop.turn.past import history_of
from everfit.loop.turn.state import State, paused_now
from everfit.loop.turn.trials import BASE, CHALLENGER, FALLBACK
from everfit.maintain import maintain
from everfit.plain import as_plain, from_plain
from everfit.records import Action, Alarm, Because, Decision, Finding, Health, Step, Window
from everfit.release.rollback import after_rollback, roll_back
from everfit.store.contract import RunHandle
from everfit.watch.reference import read_reference
from everfit.watch.stage import watch

Done = tuple[str, str, int]
EVALUABLE = "evaluable"
SHOWN = 60  # windows whose performance a look keeps
PROVEN = ("degradation", "rollback")  # budgets whose alarms are about the loss


def look(state: State, hands: Hands, hold: RunHandle) -> Done | None:
    """Watch: one look at all windows, written once for each new window or champion."""
    if not state.asked:
        return None
    key = _key(state)
    done = hands.store.steps(state.model, "health")
    if any(step.key == key for step in done):
        return None  # also when another served meanwhile, or the clock was set back
    held = hands.holds(state.champion)
    health = _seen(state, hands, held)
    step = Step(state.model, "health", key, as_plain(_short(health)), state.now)
    before = done[-1].record if done else {}
    quiet = max(1, state.upkeep.quiet_looks)
    fresh = _fresh(health, [one.record for one in done[-quiet:]])
    if held.passed is False and not _was_broken(before):
        row = _broken_row(state, held)
    elif fresh:
        row = _alarm_row(state, health, fresh)
    else:
        hands.store.note(hold, [step])
        return step.kind, step.key, 0
    written = hands.store.commit(row, run=hold, steps=[step])
    return step.kind, step.key, written.id


def _seen(state: State, hands: Hands, held: Because) -> Health:
    """The health of the champion; of one whose files are not as packed, what traffic alone says."""
    reference = None
    if held.passed is not False:
        folder = hands.store.root / state.champion.folder
        reference = read_reference(folder, version=state.champion.number)
    health = watch(
        tuple(of_line(window, state) for window in (*state.asked, *_measured(state))),
        reference,
        state.upkeep,
        model=state.model,
        version=state.champion,
        now=state.now,
    )
    if held.passed is not False:
        return health
    finding = Finding(EVALUABLE, "fail", f"{_broken(state)}: {held.note or held.rule}")
    return replace(
        health,
        state="needs_you",
        headline=finding.headline,
        findings=(finding, *health.findings),
    )


def _was_broken(before: object) -> bool:
    """Whether the look before found the champion broken already."""
    findings = before.get("findings", ()) if isinstance(before, dict) else ()
    return any(finding["check"] == EVALUABLE for finding in findings)


def _broken(state: State) -> str:
    return f"{state.champion.name} can no longer be evaluated"


def _broken_row(state: State, held: Because) -> Decision:
    """The ledger row of a champion whose files are gone or changed."""
    return Decision(
        model=state.model,
        kind="not_evaluable",
        headline=f"{_broken(state)}: its files are not what was packed",
        because=(held,),
        not_done=("the champion was not moved", "its answers were not held against its files"),
        would_change=f"{state.champion.name} as it was packed, or another champion: "
        f"everfit rollback {state.model}",
        version=state.champion.name,
        at=state.now,
    )


def _measured(state: State) -> list[Window]:
    """Matured windows; of those set aside it counts what came, and nothing is measured on it."""
    return [w if w.start not in state.aside else blind(w) for w in state.matured]


def _short(health: Health) -> Health:
    """The look with its newest windows alone: the others stand in the windows' own steps."""
    return replace(health, measured=health.measured[-SHOWN:], estimated=health.estimated[-SHOWN:])


def act(state: State, hands: Hands, hold: RunHandle) -> Done | None:
    """Maintain: one action for each look at the health; then the fit that it asks for."""
    looks = hands.store.steps(state.model, "health", last=1)
    if not looks:
        return None
    key = looks[-1].key
    if looks[-1].record["version"] != state.champion.name:
        return None  # another serves by now: what was seen is not about it
    acted = hands.store.steps(state.model, "action", last=1)
    if acted and acted[-1].key == key:
        return _make(state, hands, hold, acted[-1])
    health = from_plain(Health, looks[-1].record)
    action = maintain(health, history_of(state, hands, health), state.upkeep)
    step = action_step(state, key, action)
    if action.act == "roll_back":
        return _roll_back(state, hands, hold, action, step)
    decision = decided(state, action, health)
    rows = hands.store.decisions(state.model, last=RECENT_DECISIONS)
    # a recalibration that goes on has the row of its fit
    if action.details.get("again") or not is_news(decision, rows):
        hands.store.note(hold, [step])
        return step.kind, step.key, 0
    written = hands.store.commit(decision, run=hold, steps=[step])
    return step.kind, step.key, written.id


def _make(state: State, hands: Hands, hold: RunHandle, asked: Step) -> Done | None:
    """Make the version that the newest action asks for, once."""
    name = asked.record["act"]
    if name not in MADE or state.paused:
        return None
    if any(step.key == asked.key for step in hands.store.steps(state.model, "fit")):
        return None
    again = bool(asked.record["details"].get("again"))
    challenger = state.at(CHALLENGER)
    on_trial = challenger is not None and challenger.number != state.champion.number
    replaces = asked.record["details"].get("replaces", "")
    if not again and on_trial and challenger is not None and challenger.name != replaces:
        return None  # somebody put a version on trial meanwhile: it keeps its place
    decision = hands.fit(job_of(state, hands, name, asked.key, again=again), hold)
    return "fit", asked.key, decision.id


def _roll_back(
    state: State, hands: Hands, hold: RunHandle, action: Action, step: Step
) -> Done | None:
    """Go back at once: a floor broke, and a sound version stands by."""
    to = hands.store.version(state.model, str(action.details["to"]))
    decision = roll_back(
        champion=state.champion,
        to=to,
        checks=hands.checks(to),
        by="system",
        reason=action.headline,
    )
    if paused_now(state, hands):
        return None  # a person paused it while the version was verified: nothing moves
    aliases: dict[str, int | None] = {}
    if decision.kind == "rolled_back":
        before = hands.store.served_before(state.model, to.number)
        aliases = after_rollback(to, before) | {CHALLENGER: None, FALLBACK: None, BASE: None}
    written = hands.store.commit(decision, aliases=aliases, run=hold, seen=state.seen, steps=[step])
    return step.kind, step.key, written.id


def _key(state: State) -> str:
    matured = state.matured[-1].end.isoformat() if state.matured else "none"
    return f"{state.asked[-1].end.isoformat()}/{matured}/{state.champion.name}"


def _fresh(health: Health, before: Sequence[Mapping[str, Any]]) -> tuple[Alarm, ...]:
    """Alarms that none of the looks before had: what comes and goes is told of once."""
    known = {(alarm["check"], alarm["about"]) for look in before for alarm in look["alarms"]}
    return tuple(a for a in health.alarms if (a.check, a.about) not in known)


def _alarm_row(state: State, health: Health, fresh: tuple[Alarm, ...]) -> Decision:
    """The ledger row of alarms that crossed their limits at this look."""
    lost = any(alarm.budget in PROVEN for alarm in fresh)
    return Decision(
        model=state.model,
        kind="degraded" if lost else "drifted",
        headline=health.headline,
        because=tuple(
            Because(
                alarm.check,
                False,
                alarm.e,
                n=health.matured if alarm.budget in PROVEN else health.asked,
                limit=alarm.limit,
                limit_by=state.upkeep.set_by.get("error_budget", "default"),
                unit="log e",
                note=" ".join(filter(None, (alarm.about, f"after {alarm.looks} looks"))),
            )
            for alarm in fresh
        ),
        not_done=("the champion was not touched: an alarm alone changes nothing",),
        would_change="the action that follows from it",
        version=health.version,
        log_e=max(alarm.e for alarm in fresh),
        looks=max(alarm.looks for alarm in fresh),
        at=state.now,
    )
