"""May this version serve? The ledger row of a first release, or of a challenger's trial.

Total: whatever the losses are, one decision comes out. ``release_first`` gives ``released`` or
``refused``; ``judge`` gives ``promoted``, ``kept``, ``inconclusive`` or ``not_evaluable``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from everfit.errors import UsageError
from everfit.evidence.interval import Interval
from everfit.evidence.promotion import PairedVerdict, verdict
from everfit.records import Array, Because, Decision, Policy
from everfit.release.figures import metric_name, short
from everfit.release.gates import LOSS, passed


@dataclass(frozen=True, slots=True)
class Case:
    """What is to be decided: version ``version`` of ``model``, with its score and its gates.

    ``champion`` is the version that serves, empty at a first release. ``not_done`` says what the
    run left undone, in words; ``unit`` names one thing that is judged.
    """

    model: str
    version: str
    candidate: str
    metric: str
    score: Interval
    gates: tuple[Because, ...]
    policy: Policy
    champion: str = ""
    data_sha256: str = ""
    run: str = ""
    not_done: tuple[str, ...] = ()
    unit: str = "row"


def release_first(case: Case) -> Decision:
    """The first version of a model: it serves when no gate says no."""
    failed = [gate for gate in case.gates if gate.passed is False]
    low, mid, high = (short(end, 3) for end in (case.score.low, case.score.mid, case.score.high))
    score = f"{metric_name(case.metric)} {mid} (95% range {low} to {high})"
    if failed:
        names = " and ".join(repr(gate.rule) for gate in failed)
        return _decision(
            case,
            "refused",
            f"Refused {case.version}: it does not pass {names}",
            because=tuple(failed),
            also=tuple(gate for gate in case.gates if gate.passed is not False),
            would_change=f"a version that passes {names}",
            not_done=(f"{case.version} does not serve", *case.not_done),
        )
    return _decision(
        case,
        "released",
        f"Released {case.version} ({case.candidate}): {score}",
        because=tuple(gate for gate in case.gates if gate.measured is not None),
        also=tuple(gate for gate in case.gates if gate.measured is None),
        would_change=f"a later version that is better on {case.unit}s that neither saw",
        not_done=case.not_done,
    )


def judge(
    case: Case,
    loss_challenger: Array,
    loss_champion: Array,
    *,
    looks: int,
    bound: float | None = None,
    promoted: int = 0,
    cannot: str = "",
) -> Decision:
    """Judge a challenger on losses (n,) of units that neither it nor the champion saw.

    Parameters
    ----------
    looks : number of this challenger in the life of the model, from 1
    bound : see ``evidence.promotion.verdict``; fixed beforehand from the champion's earlier losses
    promoted : earlier promotions of this model
    cannot : why the two cannot be compared at all, for example that the target changed
    """
    if cannot:
        return _not_evaluable(case, cannot, None)
    policy = case.policy
    try:
        found = verdict(
            np.asarray(loss_challenger, dtype=np.float64),
            np.asarray(loss_champion, dtype=np.float64),
            alpha=policy.alpha,
            looks=looks,
            min_gain=policy.min_gain,
            bound=bound,
            promoted=promoted,
        )
    except UsageError as error:
        return _not_evaluable(case, f"{error.what}: {error.got}", None)
    if not found.n and not passed(case.gates):
        return _kept(case, found, 0)  # its answers were not asked for
    if found.answer == "cannot be judged":
        return _not_evaluable(case, found.why, found)
    if found.answer == "better" and passed(case.gates):
        return _promoted(case, found, looks)
    if found.answer == "inconclusive" and passed(case.gates):
        return _inconclusive(case, found, looks)
    return _kept(case, found, looks)


def moves(decision: Decision, champion: int | None, number: int) -> dict[str, int | None]:
    """Where the aliases shall point after ``decision`` about version ``number``.

    Examples
    --------
    >>> moves(Decision("churn", "promoted", ""), 1, 2)
    {'champion': 2, 'previous': 1}
    >>> moves(Decision("churn", "kept", ""), 1, 2)
    {}
    """
    if decision.kind == "released":
        return {"champion": number}
    if decision.kind == "promoted":
        return {"champion": number, "previous": champion}
    return {}


def _promoted(case: Case, found: PairedVerdict, looks: int) -> Decision:
    return _decision(
        case,
        "promoted",
        f"Promoted {case.version}; {case.champion} is now previous",
        because=(_measured(case, found, True),),
        also=case.gates,
        would_change=f"{case.unit}s on which {case.champion} is clearly better",
        found=found,
        looks=looks,
        not_done=case.not_done,
        undo=f"everfit rollback {case.model}",
    )


def _kept(case: Case, found: PairedVerdict, looks: int) -> Decision:
    failed = [gate for gate in case.gates if gate.passed is False]
    better = found.answer == "better"
    names = " and ".join(repr(gate.rule) for gate in failed)
    why = f": it does not pass {names}" if failed else ": it is not better"
    wanted = [] if better else [f"a gain above {case.policy.min_gain:g} beyond noise"]
    wanted += [f"passing {names}"] if failed else []
    return _decision(
        case,
        "kept",
        f"Kept {case.champion}; did not promote {case.version}{why}",
        because=(_measured(case, found, better), *failed),
        also=tuple(gate for gate in case.gates if gate.passed is not False),
        would_change=" and ".join(wanted),
        found=found,
        looks=looks,
        not_done=(f"{case.version} does not serve", *case.not_done),
    )


def _inconclusive(case: Case, found: PairedVerdict, looks: int) -> Decision:
    unit = f"{case.unit}s"
    needs = (
        f"about {found.needs:,} more {unit}" if found.needs else f"more {unit}, or a larger gain"
    )
    return _decision(
        case,
        "inconclusive",
        f"Kept {case.champion}; {case.version} may be better, but it needs {needs}",
        because=(_measured(case, found, None),),
        also=case.gates,
        would_change=f"{needs} that neither version saw",
        found=found,
        looks=looks,
        not_done=(f"{case.version} does not serve", *case.not_done),
    )


def _not_evaluable(case: Case, why: str, found: PairedVerdict | None) -> Decision:
    n, needs = (found.n, found.needs) if found else (0, None)
    more = f"about {needs:,} more {case.unit}s that neither version saw" if needs else ""
    return _decision(
        case,
        "not_evaluable",
        f"Kept {case.champion}; {case.version} cannot be compared with it",
        because=(Because(_rule(case), None, n=n, note=why, counts=case.unit),),
        also=case.gates,
        would_change=more or f"{case.unit}s with known outcomes that both versions can answer",
        found=found,
        not_done=(f"{case.version} does not serve", *case.not_done),
    )


def _measured(case: Case, found: PairedVerdict, holds: bool | None) -> Because:
    return Because(
        _rule(case),
        holds,
        measured=found.gain.mid,
        low=found.gain.low,
        high=found.gain.high,
        n=found.n,
        limit=case.policy.min_gain,
        limit_by=case.policy.set_by.get("min_gain", "default"),
        unit=LOSS,
        note=found.why,
        counts=case.unit,
    )


def _rule(case: Case) -> str:
    return f"challenger saves loss on the same {case.unit}s"


def _decision(
    case: Case,
    kind: str,
    headline: str,
    *,
    also: tuple[Because, ...],
    found: PairedVerdict | None = None,
    **fields: Any,
) -> Decision:
    log_e = found.log_e if found and math.isfinite(found.log_e) else None
    return Decision(
        model=case.model,
        kind=kind,
        headline=headline,
        also_checked=also,
        policy="default" if not case.policy.set_by else "own",
        data_sha256=case.data_sha256,
        log_e=log_e,
        run=case.run,
        version=case.version,
        **fields,
    )
