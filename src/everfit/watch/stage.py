"""The stage: windows in, health out. Is the model still good, and what moved?

Everything is replayed from the windows: a turn that starts anew says what the last one said.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from everfit.records import Alarm, Finding, Health, Performance, State, Upkeep, Version, Window
from everfit.watch.drift import Drift, drift, in_force
from everfit.watch.estimate.backtest import estimated
from everfit.watch.estimate.findings import estimate_findings
from everfit.watch.findings.loss import loss_findings
from everfit.watch.findings.moved import drift_alarms, drift_findings
from everfit.watch.findings.outcomes import label_drift, outcome_findings
from everfit.watch.findings.sound import quiet_state, traffic_findings
from everfit.watch.findings.words import ranged
from everfit.watch.findings.words import windows as counted
from everfit.watch.lists import list_findings
from everfit.watch.measured import degradation, floor, measured
from everfit.watch.reference import Reference, from_record
from everfit.watch.regimes import regime
from everfit.watch.segments import segments, weakest
from everfit.watch.usual import LEANS

LABELS = 0.2  # of the share for drift: what outcomes get, columns and answers get the rest
LEAST = 30  # predictions, below which nothing is said
ORDER = {"fail": 0, "warn": 1, "info": 2}


def watch(
    windows: Sequence[Window],
    reference: Reference | None,
    upkeep: Upkeep,
    *,
    model: str,
    version: Version,
    now: datetime,
) -> Health:
    """Look at all windows up to ``now`` and say how the model is.

    Drift alone is never worse than ``watch``: a person is needed when the measured loss is above
    what was certified, a floor is broken, columns or outcomes are broken, or the version can no
    longer be asked.

    Parameters
    ----------
    windows : of the model, ``asked`` and ``matured``, in any order
    reference : of ``version``; None: that of its first window
    version : the champion
    """
    number = version.number
    ordered = sorted(windows, key=lambda window: (window.start, window.kind))
    matured = [window for window in ordered if window.kind == "matured"]
    mine = [w for w in ordered if w.kind == "asked" and w.version == number]
    given, reference = reference, reference or made_reference(mine)
    moved, labels, findings = _moved(mine, matured, reference, upkeep, version)
    if reference is not None:
        findings += traffic_findings(mine, reference, now=now, window_s=upkeep.window_s)
    filler = upkeep.missing_outcome
    findings += outcome_findings(_of(matured, version), reference, filler=filler)
    findings += list_findings([w for w in ordered if w.kind == "asked"], matured, version=number)
    losses = measured(matured, version=number)
    rung = _rung(matured, upkeep, number)
    bound = _bound(matured, version)
    findings += loss_findings(
        rung,
        losses,
        bound=bound,
        moved=_leant_on(moved, reference),
        labels_moved=labels is not None and bool(labels.moved.any()),
        guarded=tuple(upkeep.guardrails),
    )
    findings += estimate_findings(ordered, version=number)
    findings = sorted(_once(findings), key=lambda finding: ORDER[finding.severity])
    asked = sum(window.n for window in mine)
    state = _state(findings, asked)
    drifts = [found for found in (moved, labels) if found is not None]
    return Health(
        model=model,
        version=version.name,
        state=state,
        headline=_headline(state, findings, losses, moved, mine),
        until=max((window.end for window in ordered), default=None),
        measured=losses,
        estimated=estimated(ordered),
        findings=tuple(findings),
        alarms=(*rung, *(alarm for found in drifts for alarm in drift_alarms(found))),
        segments=weakest(matured, version=number),
        regime=regime(matured, version=number),
        bound=bound,
        asked=asked,
        matured=sum(one.n for one in losses),
        skipped=() if given is not None else (_without(reference),),
    )


def _rung(matured: Sequence[Window], upkeep: Upkeep, version: int) -> tuple[Alarm, ...]:
    """The alarms of measured losses that rang: all rows, the floor, segments."""
    stand = (
        degradation(matured, upkeep, version=version),
        floor(matured, upkeep, version=version),
        *segments(matured, upkeep, version=version),
    )
    return tuple(alarm for alarm in stand if alarm is not None and alarm.since is not None)


def _leant_on(moved: Drift | None, reference: Reference | None) -> list[str]:
    """The columns that are away now and that answers lean on: a loss may follow from these."""
    if moved is None or reference is None:
        return []
    columns = zip(reference.columns, moved.moved, strict=False)  # answers follow
    return [usual.name for usual, away in columns if away and usual.weight >= LEANS]


def made_reference(windows: Sequence[Window]) -> Reference | None:
    """The reference that the first window of a version became, where its folder has none."""
    for window in windows:
        if "reference" in window.facts:
            return from_record(window.facts["reference"])
    return None


def _without(reference: Reference | None) -> str:
    """What is not done where a version was packed without a reference."""
    if reference is None:
        return (
            "drift: the version was packed without a reference, and no window is large enough yet"
        )
    return (
        "drift from training, estimated performance: the version was packed without a reference; "
        "its first window stands in"
    )


def _moved(
    mine: Sequence[Window],
    matured: Sequence[Window],
    reference: Reference | None,
    upkeep: Upkeep,
    version: Version,
) -> tuple[Drift | None, Drift | None, list[Finding]]:
    """Drift of columns and answers, and of outcomes."""
    alpha = min(upkeep.error_budget * upkeep.shares.get("drift", 0.0), 0.5)
    if reference is None or alpha <= 0:
        return None, None, []
    current = in_force(mine, reference)
    found, findings = None, []
    if current:
        found = drift(current, reference, window_s=upkeep.window_s, alpha=alpha * (1 - LABELS))
        findings = drift_findings(found, reference, current)
    labels, told = label_drift(
        _of(matured, version),
        reference,
        window_s=upkeep.window_s,
        alpha=alpha * LABELS,
        filler=upkeep.missing_outcome,
    )
    return found, labels, findings + told


def _of(matured: Sequence[Window], version: Version) -> list[Window]:
    return [window for window in matured if window.version == version.number]


def _bound(matured: Sequence[Window], version: Version) -> float | None:
    """What the mean loss may not exceed: as the newest window had it."""
    for window in reversed(_of(matured, version)):
        kept = window.facts.get("maps", {}).get("")
        if kept is not None:
            return float(kept["limit"])
    return None


def _once(findings: Sequence[Finding]) -> list[Finding]:
    """Findings without drift of columns that are known to be broken: it says nothing more."""
    broken = {
        name for finding in findings if finding.severity == "fail" for name in finding.columns
    }
    return [
        finding
        for finding in findings
        if finding.check != "data drift"
        or finding.severity == "fail"
        or not finding.columns
        or not broken.intersection(finding.columns)
    ]


def _state(findings: Sequence[Finding], n: int) -> State:
    severities = {finding.severity for finding in findings}
    if "fail" in severities:
        return "needs_you"
    if n < LEAST:
        return "not_enough_data"
    return "watch" if "warn" in severities else "healthy"


def _headline(
    state: State,
    findings: Sequence[Finding],
    losses: Sequence[Performance],
    moved: Drift | None,
    mine: Sequence[Window],
) -> str:
    """One sentence: the worst finding, or what was looked at and found sound."""
    if state in ("needs_you", "watch"):
        more = sum(finding.severity != "info" for finding in findings) - 1
        others = f" ({more} more finding{'s' if more > 1 else ''})" if more else ""
        return findings[0].headline + others
    if state == "not_enough_data":
        return f"Too little to judge: {quiet_state(mine)}."
    if losses:
        return f"The loss was {ranged(losses[-1].loss)} in the newest window, as was certified."
    looked = counted(0 if moved is None else moved.looks)
    return f"Nothing moved beyond its normal change ({looked}); no outcomes yet."
