"""What windows of lists say: are they worth more than the popular list, and do they narrow?

A model that learns from what it showed shows more of the same: lists narrow, though every refit
looks fine on its own data. Each window is held against the windows before it, so that an alarm
needs no idea of how wide lists ought to be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from everfit.evidence.alarms.recursion import Calibration
from everfit.evidence.alarms.strange import LEAST, StrangeAlarm
from everfit.evidence.interval import Interval
from everfit.evidence.trial.differences import Differences
from everfit.evidence.trial.verdict import TrialVerdict, trial_verdict
from everfit.records import Array, Finding, Severity, Window
from everfit.watch.findings.words import day, percent, short

HORIZON = 365  # windows over which alarms keep their promise
MOST_LACKING = 0.1  # share of windows that may be too small to be compared
# of the columns watched: its check, whether a fall or a rise is strange, and how it is told
COLUMNS = ("effective", "head", "cold")


@dataclass(frozen=True, slots=True, eq=False)
class _Watched:
    """Values (n_windows, 3) of the columns, and at which window each rang (-1: never)."""

    windows: Sequence[Window]
    values: Array
    rang: Array
    log_e: Array
    limit: float


def list_findings(
    asked: Sequence[Window], matured: Sequence[Window], *, version: int, alpha: float = 0.01
) -> list[Finding]:
    """Findings about lists, from windows with ``facts["lists"]``; none without such windows.

    Alarms for narrowing watch all versions together, because a refit hands the loop on; hits are
    those of ``version``. ``alpha`` is the chance of any false alarm for narrowing over 365 windows,
    and of ever giving a false answer about hits, each.
    """
    shown = [window for window in asked if "lists" in window.facts]
    taken = [window for window in matured if "lists" in window.facts]
    taken = [window for window in taken if window.version == version]
    found = _hits(sorted(taken, key=lambda window: window.start), alpha)
    if shown:
        ordered = sorted(shown, key=lambda window: window.start)
        found += _broken(ordered[-1]) + _narrowing(ordered, alpha)
    return found


def _hits(taken: Sequence[Window], alpha: float) -> list[Finding]:
    """The newest hit rate, and the trial against the popular list over all windows."""
    judged = [window for window in taken if window.facts["lists"]["judged"]]
    if not judged:
        return []
    newest = judged[-1].facts["lists"]
    low, mid, high = newest["hits"]
    span = "" if low is None else f" ({percent(max(low, 0.0))} to {percent(min(high, 1.0))})"
    told = f"{percent(mid)}{span} of lists held what was taken next"
    shadows = [w.facts["lists"]["shadow"] for w in judged if "shadow" in w.facts["lists"]]
    blocks = [Differences.from_dict(one["differences"]) for one in shadows]
    if not any(block.n for block in blocks):
        return [
            Finding(
                "hits", "info", f"{told}; no popular list was kept beside them.",
                number=mid, unit="hit rate",
                evidence={"test": "mean over people", "n": newest["judged"]},
            )
        ]  # fmt: skip
    found = trial_verdict(blocks, level_promote=alpha / 2, level_futile=alpha / 2)
    return [_against(told, mid, newest["judged"], shadows, found)]


def _against(
    told: str, mid: float, n: int, shadows: Sequence[Mapping[str, Any]], found: TrialVerdict
) -> Finding:
    total = sum(one["judged"] for one in shadows)
    own, other = (
        sum(one[name] * one["judged"] for one in shadows if one["judged"]) / total
        for name in ("own", "popular")
    )
    severity: Severity = "fail" if found.kind == "worse" else "info"
    said = {
        "better": f"{percent(own)} against {percent(other)} of the popular list, better",
        "worse": f"{percent(own)} against {percent(other)} of the popular list, worse",
    }.get(
        found.kind,
        f"{percent(own)} against {percent(other)} of the popular list, not decided"
        + (f" ({found.needs:,} more people needed)" if found.needs else ""),
    )
    return Finding(
        "hits",
        severity,
        f"In the newest window {told}; where both were worked out {said}.",
        number=mid,
        unit="hit rate",
        done="serve the popular list, or refit" if severity == "fail" else "nothing",
        evidence={
            "test": "paired e-process over people",
            "log_e": round(found.log_e, 2),
            "limit": round(found.needed_log_e, 2),
            "gain": _range(found.gain),
            "n": n,
            "shadow": total,
        },
    )


def _range(gain: Interval) -> list[float]:
    return [round(gain.low, 6), round(gain.mid, 6), round(gain.high, 6)]


def _broken(newest: Window) -> list[Finding]:
    """Lists that are empty or repeat an item, in the newest window."""
    facts = newest.facts["lists"]
    empty, repeating, n = int(facts["facts"]["empty"]), facts["repeating"], facts["n"]
    kinds = (
        (empty, "empty lists", "were empty"),
        (repeating, "repeats", "held an item twice"),
    )
    return [
        Finding(
            check, "warn", f"{percent(count / n)} of lists {words} since {day(newest.start)}.",
            number=float(count), unit="lists", evidence={"test": "exact count", "n": n},
        )
        for count, check, words in kinds
        if count
    ]  # fmt: skip


def _narrowing(shown: Sequence[Window], alpha: float) -> list[Finding]:
    """Columns whose alarm rang and whose newest value is still beyond what was usual."""
    watched = _watched(shown, alpha)
    if watched is None:
        return []
    usual = watched.values[:LEAST]
    found = []
    for column, name in enumerate(COLUMNS):
        known = np.flatnonzero(~np.isnan(watched.values[:, column]))
        if watched.rang[column] < 0 or not len(known):
            continue
        now = float(watched.values[known[-1], column])
        before = float(np.nanmedian(usual[:, column]))
        edge = np.nanmin(usual[:, column]) if name == "effective" else np.nanmax(usual[:, column])
        still = now < edge if name == "effective" else now > edge
        if still:
            since = shown[int(watched.rang[column])].start
            found.append(_moved(name, before, now, since, watched, column))
    return found


def _moved(
    name: str, before: float, now: float, since: datetime, watched: _Watched, column: int
) -> Finding:
    headline, unit = {
        "effective": (
            f"Lists narrow since {day(since)}: as many different items as {short(now)} shown "
            f"equally often, {short(before)} before.",
            "items",
        ),
        "head": (
            f"The most popular 1% of items got {percent(now)} of places since {day(since)}, "
            f"{percent(before)} before.",
            "share of places",
        ),
        "cold": (
            f"{percent(now)} of lists were for people not known since {day(since)}, "
            f"{percent(before)} before.",
            "share of lists",
        ),
    }[name]
    check = {"effective": "narrowing", "head": "concentration", "cold": "cold"}[name]
    advice = (
        "refit, so that they are known"
        if name == "cold"
        else "explore more, or look at what is learnt from"
    )
    return Finding(
        check,
        "warn",
        headline,
        number=now,
        unit=unit,
        done=advice,
        evidence={
            "test": "conformal ranks of windows, Shiryaev-Roberts",
            "log_e": round(float(watched.log_e[column]), 2),
            "limit": round(watched.limit, 2),
            "windows": len(watched.windows),
            "before": before,
        },
    )


def _watched(shown: Sequence[Window], alpha: float) -> _Watched | None:
    """The columns over all windows, held against the first 20; None with no more than these."""
    if len(shown) <= LEAST:
        return None
    values = _values(shown)
    # a fall of the effective number is strange, a rise of the other two
    scores = values * np.array([-1.0, 1.0, 1.0])
    calibration = Calibration(looks=HORIZON, alpha=alpha / len(COLUMNS))
    alarm = StrangeAlarm(calibration, side="high")
    state = alarm.replay(alarm.start(scores[:LEAST]), scores[LEAST:])
    first = state.watched.first
    with np.errstate(divide="ignore"):
        log_e = np.log(state.watched.highest)
    return _Watched(
        shown,
        values,
        np.where(first > 0, first + LEAST - 1, -1),
        log_e,
        float(np.log(calibration.threshold)),
    )


def _values(shown: Sequence[Window]) -> Array:
    """Values (n_windows, 3), NaN where a window is too small for the size that most have."""
    # fixed by the first windows: a size that changed later would change what was said before
    size = _size(shown[:LEAST])
    rows = []
    for window in shown:
        facts = window.facts["lists"]
        part = facts["spread"].get(size, {})
        cold = facts["cold"] / facts["n"] if facts["n"] else None
        rows.append([part.get("effective"), part.get("head"), cold])
    return np.array(rows, dtype=np.float64)


def _size(first: Sequence[Window]) -> str:
    """The largest number of people that nine of ten of the first windows have; "" for none."""
    counts = Counter(str(size) for window in first for size in window.facts["lists"]["spread"])
    enough = [size for size, n in counts.items() if n >= (1 - MOST_LACKING) * len(first)]
    return max(enough, key=int, default="")
