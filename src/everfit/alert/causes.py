"""What people should know about a model: from a look at its health, and from the ledger.

All findings and alarms of one kind are one cause, however many columns or segments they name: a
person gets one message about drift and not forty. Drift alone asks nothing of anybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from everfit.alert.kinds import DECIDED, DOING, KINDS, OTHER, TRIAL, WATCHES, Kind, name_of
from everfit.alert.message import Cause, Severity
from everfit.records import Alarm, Decision, Finding, Health, Upkeep

CALM = "nothing yet"
EVENT_S = 3_600.0  # a decision without an end is told about for at most so long a look
# what a person does when called
PERSONAL = ("promoted", "rolled_back", "paused", "resumed", "released", "canary", "shadow")
NAMES = 20  # of columns and segments that a message lists


def causes_of(health: Health, upkeep: Upkeep, act: str | None = None) -> tuple[Cause, ...]:
    """The causes that one look shows, those that need a person first.

    Parameters
    ----------
    act : what maintain made of this look, if it has come so far

    Examples
    --------
    >>> low = Finding("floor", "fail", "AUC 0.71, floor 0.8")
    >>> health = Health("churn", "v3", "needs_you", "AUC fell below the floor", findings=(low,))
    >>> [(cause.name, cause.state) for cause in causes_of(health, Upkeep())]
    [('floor', 'needs_you')]
    """
    grouped: dict[str, _Group] = {}
    for finding in health.findings:
        if finding.severity != "info":
            grouped.setdefault(name_of(finding.check), _Group()).findings.append(finding)
    for alarm in health.alarms:
        # an alarm says since when; whether it matters to anybody, a finding says
        name = name_of(alarm.check)
        if alarm.since is not None and name in grouped:
            grouped[name].alarms.append(alarm)
    found = [_cause(name, group, health, upkeep, act) for name, group in grouped.items()]
    if health.state == "needs_you" and not any(cause.state == "needs_you" for cause in found):
        found.append(_whole(health, act))
    return tuple(sorted(found, key=lambda cause: (cause.state != "needs_you", cause.name)))


def decided(decisions: Sequence[Decision], now: datetime, upkeep: Upkeep) -> tuple[Cause, ...]:
    """The causes that stand in the ledger now: what was decided, and not undone since.

    Parameters
    ----------
    decisions : newest first
    """
    quiet = timedelta(seconds=upkeep.quiet_looks * min(upkeep.window_s, EVENT_S))
    found = {}
    for decision in reversed(decisions):
        kind = DECIDED.get(decision.kind)
        if kind is None or (kind.by_system and decision.by != "system"):
            continue
        ended = _ended(decision, kind.ends, kind.by_person, decisions)
        until = decision.at if ended is None and not kind.stays else ended
        if until is None or now - until < quiet:
            found[kind.name] = Cause(
                name=kind.name,
                state=kind.state,
                headline=decision.headline,
                means=kind.means,
                doing=kind.doing or WATCHES,
                you_need=kind.person.replace("MODEL", decision.model),
                since=decision.at,
                decision=decision.id,
                about=(decision.version,) if decision.version else (),
            )
    return tuple(found.values())


@dataclass(slots=True)
class _Group:
    findings: list[Finding]
    alarms: list[Alarm]

    def __init__(self) -> None:
        self.findings, self.alarms = [], []


def _cause(name: str, group: _Group, health: Health, upkeep: Upkeep, act: str | None) -> Cause:
    kind = KINDS.get(name, OTHER)
    state = _state(kind, group, health)
    about = _about(group)
    worst = max(group.findings, key=lambda f: (f.severity == "fail", abs(f.number or 0.0)))
    measured = health.measured[-1] if health.measured and kind.measured else None
    interval = None
    limit, limit_by = None, ""
    if measured is not None and kind.measured == "score":
        interval, limit = measured.score, upkeep.floor
        limit_by = upkeep.set_by.get("floor", "default")
    elif measured is not None:
        interval, limit = measured.loss, health.bound
        limit_by = f"certified loss and tolerance ({upkeep.set_by.get('tolerance', 'default')})"
    return Cause(
        name=name,
        state=state,
        headline=_headline(worst, group),
        means=kind.means,
        doing=DOING.get(act, WATCHES),
        you_need=_you_need(kind, state, act).replace("MODEL", health.model),
        worse=_worse(group, None if interval is None else interval.mid, limit, kind),
        measured=interval.mid if interval else None,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        n=measured.n if measured else 0,
        limit=limit,
        limit_by=limit_by,
        since=min((alarm.since for alarm in group.alarms if alarm.since), default=None),
        about=about[:NAMES],
    )


def _state(kind: Kind, group: _Group, health: Health) -> Severity:
    # the state of the model is the last word: a single finding never makes it worse
    if kind.never_needs or health.state != "needs_you":
        return "watch"
    return "needs_you" if any(f.severity == "fail" for f in group.findings) else "watch"


def _about(group: _Group) -> tuple[str, ...]:
    columns = (column for finding in group.findings for column in finding.columns)
    alarmed = (alarm.about for alarm in group.alarms if alarm.about)
    return tuple(dict.fromkeys((*columns, *alarmed)))


def _headline(worst: Finding, group: _Group) -> str:
    more = len(group.findings) - 1
    return worst.headline.rstrip(".") + (f", and {more} more" if more else "")


def _worse(group: _Group, value: float | None, limit: float | None, kind: Kind) -> float:
    """How bad it is: how far the number is beyond its limit, else how many things it is about."""
    if value and limit and kind.measured == "loss":
        return value / limit
    if value and limit:
        return max(value / limit, limit / value)
    return float(max(len(_about(group)), len(group.findings), 1)) if kind.counts else 1.0


def _you_need(kind: Kind, state: Severity, act: str | None) -> str:
    if act == "ask_labels":
        return "tell the outcomes of the predictions that everfit asks for: everfit labels MODEL"
    if state != "needs_you":
        return CALM
    if act in (TRIAL, "recalibrate", "retrain", "search", "roll_back"):
        return CALM  # it repairs itself
    return kind.person


def _whole(health: Health, act: str | None) -> Cause:
    return Cause(
        name="health",
        state="needs_you",
        headline=health.headline,
        means=OTHER.means,
        doing=DOING.get(act, WATCHES),
        you_need=_you_need(OTHER, "needs_you", act).replace("MODEL", health.model),
    )


def _ended(
    decision: Decision, ends: tuple[str, ...], by_person: bool, decisions: Sequence[Decision]
) -> datetime | None:
    """When a later decision of the kinds that end it, or of a person, came first."""
    later = [
        other.at
        for other in decisions
        if other.id > decision.id
        and (other.kind in ends or (by_person and other.by != "system" and other.kind in PERSONAL))
    ]
    return min(later, default=None)
