"""What a store knows about a model, as text: status, versions, comparison, columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from everfit.evidence.interval import Interval
from everfit.faces.words.figures import (
    decimals,
    ends,
    in_words,
    metric_name,
    number,
    plain,
    span,
)
from everfit.faces.words.grid import filled, grid
from everfit.faces.words.ledger import when
from everfit.house import Comparison, Status
from everfit.records import Version

_HASH, _MOMENT = re.compile("[0-9a-f]{64}"), re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")
EMPTY = (
    "No models yet. Start with your data: `everfit run data.csv --target NAME`, "
    "or see how it looks: `everfit demo`."
)
STATES = {
    "healthy": "● Healthy",
    "watch": "▲ Watch",
    "needs_you": "■ Needs you",
    "not_enough_data": "○ Not enough data",
    "paused": "‖ Paused",
}


def state_words(state: str) -> str:
    """A state as shape and word; a state that is not known here is shown as it is.

    Examples
    --------
    >>> state_words("healthy"), state_words("no_champion")
    ('● Healthy', 'no champion')
    """
    return STATES.get(state, state.replace("_", " "))


def status_text(rows: Sequence[Status]) -> str:
    """One line a model: its state, champion, score and what was decided last."""
    if not rows:
        return EMPTY
    lines = grid(
        ["model", "state", "champion", "score", "95% range", "runs"],
        [_status_cells(row) for row in rows],
        right=(5,),
        flexible=0,
        indent=0,
    )
    for row in rows:
        if row.last is not None:
            lines += ["", *filled("", f"{row.model}: {row.last.headline}", indent=0)]
            lines += filled("", f"{when(row.last.at)} · everfit why {row.model}", indent=2)
    return "\n".join(lines)


def _status_cells(row: Status) -> list[str]:
    champion = row.champion
    # paused, running: said before how it is, which everfit check tells
    state = row.health if row.state == "serving" and row.health else row.state
    if champion is None:
        return [row.model, state_words(state), "-", "-", "-", str(row.runs)]
    score, places = champion.score, decimals([champion.score])
    shown = f"{metric_name(champion.problem.metric)} {number(score.mid, places)}"
    return [
        row.model,
        state_words(state),
        champion.name,
        shown,
        span(score, places),
        str(row.runs),
    ]


def versions_text(versions: Iterable[Version]) -> str:
    """One line a version: role, score, when, from which run."""
    rows = [
        [
            v.name,
            v.state,
            f"{metric_name(v.problem.metric)} {number(v.score.mid, decimals([v.score]))}",
            span(v.score),
            f"{v.created_at.astimezone():%Y-%m-%d}",
            v.candidate,
        ]
        for v in versions
    ]
    head = ["", "role", "score", "95% range", "made", "what"]
    return "\n".join(grid(head, rows, flexible=5, indent=0)) if rows else "No versions yet."


def comparison_text(found: Comparison) -> str:
    """What differs between two versions, and the paired gain of the second on the first."""
    a, b = found.a, found.b
    if a.number == b.number:
        return f"{found.model}: {a.name} and {b.name} are the same version."
    lines = filled("", f"{found.model}: {a.name} ({a.state}) and {b.name} ({b.state})", indent=0)
    if found.gain is None:
        lines += filled("Gain", found.note or "cannot be compared on the same rows")
    else:
        who = f"{b.name} on {a.name}"
        lines += filled(
            "Gain", f"{who}: mean loss lower by {in_words(found.gain)}; {gain_words(found)}"
        )
        if found.note:
            lines += filled("", found.note)
    if not found.differs:
        return "\n".join([*lines, "Same data, same settings: no differences."])
    rows = [
        [key.replace("_at", "").replace("_", " "), _short(x), _short(y)]
        for key, (x, y) in found.differs.items()
    ]
    return "\n".join([*lines, "", *grid(["what", a.name, b.name], rows, flexible=2)])


def gain_words(found: Comparison) -> str:
    """Whether the gain is beyond noise, in words."""
    if found.gain is None:
        return "not known"
    if found.gain.low > 0:
        return f"{found.b.name} is better beyond noise"
    if found.gain.high < 0:
        return f"{found.b.name} is worse beyond noise"
    return "no difference beyond noise"


def _short(value: Any) -> str:
    if isinstance(value, Mapping) and value.get("mid") is not None:  # a range as plain values
        found = Interval(value["low"], value["mid"], value["high"])
        places = decimals([found])
        return f"{number(found.mid, places)} ({ends(found, places)})"
    if isinstance(value, str) and _HASH.fullmatch(value):
        return value[:12]
    if isinstance(value, str) and _MOMENT.match(value):
        return value[:16].replace("T", " ")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "-" if value is None else str(value)[:30]
    return plain(float(value))


def columns_text(columns: Sequence[Mapping[str, Any]]) -> str:
    """One line a column: what it is, the values it may have, what stands in for a missing one."""
    rows = [[str(c["name"]), str(c["kind"]), _values(c), _default(c)] for c in columns]
    return "\n".join(grid(["column", "kind", "values", "if absent"], rows, flexible=2, indent=0))


def _values(column: Mapping[str, Any]) -> str:
    low, high = column.get("low"), column.get("high")
    if isinstance(low, (int, float)) and isinstance(high, (int, float)):
        return f"{plain(float(low))} to {plain(float(high))}"
    levels = column.get("levels") or ()
    return ", ".join(map(str, levels)) if levels else "any"


def _default(column: Mapping[str, Any]) -> str:
    default, levels = column.get("default"), column.get("levels") or ()
    if isinstance(default, bool) and len(levels) == 2:
        return str(levels[default])  # the words of the data, (false, true)
    return "missing" if default is None else _short(default)
