"""A message in the words of each kind of target: JSON, Slack's blocks, a mail."""

from __future__ import annotations

import html
import math
from datetime import datetime, timedelta
from typing import Any

from everfit.alert.message import Cause, Message
from everfit.plain import as_plain

SCHEMA_VERSION = 1
MARKS = {"needs_you": "■", "watch": "▲", "resolved": "●"}
WORDS = {"needs_you": "Needs you", "watch": "Watch", "resolved": "Resolved"}
SLACK_CHARS = 2_900  # of one block of text; Slack takes 3,000


def state_of(message: Message) -> str:
    """``needs_you``, ``watch`` or ``resolved``."""
    return "resolved" if message.event == "resolved" else message.cause.state


def identity(message: Message, source: str) -> str:
    """The id of a message: the same for every attempt to send it.

    Parameters
    ----------
    source : name of the store, so that two of them may tell one target
    """
    return f"{source}/{message.model}/{message.key}"


def group(message: Message, source: str) -> str:
    """What all messages of one alert have in common, from firing to resolved."""
    return f"{source}/{message.model}/{message.alert}"


def as_json(message: Message, source: str) -> dict[str, Any]:
    """What a webhook gets; see docs/alerts.md for each name."""
    cause = message.cause
    measured = None
    if cause.measured is not None:
        measured = {"value": cause.measured, "low": cause.low, "high": cause.high, "n": cause.n}
    found: dict[str, Any] = as_plain(
        {
            "schema_version": SCHEMA_VERSION,
            "event": message.event,
            "id": identity(message, source),
            "dedup_key": group(message, source),
            "model": message.model,
            "cause": cause.name,
            "state": state_of(message),
            "headline": headline(message),
            "measured": measured,
            "limit": cause.limit,
            "limit_by": cause.limit_by,
            "since": cause.since or message.fired_at,
            "at": message.at,
            "means": cause.means,
            "doing": cause.doing,
            "you_need": cause.you_need,
            "about": cause.about,
            "links": [],
            "see": see(message),
        }
    )
    return found


def as_slack(message: Message, source: str) -> dict[str, Any]:
    """What Slack, and what understands the same, gets: a text, and blocks with the rest."""
    cause, first = message.cause, first_line(message)
    facts = [f"*{name}* {_escaped(text)}" for name, text in facts_of(message)]
    blocks: list[dict[str, Any]] = [
        {"type": "section", "text": {"type": "mrkdwn", "text": _cut(f"*{_escaped(first)}*")}}
    ]
    if facts:
        body = {"type": "mrkdwn", "text": _cut("\n".join(facts))}
        blocks.append({"type": "section", "text": body})
    foot = _cut(f"{_escaped(see(message))} · {_escaped(group(message, source))}")
    blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": foot}]})
    text = f"{first} {cause.doing} You need to do: {cause.you_need}."
    return {"text": _cut(_escaped(text)), "blocks": blocks}


def as_mail(message: Message) -> tuple[str, str, str]:
    """Subject, plain text and HTML of a mail."""
    subject = f"[{WORDS[state_of(message)]}] {message.model}: {headline(message)}"
    facts = facts_of(message)
    width = max((len(name) for name, _ in facts), default=0) + 2
    plain = [first_line(message), ""]
    plain += [f"{name:<{width}}{text}" for name, text in facts]
    plain += ["", see(message)]
    rows = "".join(
        f"<tr><th align='left' valign='top'>{html.escape(name)}</th>"
        f"<td>{html.escape(text)}</td></tr>"
        for name, text in facts
    )
    shown = (
        f"<p><b>{html.escape(first_line(message))}</b></p>"
        f"<table cellpadding='4'>{rows}</table><p><code>{html.escape(see(message))}</code></p>"
    )
    return subject, "\n".join(plain) + "\n", f"<html><body>{shown}</body></html>"


def headline(message: Message) -> str:
    """What happened in one sentence, without the model's name."""
    text = message.cause.headline.rstrip(".")
    if message.event == "resolved":
        return f"over: {text}. Lasted {lasted(message.at - message.fired_at)}"
    return f"still so, or worse: {text}" if message.event == "updated" else text


def first_line(message: Message) -> str:
    """The mark of the state, the model, and what happened."""
    return f"{MARKS[state_of(message)]} {message.model}: {headline(message)}."


def facts_of(message: Message) -> list[tuple[str, str]]:
    """Name and text of everything else that is told, in the order of reading."""
    cause = message.cause
    told = [
        ("Measured", _measured(cause)),
        ("Limit", _limit(cause)),
        ("Since", _when(cause.since or message.fired_at)),
        ("Until", _when(message.at) if message.event == "resolved" else ""),
        ("About", ", ".join(cause.about[:10])),
        ("It means", cause.means),
        ("Everfit", cause.doing),
        ("You need to do", cause.you_need),
    ]
    return [(name, text) for name, text in told if text]


def see(message: Message) -> str:
    """The command that tells more."""
    number = f" {message.cause.decision}" if message.cause.decision else ""
    return f"everfit why {message.model}{number}"


def lasted(length: timedelta) -> str:
    """A length of time in words.

    Examples
    --------
    >>> lasted(timedelta(hours=6, minutes=35)), lasted(timedelta(days=2, hours=5))
    ('6 h 35 min', '2 d 5 h')
    """
    minutes = max(0, round(length.total_seconds() / 60))
    days, hours, rest = minutes // 1440, minutes % 1440 // 60, minutes % 60
    parts = [(days, "d"), (hours, "h"), (rest if not days else 0, "min")]
    return " ".join(f"{n} {unit}" for n, unit in parts if n) or "less than a minute"


def number(value: float) -> str:
    """A number with four digits.

    Examples
    --------
    >>> number(0.80612), number(12.0), number(float("inf"))
    ('0.8061', '12', 'inf')
    """
    return f"{value:.4g}" if math.isfinite(value) else str(value)


def _measured(cause: Cause) -> str:
    if cause.measured is None:
        return ""
    text = number(cause.measured)
    if cause.low is not None and cause.high is not None:
        text += f" (95% range {number(cause.low)} to {number(cause.high)})"
    return text + (f", {cause.n:,} rows" if cause.n else "")


def _limit(cause: Cause) -> str:
    if cause.limit is None:
        return ""
    return number(cause.limit) + (f" ({cause.limit_by})" if cause.limit_by else "")


def _when(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str) -> str:
    return text if len(text) <= SLACK_CHARS else text[: SLACK_CHARS - 3] + "..."
