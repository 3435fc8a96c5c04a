"""Looking at a model's health, deciding what to do, and having it done."""

from __future__ import annotations

from dataclasses import replace

from everfit.loop.fit.job import MADE
from everfit.loop.turn.acting import action_step, decided, job_of
from everfit.loop.turn.hands import Hands
from everfit.loop.turn.past import history_of
from everfit.loop.turn.state import State
from everfit.maintain import maintain
from everfit.plain import as_plain, from_plain
from everfit.records import Action, Alarm, Because, Decision, Health, Step, Window
from everfit.release.rollback import after_rollback, roll_back
from everfit.store.contract import RunHandle
from everfit.watch.reference import read_reference
from everfit.watch.stage import watch

Done = tuple[str, str, int]
PROVEN = ("degradation", "rollback")  # budgets whose alarms are about the loss


def look(state: State, hands: Hands, hold: RunHandle) -> Done | None:
    """Watch: one look at all windows, written once for each new window or champion."""
    if not state.asked:
        return None
    key = _key(state)
    done = hands.store.steps(state.model, "health", last=1)
    if done and done[-1].key == key:
        return None
    folder = hands.store.root / state.champion.folder
    health = watch(
        tuple(_of_line(window, state) for window in (*state.asked, *state.matured)),
        read_reference(folder, version=state.champion.number),
        state.upkeep,
        model=state.model,
        version=state.champion,
        now=state.now,
    )
    step = Step(state.model, "health", key, as_plain(health), state.now)
    fresh = _fresh(health, done[-1].record if done else {})
    if not fresh:
        hands.store.note(hold, [step])
        return step.kind, step.key, 0
    written = hands.store.commit(_alarm_row(state, health, fresh), run=hold, steps=[step])
    return step.kind, step.key, written.id


def act(state: State, hands: Hands, hold: RunHandle) -> Done | None:
    """Maintain: one action for each look at the health; then the fit that it asks for."""
    looks = hands.store.steps(state.model, "health", last=1)
    if not looks:
        return None
    key = looks[-1].key
    acted = hands.store.steps(state.model, "action", last=1)
    if acted and acted[-1].key == key:
        return _make(state, hands, hold, acted[-1])
    health = from_plain(Health, looks[-1].record)
    action = maintain(health, history_of(state, hands, health), state.upkeep)
    step = action_step(state, key, action)
    if action.act == "roll_back":
        return _roll_back(state, hands, hold, action, step)
    written = hands.store.commit(decided(state, action, health), run=hold, steps=[step])
    return step.kind, step.key, written.id


def _make(state: State, hands: Hands, hold: RunHandle, asked: Step) -> Done | None:
    """Make the version that the newest action asks for, once."""
    name = asked.record["act"]
    if name not in MADE or state.paused:
        return None
    if any(step.key == asked.key for step in hands.store.steps(state.model, "fit")):
        return None
    again = bool(asked.record["details"].get("again"))
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
    aliases: dict[str, int | None] = {}
    if decision.kind == "rolled_back":
        before = hands.store.served_before(state.model, to.number)
        aliases = after_rollback(to, before) | {"shadow": None, "fallback": None}
    written = hands.store.commit(decision, aliases=aliases, run=hold, seen=state.seen, steps=[step])
    return step.kind, step.key, written.id


def _of_line(window: Window, state: State) -> Window:
    """The window with versions of the champion's fit under the champion's number.

    Versions that differ by recalibration alone are one model to those who watch it.
    """
    champion = state.champion.number
    fit = state.root(champion).number
    if window.version == champion or state.root(window.version).number != fit:
        return window
    facts = dict(window.facts)
    if "versions" in facts:
        versions = dict(facts["versions"])
        if (own := versions.pop(str(window.version), None)) is not None:
            versions[str(champion)] = own
        facts["versions"] = versions
    if "champion" in facts:
        facts["champion"] = champion
    return replace(window, version=champion, facts=facts)


def _key(state: State) -> str:
    matured = state.matured[-1].end.isoformat() if state.matured else "none"
    return f"{state.asked[-1].end.isoformat()}/{matured}/{state.champion.name}"


def _fresh(health: Health, before: object) -> tuple[Alarm, ...]:
    """Alarms that were not there at the look before."""
    known = {
        (alarm["check"], alarm["about"])
        for alarm in (before.get("alarms", ()) if isinstance(before, dict) else ())
    }
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
