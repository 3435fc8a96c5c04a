"""At the end of a turn: what people must be told now, written to the ledger and never sent here.

Reads the newest looks and decisions and the messages so far, all from the store; each new message
is a step and a decision in one transaction. Who dies in between tells the same under the same key.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Protocol

from everfit.alert.causes import PERSONAL, causes_of, decided
from everfit.alert.course import UNJUDGED, Look, Patience, next_messages, still_open
from everfit.alert.kinds import DECIDED, LEDGER, TRIAL
from everfit.alert.message import STEP, Message, message_of
from everfit.alert.payload import lasted
from everfit.errors import Refused
from everfit.plain import from_plain
from everfit.records import Because, Decision, Health, Step, Upkeep
from everfit.store.contract import RunHandle, Store

MUTED, UNMUTED = "muted", "unmuted"
MUTE_RULE = "alerts are not sent"
NEWEST = 50  # decisions of the ledger that are looked through


class Said(Protocol):
    """What is read here of a store, or of a house: the ledger, and what turns did."""

    def decisions(
        self, model: str, *, kinds: Collection[str] = (), last: int | None = None
    ) -> tuple[Decision, ...]:
        """See ``contract.Reading.decisions``."""
        ...

    def steps(
        self, model: str, kind: str | None = None, *, last: int | None = None
    ) -> tuple[Step, ...]:
        """See ``contract.Reading.steps``."""
        ...


def tell(
    store: Store, hold: RunHandle, model: str, upkeep: Upkeep, now: datetime
) -> tuple[Message, ...]:
    """Write down what people must be told about ``model`` now; gives the new messages.

    Raises
    ------
    StoreBusy : the hold was lost; nothing more is written
    """
    written = []
    for message in due(store, model, upkeep, now):
        try:
            store.commit(_decision(message, upkeep), run=hold, steps=(message.step(),))
        except Refused:
            continue  # it was told between our look and now
        written.append(message)
    return tuple(written)


def due(store: Said, model: str, upkeep: Upkeep, now: datetime) -> tuple[Message, ...]:
    """What ``tell`` would write, without writing it."""
    told = messages(store, model)
    muted = muted_until(store, model, now) is not None
    patience = Patience(upkeep.hold_looks, upkeep.quiet_looks)
    seen = [m for m in told if m.cause.name not in LEDGER]
    looks = []
    # a look holds a year of windows: most days the newest one says that there is nothing to tell
    if still_open(seen) or _says_something(store.steps(model, "health", last=1)):
        looks = _looks(store, model, upkeep, max(upkeep.hold_looks, upkeep.quiet_looks))
    found = next_messages(model, looks, seen, now, patience, muted=muted)
    ledger = [m for m in told if m.cause.name in LEDGER]
    now_look = Look(now, decided(_standing(store, model), now, upkeep))
    # what the ledger says holds at once, and has waited before it is over
    once = Patience(1, 1)
    return (*found, *next_messages(model, [now_look], ledger, now, once, muted=muted))


def messages(store: Said, model: str) -> tuple[Message, ...]:
    """Every message about a model, oldest first."""
    return tuple(message_of(step) for step in store.steps(model, STEP))


def muted_until(store: Said, model: str, now: datetime) -> datetime | None:
    """Until when a person wants silence about a model; None when it is not muted."""
    newest = next(iter(store.decisions(model, kinds=(MUTED, UNMUTED), last=1)), None)
    if newest is None or newest.kind == UNMUTED:
        return None
    seconds = next((b.limit for b in newest.because if b.rule == MUTE_RULE), None) or 0.0
    until = newest.at + timedelta(seconds=seconds)
    return until if now < until else None


def mute(model: str, seconds: float, *, by: str, reason: str, at: datetime) -> Decision:
    """The decision of a person not to be told about a model for a while."""
    until = at + timedelta(seconds=seconds)
    return Decision(
        model=model,
        kind=MUTED,
        headline=f"Muted alerts about {model} until {until:%Y-%m-%d %H:%M} UTC",
        because=(Because(MUTE_RULE, None, limit=seconds, limit_by=by, unit="s", note=reason),),
        not_done=("nothing is sent; what fires is written down all the same",),
        would_change="the end of that time: what still holds then is told",
        undo=f"everfit alerts unmute {model}",
        by=by,
        at=at,
    )


def unmute(model: str, *, by: str, reason: str, at: datetime) -> Decision:
    """The decision to be told about a model again."""
    note = (Because("asked by a person", None, note=reason),) if reason else ()
    return Decision(
        model=model,
        kind=UNMUTED,
        headline=f"Alerts about {model} are sent again",
        because=note,
        by=by,
        at=at,
    )


def _standing(store: Said, model: str) -> list[Decision]:
    """The newest decisions that may be told about, and those that may end them; newest first."""
    found = store.decisions(model, kinds=tuple(DECIDED), last=NEWEST)
    if not found:
        return []
    ends = {*PERSONAL, *(end for kind in DECIDED.values() for end in kind.ends)} - {*DECIDED}
    later = store.decisions(model, kinds=tuple(sorted(ends)), last=NEWEST)
    return sorted((*found, *later), key=lambda d: d.id, reverse=True)


def _looks(store: Said, model: str, upkeep: Upkeep, n: int) -> list[Look]:
    actions = {step.key: step for step in store.steps(model, "action", last=n)}
    return [
        _look(step, actions.get(step.key), upkeep) for step in store.steps(model, "health", last=n)
    ]


def _says_something(newest: tuple[Step, ...]) -> bool:
    return any(
        step.record["state"] == "needs_you"
        or any(finding["severity"] != "info" for finding in step.record["findings"])
        for step in newest
    )


def _look(step: Step, acted: Step | None, upkeep: Upkeep) -> Look:
    # a year of windows stands in the record, of which the last is told
    plain = dict(step.record) | {"measured": step.record["measured"][-1:], "estimated": ()}
    health = from_plain(Health, plain)
    act = None
    if acted is not None:
        waits = acted.record.get("details", {}).get("waits_for")
        act = TRIAL if waits else acted.record["act"]
    return Look(step.at, causes_of(health, upkeep, act), judged=health.state not in UNJUDGED)


def _decision(message: Message, upkeep: Upkeep) -> Decision:
    cause, over = message.cause, message.event == "resolved"
    rule = Because(
        cause.name,
        None if over else False,
        cause.measured,
        cause.low,
        cause.high,
        cause.n,
        cause.limit,
        cause.limit_by or "default",
        note=cause.means.rstrip("."),
    )
    told = cause.headline.rstrip(".")
    if over:
        told += f". Lasted {lasted(message.at - message.fired_at)}"
    silent = ("it was sent to nobody: alerts are muted",) if message.muted else ()
    return Decision(
        model=message.model,
        kind="alerted",
        headline=f"Alert {message.alert} {WORDS[message.event]}: {told}",
        because=(rule,),
        also_checked=() if over else (Because("a person needs to do", None, note=cause.you_need),),
        not_done=silent,
        would_change="" if over else f"{upkeep.quiet_looks:,} looks without it: then it is over",
        at=message.at,
    )


WORDS = {"firing": "fires", "updated": "changed", "resolved": "is over"}
