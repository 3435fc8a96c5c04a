"""Findings about the measured loss: above what was certified, or a floor broken; and why."""

from __future__ import annotations

from collections.abc import Sequence

from everfit.records import Alarm, Finding, Performance
from everfit.watch.findings.words import day, listed, ranged, short


def loss_findings(
    alarms: Sequence[Alarm],
    measured: Sequence[Performance],
    *,
    bound: float | None,
    moved: Sequence[str],
    labels_moved: bool,
    guarded: Sequence[str] = (),
) -> list[Finding]:
    """One finding for each alarm that rang, and what kind of drift a higher loss is.

    Parameters
    ----------
    alarms : that rang, of degradation, on all rows (``about`` empty) or a segment, and of the floor
    bound : the loss that was certified, plus the tolerance
    moved : columns that are away now and that answers lean on
    guarded : segments for which the policy has a guardrail; others are no reason to call a person
    """
    found = [_above(alarm, measured, bound, guarded) for alarm in alarms]
    higher = [alarm for alarm in alarms if not alarm.about and alarm.check != "floor"]
    if higher:
        found.append(_kind(higher[0], moved, labels_moved=labels_moved))
    return found


def _above(
    alarm: Alarm, measured: Sequence[Performance], bound: float | None, guarded: Sequence[str]
) -> Finding:
    since = alarm.since
    assert since is not None
    recent = [one for one in measured if one.start >= since]
    last = recent[-1] if recent else None
    if alarm.check == "floor":
        score = "" if last is None or last.score is None else f": {ranged(last.score)}"
        headline = f"The metric is on the wrong side of the floor since {day(since)}{score}."
    else:
        where = f"In the segment {alarm.about} the" if alarm.about else "The"
        limit = "" if bound is None or alarm.about else f"; allowed is {short(bound)}"
        loss = "" if last is None or alarm.about else f": {ranged(last.loss)} in the newest window"
        headline = f"{where} loss is above what was certified since {day(since)}{loss}{limit}."
    return Finding(
        check=alarm.check,
        severity="warn" if alarm.about and alarm.about not in guarded else "fail",
        headline=headline,
        number=None if last is None else last.loss.mid,
        unit="mean loss",
        done="a version that is better is looked for; see the decisions",
        evidence={
            "test": "Shiryaev-Roberts over windows",
            "log_e": round(alarm.e, 2),
            "limit": round(alarm.limit, 2),
            "windows": alarm.looks,
            "n": sum(one.n for one in recent),
        },
    )


def _kind(alarm: Alarm, moved: Sequence[str], *, labels_moved: bool) -> Finding:
    """Concept drift: the loss moved and the inputs did not. Else: what moved with it."""
    evidence = {"test": "loss and inputs side by side", "windows": alarm.looks}
    if moved:
        return Finding(
            "data drift", "info", f"The loss rose, and {listed(moved)} moved too.",
            columns=tuple(moved), evidence=evidence,
        )  # fmt: skip
    if labels_moved:
        return Finding(
            "label drift", "info",
            "The loss rose, and outcomes come in other shares; no column moved.",
            evidence=evidence,
        )  # fmt: skip
    return Finding(
        "concept drift", "warn",
        "The loss rose and no column that matters moved: the same rows now have other outcomes. "
        "Older rows teach what no longer holds.",
        evidence=evidence,
    )  # fmt: skip
