"""Findings about columns and answers that moved away from the reference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from everfit.records import Alarm, Finding, Window
from everfit.watch.drift import WHOLE, Drift
from everfit.watch.findings.words import day, listed, percent, short
from everfit.watch.reference import Reference
from everfit.watch.usual import LEANS, Usual

NAMED = 3
NOT_HARM = "nothing: drift alone changes no answer; the loss is watched"
TEST = "Shiryaev-Roberts over windows, e-BH over columns"


def drift_alarms(found: Drift) -> tuple[Alarm, ...]:
    """The columns and answers that are away now, as alarms."""
    return tuple(
        Alarm(
            check="drift",
            about=name,
            budget="drift",
            e=float(found.log_e[j]),
            limit=float(found.limit[j]),
            looks=found.looks,
            since=found.since[j],
        )
        for j, name in enumerate(found.names)
        if found.moved[j]
    )


def drift_findings(found: Drift, reference: Reference, windows: Sequence[Window]) -> list[Finding]:
    """One finding for each column or answer that is away now, those that matter most first."""
    made = []
    for j, usual in enumerate(reference.watched):
        if not found.moved[j]:
            continue
        is_answer = j >= len(reference.columns)
        rank = abs(float(np.nan_to_num(found.away[j]))) * (1.0 if is_answer else usual.weight)
        made.append((rank, _finding(found, j, usual, reference, windows, is_answer=is_answer)))
    alone = found.moved[: len(reference.columns)].any()
    if found.names[-1] == WHOLE and found.moved[-1] and not alone:
        made.append((-1.0, _whole(found, windows)))
    return [finding for _, finding in sorted(made, key=lambda one: -one[0])]


def _whole(found: Drift, windows: Sequence[Window]) -> Finding:
    """Rows can be told from those of the training, though no column alone moved."""
    since = found.begun[-1]
    named = Counter(name for window in windows if since is None or window.start >= since
                    for name in window.facts.get("apart", {}).get("columns", ()))  # fmt: skip
    most = [name for name, _ in named.most_common(NAMED)]
    area = 0.5 + float(found.away[-1])
    when = "" if since is None else f" since {day(since)}"
    return Finding(
        check="data drift",
        severity="info",
        headline=f"Rows can be told from those of the training{when} (AUC {short(area)}), mostly "
        f"by {listed(most)} together, though no column moved alone.",
        columns=tuple(most),
        number=round(area, 4),
        unit="AUC",
        done=NOT_HARM,
        evidence=_evidence(found, -1) | {"test": f"two samples told apart; {TEST}"},
    )


def _evidence(found: Drift, j: int) -> dict[str, Any]:
    return {
        "test": TEST,
        "log_e": round(float(found.log_e[j]), 2),
        "limit": round(float(found.limit[j]), 2),
        "windows": found.looks,
        "n": found.n,
        "false_alarm_a_year": found.alpha,
    }


def _finding(
    found: Drift,
    j: int,
    usual: Usual,
    reference: Reference,
    windows: Sequence[Window],
    *,
    is_answer: bool,
) -> Finding:
    name = usual.statistics[int(found.statistic[j])]
    since = found.begun[j]
    when = "" if since is None else f" since {day(since)}"
    seen = [window for window in windows if since is None or window.start >= since]
    what = _what(usual, name, float(found.away[j]), _middle(seen, j), reference.made_of)
    meaning = "The answers moved." if is_answer else _meaning(usual)
    return Finding(
        check="prediction drift" if is_answer else "data drift",
        severity="warn" if is_answer or usual.weight >= LEANS else "info",
        headline=f"`{usual.name}` moved{when}: {what}. {meaning}",
        columns=() if is_answer else (usual.name,),
        number=round(float(found.away[j]), 4),
        unit="mean rank" if name in ("level", "spread") else "share of rows",
        done=NOT_HARM,
        evidence=_evidence(found, j) | {"weight": usual.weight},
    )


def _what(usual: Usual, name: str, away: float, middle: float | str | None, made_of: str) -> str:
    """What moved, in the unit of the column."""
    before = "at training" if made_of == "training" else "in the first window"
    if name == "missing":
        now = min(max(usual.missing + away, 0.0), 1.0)
        return f"{percent(now)} of values are missing, {percent(usual.missing)} {before}"
    if name == "new":
        return f"{percent(max(away, 0.0))} of values are levels that were not there {before}"
    if name.startswith("is "):
        level = name[3:]
        was = usual.shares[usual.levels.index(level)]
        now = min(max(was + away, 0.0), 1.0)
        return f"{short(level)} is {percent(now)} of values, {percent(was)} {before}"
    if name == "spread":
        return f"values lie {'further apart' if away > 0 else 'closer together'} than {before}"
    unit = " characters" if usual.column.kind == "text" else ""
    if usual.middle is None or not isinstance(middle, (int, float)):
        return f"values are {'higher' if away > 0 else 'lower'} than {before}"
    return f"the typical value is {short(middle)}{unit}, {short(usual.middle)} {before}"


def _meaning(usual: Usual) -> str:
    if usual.column.kind in ("text", "date"):
        return "What the answers make of it was not measured."
    if usual.weight >= LEANS:
        return "The answers lean on it."
    return "The answers hardly depend on it."


def _middle(windows: Sequence[Window], j: int) -> float | str | None:
    """The typical value over some windows: the median of their medians."""
    kept = [window.facts["middles"][j] for window in windows]
    numbers = [value for value in kept if isinstance(value, (int, float))]
    return float(np.median(numbers)) if numbers else None
