"""A challenger's trial in the shadow, and the guard after a promotion, as rows of the ledger.

Total: whatever the trial says, one decision comes out. :func:`judge_trial` gives ``promoted``,
``kept``, ``inconclusive`` or ``not_evaluable``; :func:`judge_guard` gives ``rolled_back`` or
``did_nothing``. Nothing moves here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from everfit.evidence.trial.verdict import TrialVerdict
from everfit.records import Because, Decision, Policy, Upkeep, Version
from everfit.release.figures import short
from everfit.release.gates import LOSS, passed

RULE = "challenger saves loss on predictions that neither learnt from"
GUARD = "the champion before saves loss on the same predictions"


@dataclass(frozen=True, slots=True)
class Tried:
    """A trial to be decided: ``challenger`` against ``champion`` up to ``at``.

    ``verdict`` is None before the first outcome. ``checks`` are what the challenger must still pass
    to serve; ``unit`` turns the gains of the verdict, which are shares of the bound, into loss;
    ``level`` is the allowed chance of a false promotion in this trial, the ``number``-th in the
    life of the model; ``over`` says that its time is up, and ``cannot`` why the two cannot be
    compared at all. A guard has the roles exchanged: ``challenger`` is the champion before.
    """

    model: str
    challenger: Version
    champion: Version
    verdict: TrialVerdict | None
    upkeep: Upkeep
    at: datetime
    policy: Policy = field(default_factory=Policy)
    checks: tuple[Because, ...] = ()
    unit: float = 1.0
    level: float = 0.05
    number: int = 1
    over: bool = False
    cannot: str = ""

    @property
    def new(self) -> str:
        """The challenger's name."""
        return self.challenger.name

    @property
    def old(self) -> str:
        """The champion's name."""
        return self.champion.name

    @property
    def since(self) -> str:
        """The day from which on predictions count: neither version could learn from them."""
        cut = self.challenger.until or self.challenger.created_at
        return f"{cut:%Y-%m-%d}"


def judge_trial(case: Tried) -> Decision:
    """May the challenger serve?

    Only one that is proven better, or fitted again and not worse by more than the margin of the
    policy, and that passes its checks, is promoted: see :func:`wins`.
    """
    verdict = case.verdict
    if case.cannot:
        return _not_evaluable(case, case.cannot)
    if verdict is None or verdict.n == 0:
        return _unseen(case)
    won = wins(verdict)
    if won and passed(case.checks):
        return _promoted(case, verdict)
    if won:
        return _gated(case, verdict)
    if verdict.kind in ("worse", "futile", "not_worse"):
        return _kept(case, verdict)
    if case.over or verdict.expired:
        return _timed_out(case, verdict)
    return _inconclusive(case, verdict)


def wins(found: TrialVerdict) -> bool:
    """Whether the challenger of a trial may serve.

    One that is proven not to be worse by more than the margin may, when it was no worse on the
    rows of the trial either: else a row of fresh versions, each a little worse than the one before,
    could lead far down.
    """
    return found.kind == "better" or (found.kind == "not_worse" and found.gain.mid >= 0)


def judge_guard(case: Tried) -> Decision:
    """Was the promotion a mistake? Only if the champion before is proven better, and can serve."""
    verdict = case.verdict
    if verdict is not None and verdict.kind == "better" and passed(case.checks):
        return _rolled_back(case, verdict)
    if verdict is not None and verdict.kind == "better":
        failed = _failed(case)
        return _row(
            case,
            "did_nothing",
            f"{case.new} is better than {case.old}, and cannot serve: "
            f"it does not pass {_names(failed)}",
            verdict,
            because=(_measured(case, verdict, GUARD, True), *failed),
            not_done=(f"{case.old} serves on, though {case.new} is better",),
            would_change=f"a version that passes {_names(failed)}",
        )
    n = 0 if verdict is None else verdict.n
    because = () if verdict is None else (_measured(case, verdict, GUARD, None),)
    ended = verdict is not None and verdict.kind in ("worse", "futile")
    if case.cannot or ended or case.over:
        why = case.cannot or (
            f"{case.new} is not better" if ended else "the time to roll back is over"
        )
        return _row(
            case,
            "did_nothing",
            f"{case.old} stays: {why}",
            verdict,
            because=because or (Because(GUARD, None, note=why),),
            not_done=(f"{case.new} is watched no longer",),
            would_change=f"everfit rollback {case.model}, by a person",
        )
    return _row(
        case,
        "did_nothing",
        f"{case.old} stays: nothing says that {case.new} was better "
        f"({n:,} outcomes since {case.since})",
        verdict,
        because=because or (Because(GUARD, None, note="no outcomes yet"),),
        would_change=f"outcomes on which {case.new} is clearly better",
    )


def _promoted(case: Tried, found: TrialVerdict) -> Decision:
    how = "" if found.kind == "better" else ": it is fresher and not worse"
    return _row(
        case,
        "promoted",
        f"Promoted {case.new}; {case.old} is now previous{how}",
        found,
        because=(_measured(case, found, RULE, True),),
        also=case.checks,
        not_done=(
            f"{case.old} stays in the shadow for {_days(case.upkeep.rollback_window_s)}, to "
            "be gone back to",
        ),
        would_change=f"outcomes on which {case.old} is clearly better",
        undo=f"everfit rollback {case.model}",
    )


