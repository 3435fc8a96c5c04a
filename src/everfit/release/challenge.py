"""A version that the loop made by itself: it goes into the shadow when no gate says no.

It is compared with nothing here. Whether it is better shows on predictions that neither version
could learn from: see :mod:`everfit.release.trial`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from everfit.evidence.interval import Interval
from everfit.records import Because, Candidate, Decision, Upkeep, Version
from everfit.release.figures import metric_name, short
from everfit.release.gates import passed

Made = Literal["recalibrated", "retrained", "searched"]
VERBS: Mapping[Made, str] = {
    "recalibrated": "Recalibrated",
    "retrained": "Retrained",
    "searched": "Searched anew",
}


@dataclass(frozen=True, slots=True)
class Challenge:
    """A packed version with its gates, and what it was made from.

    ``rows`` is what it learnt from, in words; ``champion`` and ``before`` name who serves and who
    was in the shadow. ``tried`` is False for a version that follows one of its own line.
    """

    model: str
    made: Made
    version: Version
    gates: tuple[Because, ...]
    rows: str
    champion: str
    at: datetime
    data_sha256: str = ""
    before: str = ""
    not_done: tuple[str, ...] = ()
    tried: bool = True


def into_shadow(case: Challenge) -> Decision:
    """The ledger row: in the shadow, or ``refused`` with the gates that said no."""
    failed = tuple(gate for gate in case.gates if gate.passed is False)
    name = case.version.name
    if not passed(case.gates):
        names = " and ".join(repr(gate.rule) for gate in failed)
        return _decision(
            case,
            "refused",
            f"Refused {name}: it does not pass {names}",
            because=failed,
            also=tuple(gate for gate in case.gates if gate.passed is not False),
            not_done=(f"{name} is not tried; {case.champion} serves as before", *case.not_done),
            would_change=f"a version that passes {names}",
        )
    score = case.version.score
    low, mid, high = (short(end, 3) for end in (score.low, score.mid, score.high))
    metric = metric_name(case.version.problem.metric)
    told = f"{metric} {mid} (95% range {low} to {high})"
    replaced = (f"{case.before} is no longer tried in the shadow",)
    where = f"it is tried in the shadow of {case.champion}"
    open_ = f"{name} does not serve: only predictions from {_minute(case)} on can prove it better"
    if not case.tried:
        where = f"it is to follow {case.champion}, whose line was proven"
        open_ = f"{name} does not serve yet"
    return _decision(
        case,
        case.made,
        f"{VERBS[case.made]} as {name} on {case.rows}: {told}; {where}",
        because=tuple(gate for gate in case.gates if gate.measured is not None),
        also=tuple(gate for gate in case.gates if gate.measured is None),
        not_done=(
            open_,
            *(replaced if case.before and case.tried else ()),
            *case.not_done,
        ),
        would_change=f"outcomes that tell {name} and {case.champion} apart",
        undo=f"everfit shadow {case.model} --off" if case.tried else "",
    )


def not_made(
    case_model: str,
    act: str,
    why: Because,
    *,
    champion: str,
    at: datetime,
    kind: Literal["refused", "source_lost"] = "refused",
    would_change: str = "",
    data_sha256: str = "",
) -> Decision:
    """The ledger row when no version could be made at all; ``why`` says what was in the way."""
    return Decision(
        model=case_model,
        kind=kind,
        headline=f"Did not {act}: {why.rule}",
        because=(why,),
        not_done=(f"no version was made from {champion}; what serves was not touched",),
        would_change=would_change,
        data_sha256=data_sha256,
        at=at,
    )


def above_floor(
    scored: Candidate | Version, upkeep: Upkeep, *, higher: bool
) -> tuple[Because, ...]:
    """The score against the worst value that the policy allows; nothing where it names none.

    It fails when the whole range of the score lies on the wrong side.
    """
    if upkeep.floor is None:
        return ()
    score: Interval = scored.score
    best = score.high if higher else score.low
    holds = best >= upkeep.floor if higher else best <= upkeep.floor
    return (
        Because(
            "reaches the floor of the policy",
            holds,
            score.mid,
            score.low,
            score.high,
            score.n,
            limit=upkeep.floor,
            limit_by=upkeep.set_by.get("floor", "default"),
        ),
    )


def _minute(case: Challenge) -> str:
    return f"{(case.version.until or case.at).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _decision(
    case: Challenge,
    kind: str,
    headline: str,
    *,
    because: tuple[Because, ...],
    also: tuple[Because, ...],
    not_done: tuple[str, ...],
    would_change: str,
    undo: str = "",
) -> Decision:
    return Decision(
        model=case.model,
        kind=kind,
        headline=headline,
        because=because,
        also_checked=also,
        not_done=not_done,
        would_change=would_change,
        data_sha256=case.data_sha256,
        run=case.version.run,
        version=case.version.name,
        undo=undo,
        at=case.at,
    )
