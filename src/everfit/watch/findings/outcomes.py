"""Findings about what turned out: outcomes that do not come, come late, are all one, or moved."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from everfit.column import Column
from everfit.evidence.alarms.reference import mean_margin
from everfit.records import Finding, Severity, Window
from everfit.watch.drift import LEAST_MARGIN, Drift, Followed, replayed
from everfit.watch.findings.words import day, percent, short, windows
from everfit.watch.reference import Reference
from everfit.watch.usual import RARE, scores, usual_of

CHANCE = 1e-6
LEAST = 30  # predictions, below which no outcome is no surprise
STOPPED = 3  # windows in a row without an outcome, where there were some before
MANY_LATE = 0.2
MOST_LABELS = 20
OUTCOMES = "outcomes"


def outcome_findings(
    matured: Sequence[Window], reference: Reference | None, *, filler: str | None = None
) -> list[Finding]:
    """Findings about whether outcomes come, in time, and as what they should be.

    ``filler`` is the label that the policy gives to predictions without outcome.
    """
    known = [window for window in matured if window.n and "outcomes" in window.facts]
    if not known:
        return []
    # where silence means a label, only the shares of labels can say that something is wrong
    silent = _silent(known) if filler is None else []
    return [*silent, *_single(known, reference, filler), *_late(known), *_wrong(known)]


def _silent(known: Sequence[Window]) -> list[Finding]:
    told = [int(window.facts["outcomes"]["told"]) for window in known]
    asked = sum(window.n for window in known)
    if not any(told):
        if asked < LEAST:
            return []
        return [Finding(
            "outcomes", "warn",
            f"No outcome has come for {asked:,} predictions; performance can only be estimated.",
            number=float(asked), unit="predictions", done="estimated without outcomes",
            evidence={"test": "exact count", "n": asked},
        )]  # fmt: skip
    last = max(i for i, n in enumerate(told) if n)
    silent = known[last + 1 :]
    missed = sum(window.n for window in silent)
    if len(silent) < STOPPED or missed < LEAST:
        return []
    return [Finding(
        "outcomes", "fail",
        f"No outcome has come for predictions since {day(silent[0].start)} "
        f"({missed:,} of them, {windows(len(silent))}).",
        number=float(missed), unit="predictions", done="estimated without outcomes",
        evidence={"test": "exact count", "n": missed},
    )]  # fmt: skip


def _single(
    known: Sequence[Window], reference: Reference | None, filler: str | None
) -> list[Finding]:
    """All outcomes of the newest windows are one value, which chance does not explain."""
    value, n, first = "", 0, None
    for window in reversed(known):
        counts = _counts(window, filler)
        if not counts:
            if window.facts["outcomes"]["told"]:
                break  # numbers of many values are not counted
            continue
        if len(counts) > 1 or (value and value not in counts):
            break
        value, n, first = next(iter(counts)), n + sum(counts.values()), window
    if first is None or n < LEAST:
        return []
    usual = _share(value, reference)
    earlier = [window for window in known if len(_counts(window, filler)) > 1]
    if usual is None:
        usual = 0.5 if earlier else None
    if usual is not None and usual**n >= CHANCE:
        return []
    # where nothing is known of what is usual, somebody should look, but need not at once
    severity: Severity = "warn" if usual is None else "fail"
    was = "" if _share(value, reference) is None else f"; at training {percent(usual or 0.0)} were"
    return [Finding(
        "outcomes", severity,
        f"All {n:,} outcomes since {day(first.start)} are {short(value)}{was}. "
        "They are not believed before somebody has looked.",
        number=float(n), unit="outcomes", examples=(value,),
        done="the loss measured on them leads to no act",
        evidence={"test": "exact count", "n": n, "since": first.start.isoformat()},
    )]  # fmt: skip


def _late(known: Sequence[Window]) -> list[Finding]:
    recent = known[-7:]
    late = sum(int(window.facts["outcomes"]["late"]) for window in recent)
    told = sum(int(window.facts["outcomes"]["told"]) for window in recent)
    if late < LEAST or late < MANY_LATE * (late + told):
        return []
    return [Finding(
        "outcomes", "warn",
        f"{percent(late / (late + told))} of outcomes came after the time they have; "
        "they do not count. A longer label delay would let them.",
        number=float(late), unit="outcomes", done="not counted",
        evidence={"test": "exact count", "n": late + told},
    )]  # fmt: skip


def _wrong(known: Sequence[Window]) -> list[Finding]:
    newest = known[-1].facts["outcomes"]
    wrong, told = int(newest.get("wrong", 0)), int(newest["told"])
    if not wrong:
        return []
    examples = tuple(str(one) for one in newest.get("examples", ()))
    such = f", such as {short(examples[0])}" if examples else ""
    severity: Severity = "fail" if told and wrong >= told / 2 else "warn"
    return [Finding(
        "outcomes", severity,
        f"{wrong:,} of {told:,} outcomes are no value of the target{such}; they do not count.",
        number=float(wrong), unit="outcomes", examples=examples, done="not counted",
        evidence={"test": "exact count", "n": told},
    )]  # fmt: skip


def label_drift(
    matured: Sequence[Window],
    reference: Reference,
    *,
    window_s: float,
    alpha: float,
    filler: str | None = None,
) -> tuple[Drift | None, list[Finding]]:
    """Do outcomes come in other shares, or as other numbers, than at training? Tested as columns.

    None where there is nothing to hold them against: more than 20 labels, no shares, no truth.
    ``filler`` is the label that the policy gives to predictions without outcome.
    """
    if reference.labels:
        followed, known = _shares(matured, reference, filler)
    else:
        followed, known = _ranks(matured, reference)
    if followed is None:
        return None, []
    found = replayed(known, followed, window_s=window_s, alpha=alpha)
    if not found.moved[0]:
        return found, []
    at, since = int(found.statistic[0]), found.begun[0]
    when = "" if since is None else f" since {day(since)}"
    if reference.labels:
        was = reference.label_shares[at]
        now = float(np.clip(was + found.away[0], 0, 1))
        what = f"{short(reference.labels[at])} is {percent(now)} of them, {percent(was)}"
    else:
        seen = [w.facts["outcomes"]["q"] for w in known if since is None or w.start >= since]
        assert reference.truth is not None
        typical = float(np.median([np.median(q) for q in seen]))
        what = f"the typical one is {short(typical)}, {short(float(np.median(reference.truth)))}"
    return found, [Finding(
        "label drift", "warn", f"Outcomes moved{when}: {what} at training.",
        number=round(float(found.away[0]), 4),
        unit="share of rows" if reference.labels else "mean rank",
        done="nothing: drift alone changes no answer; the loss is watched",
        evidence={"test": "Shiryaev-Roberts over windows", "log_e": round(float(found.log_e[0]), 2),
                  "limit": round(float(found.limit[0]), 2), "windows": found.looks,
                  "n": sum(int(window.facts["outcomes"]["n"]) for window in known),
                  "false_alarm_a_year": found.alpha},
    )]  # fmt: skip


def _shares(
    matured: Sequence[Window], reference: Reference, filler: str | None
) -> tuple[Followed | None, list[Window]]:
    """How far the share of each label is from that at training, by window."""
    labels, shares = reference.labels, np.array(reference.label_shares)
    known = [window for window in matured if _counts(window, filler)]
    if len(labels) > MOST_LABELS or not len(shares) or not known:
        return None, []
    counts = np.array([[_count(w, label, filler) for label in labels] for w in known], dtype=float)
    total = counts.sum(axis=1, keepdims=True)
    variance = np.maximum(shares * (1 - shares), 1e-4)
    with np.errstate(invalid="ignore", divide="ignore"):
        away = counts / total - shares
        errors = np.sqrt(variance / total + (RARE / total) ** 2)
    errors[~np.isfinite(errors)] = np.nan
    q = len(labels)
    margins = np.maximum(2.576 * np.sqrt(variance / max(reference.n, 1)), LEAST_MARGIN)
    owner = np.zeros(q, dtype=np.int64)
    return Followed((OUTCOMES,), owner, np.full(q, 1 / q), margins, away, errors), known


def _ranks(matured: Sequence[Window], reference: Reference) -> tuple[Followed | None, list[Window]]:
    """How far the mean rank of numbers among those at training is from one half, by window."""
    known = [window for window in matured if window.facts.get("outcomes", {}).get("q")]
    if reference.truth is None or not known:
        return None, []
    usual = usual_of(pl.Series(OUTCOMES, reference.truth), Column(OUTCOMES, "number"))
    at = usual.statistics.index("level")
    away, errors = [], []
    for window in known:
        told = window.facts["outcomes"]
        ranks = scores(pl.Series(OUTCOMES, told["q"], dtype=pl.Float64), usual)[:, at]
        away.append([float(ranks.mean()) - usual.centres[at]])
        errors.append([usual.spreads[at] / np.sqrt(max(int(told["n"]), 1))])
    margin = max(mean_margin(max(int(usual.n / usual.inflations[at]), 1)), LEAST_MARGIN)
    one = np.ones(1)
    owner = np.zeros(1, dtype=np.int64)
    return Followed((OUTCOMES,), owner, one, one * margin, np.array(away), np.array(errors)), known


def _counts(window: Window, filler: str | None) -> dict[str, int]:
    """Outcomes by value, with those that the policy filled in."""
    told = window.facts.get("outcomes", {})
    counts = {name: int(n) for name, n in told.get("values", {}).items()}
    if filler is not None and told.get("filled"):
        counts[filler] = counts.get(filler, 0) + int(told["filled"])
    return counts


def _count(window: Window, label: str, filler: str | None) -> int:
    counts = _counts(window, filler)
    return int(counts.get(label, counts.get(f"{label}.0", 0)))


def _share(value: str, reference: Reference | None) -> float | None:
    if reference is not None and not reference.labels and reference.truth is not None:
        try:
            return float(np.mean(reference.truth == float(value)))
        except ValueError:
            return 0.0
    if reference is None or not reference.label_shares:
        return None
    bare = value.removesuffix(".0")
    for name in (value, bare):
        if name in reference.labels:
            return reference.label_shares[reference.labels.index(name)]
    return 0.0