def _gated(case: Tried, found: TrialVerdict) -> Decision:
    failed = _failed(case)
    return _row(
        case,
        "kept",
        f"Kept {case.old}; did not promote {case.new}: it is better, but does not "
        f"pass {_names(failed)}",
        found,
        because=(_measured(case, found, RULE, True), *failed),
        also=tuple(gate for gate in case.checks if gate.passed is not False),
        not_done=(f"{case.new} does not serve",),
        would_change=f"a version that passes {_names(failed)}",
    )


def _kept(case: Tried, found: TrialVerdict) -> Decision:
    why = {
        "worse": "it is worse",
        "not_worse": "it is within the margin, and was no better on the rows of its trial",
    }.get(found.kind, "its gain is not worth a longer trial")
    return _row(
        case,
        "kept",
        f"Kept {case.old}; gave up {case.new}: {why}",
        found,
        because=(_measured(case, found, RULE, False),),
        also=case.checks,
        not_done=(f"{case.new} does not serve and is tried no longer",),
        would_change="a new challenger",
    )


def _timed_out(case: Tried, found: TrialVerdict) -> Decision:
    return _row(
        case,
        "kept",
        f"Kept {case.old}; gave up {case.new}: no proof in {_days(case.upkeep.trial_s)}",
        found,
        because=(_measured(case, found, RULE, None),),
        also=case.checks,
        not_done=(f"{case.new} does not serve and is tried no longer",),
        would_change="a longer trial in the policy, or a new challenger",
    )


def _inconclusive(case: Tried, found: TrialVerdict) -> Decision:
    more = f"about {found.needs:,} more outcomes" if found.needs else "more outcomes"
    return _row(
        case,
        "inconclusive",
        f"Kept {case.old} for now; {case.new} needs {more}",
        found,
        because=(_measured(case, found, RULE, None),),
        also=case.checks,
        not_done=(f"{case.new} does not serve yet",),
        would_change=f"{more} of predictions since {case.since}",
    )


def _unseen(case: Tried) -> Decision:
    if case.over:
        return _not_evaluable(case, f"no outcomes came in {_days(case.upkeep.trial_s)}")
    return _row(
        case,
        "inconclusive",
        f"Kept {case.old} for now; no outcome has come yet for {case.new}",
        None,
        because=(Because(RULE, None, limit=case.policy.min_gain, note="no outcomes yet"),),
        also=case.checks,
        not_done=(f"{case.new} does not serve yet",),
        would_change=f"outcomes of predictions since {case.since}",
    )


def _not_evaluable(case: Tried, why: str) -> Decision:
    return _row(
        case,
        "not_evaluable",
        f"Kept {case.old}; {case.new} cannot be compared with it: {why}",
        None,
        because=(Because(RULE, None, note=why),),
        also=case.checks,
        not_done=(f"{case.new} does not serve and is tried no longer",),
        would_change="predictions with outcomes that both versions answered",
    )


def _rolled_back(case: Tried, found: TrialVerdict) -> Decision:
    return _row(
        case,
        "rolled_back",
        f"Rolled back from {case.old} to {case.new}: it was better after all",
        found,
        because=(_measured(case, found, GUARD, True),),
        also=case.checks,
        not_done=(f"{case.old} was kept and does not serve",),
        would_change="a later version that is better on predictions that neither learnt from",
        undo=f"everfit rollback {case.model} --to {case.old}",
    )


def _measured(case: Tried, found: TrialVerdict, rule: str, holds: bool | None) -> Because:
    gain, unit = found.gain, case.unit
    said = found.why.replace("the new model", case.new)  # in a guard that is the older one
    level = f"false answers allowed: {short(case.level, 2)}"
    trial = f"trial {case.number}; {found.looks} look{'' if found.looks == 1 else 's'}"
    return Because(
        rule,
        holds,
        measured=gain.mid * unit,
        low=gain.low * unit,
        high=gain.high * unit,
        n=found.n,
        limit=case.policy.min_gain,
        limit_by=case.policy.set_by.get("min_gain", "default"),
        unit=LOSS,
        note=f"{said}; {trial}; {level}",
    )


def _failed(case: Tried) -> tuple[Because, ...]:
    return tuple(gate for gate in case.checks if gate.passed is False)


def _names(gates: Sequence[Because]) -> str:
    return " and ".join(repr(gate.rule) for gate in gates)


def _days(seconds: float) -> str:
    days = seconds / 86_400
    if days >= 1:
        return f"{days:.0f} day{'' if round(days) == 1 else 's'}"
    if seconds >= 3600:
        return f"{seconds / 3600:.1f} hours"
    return f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"


def _row(
    case: Tried,
    kind: str,
    headline: str,
    found: TrialVerdict | None,
    *,
    because: tuple[Because, ...],
    also: tuple[Because, ...] = (),
    **fields: Any,
) -> Decision:
    log_e = found.log_e if found is not None and math.isfinite(found.log_e) else None
    return Decision(
        model=case.model,
        kind=kind,
        headline=headline,
        because=because,
        also_checked=also,
        policy="own" if case.policy.set_by or case.upkeep.set_by else "default",
        log_e=log_e,
        looks=0 if found is None else found.looks,
        version=case.new,
        at=case.at,
        **fields,
    )
