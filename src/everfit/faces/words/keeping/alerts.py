"""Alerts as people read them: what is open first, then what was, and whether it arrived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from everfit.alert.course import still_open
from everfit.alert.message import Message
from everfit.alert.outbox import Standing
from everfit.alert.payload import MARKS, WORDS, lasted, state_of
from everfit.faces.words.figures import counted
from everfit.faces.words.grid import filled
from everfit.faces.words.ledger import when
from everfit.plain import as_plain

SHOWN = 5  # alerts that are over, unless all are asked for
INDENT = 12


def alerts_text(
    told: Mapping[str, Sequence[Message]],
    muted: Mapping[str, datetime],
    now: datetime,
    *,
    all_of_them: bool = False,
) -> str:
    """Open alerts with what they mean and what to do, then the last that are over."""
    opened = [message for found in told.values() for message in still_open(found)]
    over = [m for found in told.values() for m in found if m.event == "resolved"]
    over.sort(key=lambda message: message.at, reverse=True)
    lines = [
        f"Alerts about {model} are muted until {when(until)}." for model, until in muted.items()
    ]
    if not opened:
        last = f" Last alert: {_over(over[0])}." if over else ""
        lines.append(f"Nothing open.{last}")
    for message in sorted(opened, key=lambda m: (m.cause.state != "needs_you", m.fired_at)):
        lines += _open(message, now)
    shown = over if all_of_them else over[:SHOWN]
    if shown and (opened or len(over) > 1):
        lines += ["", "Over"]
        lines += [line for m in shown for line in filled("", _over(m), indent=2)]
        if len(over) > len(shown):
            lines.append(f"  and {len(over) - len(shown):,} more: --verbose shows all")
    return "\n".join(lines)


def shape_of(message: Message) -> dict[str, Any]:
    """One message as plain data."""
    return {**as_plain(message), "key": message.key, "alert": message.alert}


def target_line(one: Standing) -> str:
    """One target: what it took, what waits, and why."""
    name = one.channel.target.name + (f" ({one.channel.to})" if one.channel.to else "")
    line = f"{one.channel.target.kind} {name}: {counted(one.taken, 'message')} taken"
    if one.waiting:
        line += f", {one.waiting:,} waiting"
    if one.error:
        line += f"; {one.error}"
    if one.next_try_at is not None:
        line += f"; next try {when(one.next_try_at)}"
    return line


def _open(message: Message, now: datetime) -> list[str]:
    cause, state = message.cause, state_of(message)
    silent = " (muted)" if message.muted else ""
    lines = filled("", f"{MARKS[state]} {WORDS[state]} · {message.model}: {cause.headline}{silent}",
                   indent=0)  # fmt: skip
    since = f"{when(message.fired_at)}, for {lasted(now - message.fired_at)}; {message.alert}"
    for label, text in (
        ("Since", since),
        ("It means", cause.means),
        ("Everfit", cause.doing),
        ("You need", cause.you_need),
    ):
        lines += [f"  {line}" for line in filled(label, text, indent=INDENT, width=78)]
    return lines


def _over(message: Message) -> str:
    length = lasted(message.at - message.fired_at)
    return (
        f"{message.model}: {message.cause.headline}, {when(message.fired_at)}, over after {length}"
    )
