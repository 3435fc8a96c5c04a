"""What a turn does about an action: the row of the ledger, and the fit that it asks for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from everfit.loop.fit.job import FitAct, FitJob
from everfit.loop.turn.hands import Hands
from everfit.loop.turn.state import State, outcomes_in
from everfit.records import Action, Decision, Health, Step

RECENT_ROWS = 1_500  # outcomes that calibrate: on Elec2 1,000 to 2,000 were best
REPEATED = ("did_nothing", "called", "labels_wanted")
RECENT_DECISIONS = 10  # of the ledger, among which a row is looked for that says the same
REMIND_S = 30 * 86_400.0  # after which the same is said again
NUMBERS = re.compile(r"\d[\d,.]*(e[+-]?\d+)?%?")
KINDS = {
    "nothing": "did_nothing",
    "ask_labels": "labels_wanted",
    "call_person": "called",
    "set_aside": "set_aside",
    "roll_back": "did_nothing",  # the roll-back itself writes its own row
}


def decided(state: State, action: Action, health: Health) -> Decision:
    """The ledger row of an action: what was weighed, and what is or is not done."""
    return Decision(
        model=state.model,
        kind=KINDS.get(action.act, "decided"),
        headline=action.headline,
        because=action.because,
        also_checked=action.also_checked,
        not_done=action.not_done,
        would_change=action.would_change,
        version=health.version,
        looks=len(state.judged),
        at=state.now,
    )


def is_news(decision: Decision, newest_first: Sequence[Decision]) -> bool:
    """Whether a row says more than the ledger does: daily repetition hides what matters.

    It says no more when only its numbers differ from the last row that was not of a recalibration
    that goes on, and that is of the last 30 days. The numbers are in the step of the action.
    """
    last = next((row for row in newest_first if not _goes_on(row)), None)
    if last is None or decision.kind not in REPEATED or decision.kind != last.kind:
        return True
    told = _words(decision) == _words(last)
    return not told or (decision.at - last.at).total_seconds() >= REMIND_S


def _goes_on(row: Decision) -> bool:
    return row.kind == "recalibrated" or (row.kind == "promoted" and " follows " in row.headline)


def _words(decision: Decision) -> str:
    return NUMBERS.sub("#", decision.headline)


def action_step(state: State, key: str, action: Action) -> Step:
    """The step of an action; a fit is due while none was made for it."""
    record: dict[str, Any] = {
        "act": action.act,
        "headline": action.headline,
        "values": dict(action.values),
        "details": dict(action.details),
    }
    return Step(state.model, "action", key, record, state.now)


def job_of(state: State, hands: Hands, act: FitAct, about: str, *, again: bool) -> FitJob:
    """The fit that an action asks for: on everything known by the end of the last window.

    ``again`` says that a line of recalibrations goes on: the newest outcomes calibrate the version
    that the line stems from.
    """
    upkeep = state.upkeep
    until = state.judged[-1].end if state.judged else state.now
    return FitJob(
        model=state.model,
        act=act,
        until=until,
        now=state.now,
        champion=state.root(state.champion.number).number,
        budget_s=upkeep.search_budget_s if act == "search" else upkeep.retrain_budget_s,
        since=_recent(state) if act == "recalibrate" else None,
        files=hands.files_of(state.model),
        policy=state.policy,
        upkeep=upkeep,
        about=about,
        aside=_aside(state),
        again=again,
        # a line that has proved itself goes on without a trial, and takes nobody's place in it
        shadow=not again,
    )


def _aside(state: State) -> tuple[str, ...]:
    """Starts of windows, of the length that they have now, that cover all that was set aside."""
    length = timedelta(seconds=state.upkeep.window_s)
    found: set[str] = set()
    for window in state.reduced["matured"]:
        start = window.start
        while window.start in state.aside and start < window.end:
            found.add(start.isoformat())
            start += length
    return tuple(sorted(found))


def _recent(state: State) -> datetime | None:
    """The start of the windows that hold the newest outcomes which calibrate."""
    known = 0
    for window in reversed(state.judged):
        known += outcomes_in(window)
        if known >= RECENT_ROWS:
            return window.start
    return None
