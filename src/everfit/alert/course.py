"""The course of an alert: firing -> updated -> resolved, from looks and from what was told.

Level-triggered: what is told next depends on the newest looks and on the messages in the store,
never on what a process remembers. The same input gives the same messages with the same keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from everfit.alert.message import Cause, Event, Message

WORSE = 1.25  # repeated only when it got worse by a quarter
ORDER = {"watch": 0, "needs_you": 1}
UNJUDGED = ("not_enough_data", "paused")  # states of a model in which a look judged nothing


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a model showed; one that could not judge ends no alert."""

    at: datetime
    causes: tuple[Cause, ...]
    judged: bool = True


@dataclass(frozen=True, slots=True)
class Patience:
    """Looks at which a cause must hold before it fires, and be gone before it is over."""

    hold: int = 1
    quiet: int = 3


def next_messages(
    model: str,
    looks: Sequence[Look],
    told: Sequence[Message],
    now: datetime,
    patience: Patience,
    *,
    muted: bool = False,
) -> tuple[Message, ...]:
    """What must be told now, at most one message for each cause.

    Parameters
    ----------
    looks : oldest first; at least the last ``max(patience.hold, patience.quiet)`` of them
    told : messages about the model so far, oldest first
    muted : whether a person asked for silence

    Examples
    --------
    >>> from datetime import UTC
    >>> day = datetime(2026, 11, 20, tzinfo=UTC)
    >>> low = Cause("floor", "needs_you", "AUC 0.71, floor 0.8", "", "", "nothing yet")
    >>> [m.key for m in next_messages("churn", [Look(day, (low,))], [], day, Patience())]
    ['floor#1.0']
    """
    if not looks:
        return ()
    last = _last(told)
    seen = {cause.name: cause for cause in looks[-1].causes}
    found = []
    for name in sorted({*seen, *last}):
        before = last.get(name)
        is_open = before is not None and before.event != "resolved"
        if name in seen:
            cause = seen[name]
            if before is None or not is_open:
                if _held(looks, name, patience.hold):
                    number = 1 if before is None else before.number + 1
                    found.append(Message(model, "firing", number, 0, now, cause, now, muted))
            elif _is_news(cause, before, _worst(told, before), muted=muted):
                found.append(_next(before, "updated", cause, now, muted=muted))
        elif before is not None and is_open and _gone(looks, name, before.at, patience.quiet):
            cause = _over(before.cause)
            # nobody hears of the end of what nobody heard of
            unheard = all(m.muted for m in told if m.alert == before.alert)
            found.append(_next(before, "resolved", cause, now, muted=muted or unheard))
    return tuple(found)


def still_open(told: Iterable[Message]) -> tuple[Message, ...]:
    """The newest message of each alert that is not over, oldest first."""
    last = _last(tuple(told))
    return tuple(sorted((m for m in last.values() if m.event != "resolved"), key=lambda m: m.at))


def _last(told: Sequence[Message]) -> Mapping[str, Message]:
    found: dict[str, Message] = {}
    for message in told:
        before = found.get(message.cause.name)
        if before is None or (message.number, message.part) > (before.number, before.part):
            found[message.cause.name] = message
    return found


def _next(before: Message, event: Event, cause: Cause, now: datetime, *, muted: bool) -> Message:
    part = before.part + 1
    return replace(before, event=event, part=part, at=now, cause=cause, muted=muted)


def _held(looks: Sequence[Look], name: str, hold: int) -> bool:
    recent = looks[-max(1, hold) :]
    return len(recent) >= hold and all(name in {c.name for c in look.causes} for look in recent)


def _gone(looks: Sequence[Look], name: str, since: datetime, quiet: int) -> bool:
    """Whether the last ``quiet`` looks that could judge were all without it, after ``since``."""
    recent = [look for look in looks if look.judged and look.at >= since][-max(1, quiet) :]
    return len(recent) >= quiet and all(
        name not in {c.name for c in look.causes} for look in recent
    )


def _worst(told: Sequence[Message], before: Message) -> Message:
    heard = [m for m in told if m.alert == before.alert and not m.muted]
    return max(heard or [before], key=lambda m: (ORDER[m.cause.state], m.cause.worse))


def _is_news(cause: Cause, before: Message, worst: Message, *, muted: bool) -> bool:
    if before.muted and not muted:
        return True  # the silence is over, and this is still so
    if ORDER[cause.state] != ORDER[worst.cause.state]:
        return ORDER[cause.state] > ORDER[worst.cause.state]
    return cause.worse > WORSE * worst.cause.worse > 0


def _over(cause: Cause) -> Cause:
    return replace(cause, doing="Everfit keeps watching.", you_need="nothing")
