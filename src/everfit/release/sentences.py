"""A decision in plain words, built from its fields alone: what ``everfit why`` tells.

In this order: what was done, what was measured against which limit, what else was checked, what was
not done, what would change it, how to undo it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC

from everfit.records import Because, Decision

MARKS = {True: "✓", False: "✗", None: "not measured"}
INDENT = "  "


def tell(decision: Decision) -> str:
    """``decision`` as lines of text; sentences are short and hold every number with its limit.

    Examples
    --------
    >>> gap = Because("gap", False, 0.004, -0.003, 0.011, n=9612, limit=0.005, limit_by="maria")
    >>> print("\\n".join(tell(Decision("churn", "kept", "Kept v7", (gap,))).splitlines()[1:]))
      Gap ✗: 0.004 (95% range -0.003 to 0.011) on 9,612 rows. The limit is 0.005 (maria).
    """
    lines = [_head(decision)]
    lines += [f"{INDENT}{rule(because)}" for because in decision.because]
    if decision.also_checked:
        short = " · ".join(_short(because) for because in decision.also_checked)
        lines.append(f"{INDENT}Also checked: {short}.")
    if decision.not_done:
        lines.append(f"{INDENT}Not done: {_joined(decision.not_done)}.")
    if decision.would_change:
        lines.append(f"{INDENT}This would change it: {decision.would_change}.")
    if decision.undo:
        lines.append(f"{INDENT}Undo: `{decision.undo}`")
    return "\n".join(lines)


def rule(because: Because) -> str:
    """One rule as sentences: what was measured, its range, how many rows, and the limit."""
    name = because.rule[:1].upper() + because.rule[1:]
    mark = "" if because.passed is None else f" {MARKS[because.passed]}"
    sentences = []
    if because.measured is not None:
        found = f"{number(because.measured)}{_unit(because)}"
        if because.low is not None and because.high is not None:
            found += f" (95% range {number(because.low)} to {number(because.high)})"
        sentences.append(found + (f" on {because.n:,} rows" if because.n else ""))
    elif because.n:
        sentences.append(f"{because.n:,} rows")
    if because.passed is None and because.measured is None:
        sentences.insert(0, "not measured")
    if because.limit is not None:
        unit = _unit(because) if because.measured is None else ""
        sentences.append(f"the limit is {number(because.limit)}{unit} ({because.limit_by})")
    if because.note:
        sentences += [part.strip() for part in because.note.split(";")]
    if not sentences:
        return f"{name}{mark}."
    first, *rest = sentences
    return f"{name}{mark}: " + ". ".join([first, *(r[:1].upper() + r[1:] for r in rest)]) + "."


def number(value: float) -> str:
    """A number for reading: 4 digits that count, thousands apart.

    Examples
    --------
    >>> number(0.0041234), number(48211.0), number(0.0), number(1e-9)
    ('0.004123', '48,211', '0', '1e-09')
    """
    if abs(value) < 1e15 and value == int(value):
        return f"{int(value):,}"
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e15 else f"{value:.4g}"


def _head(decision: Decision) -> str:
    who = "the system" if decision.by == "system" else decision.by
    at = decision.at.astimezone(UTC)
    facts = [f"{at:%d %b %Y %H:%M} UTC", f"by {who}, policy {decision.policy}"]
    if decision.run:
        facts.append(f"run {decision.run}")
    return " · ".join([decision.headline, *facts])


def _short(because: Because) -> str:
    measured = ""
    if because.measured is not None:
        measured = f" {number(because.measured)}{_unit(because)}"
        if because.limit is not None:
            measured += f", limit {number(because.limit)}"
    # a short note belongs to the check; a long one would hide the others
    note = f" ({because.note})" if because.note and len(because.note) <= 60 else ""
    mark = MARKS[because.passed]
    if because.passed is None and because.measured is not None:
        mark = "told"
    return f"{because.rule}{measured}{note} {mark}"


def _unit(because: Because) -> str:
    return f" {because.unit}" if because.unit else ""


def _joined(texts: Iterable[str]) -> str:
    return ". ".join(text[:1].upper() + text[1:] if i else text for i, text in enumerate(texts))
