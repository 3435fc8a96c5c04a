"""Going back to an earlier version: verified before the pointer moves, recorded either way."""

from __future__ import annotations

from collections.abc import Sequence

from everfit.errors import Refused
from everfit.records import Because, Decision, Version
from everfit.release.gates import is_champion, passed


def roll_back(
    *,
    champion: Version,
    to: Version,
    checks: Sequence[Because],
    by: str,
    reason: str = "",
) -> Decision:
    """The ledger row of a roll back, from checks of ``to`` that were made before it.

    ``rolled_back`` when no check says no, else ``refused``: then nothing may move.

    Parameters
    ----------
    checks : at least ``gates.manifest_holds``, ``gates.loads`` and ``gates.reproduces`` of ``to``
    by : who asked, ``person`` or ``system``
    """
    if to.number == champion.number:
        checks = (*checks, is_champion(to))
    if not checks or not passed(checks) or not any(check.passed for check in checks):
        failed = tuple(check for check in checks if check.passed is not True)
        return Decision(
            model=champion.model,
            kind="refused",
            headline=f"Refused to roll back to {to.name}; {champion.name} still serves",
            because=failed or (Because("verified to load", False, note="was not verified"),),
            also_checked=tuple(check for check in checks if check.passed is True),
            not_done=("the champion was not moved",),
            would_change=f"{to.name} as it was packed, or another version",
            by=by,
            version=to.name,
        )
    return Decision(
        model=champion.model,
        kind="rolled_back",
        headline=f"Rolled back from {champion.name} to {to.name}"
        + (f": {reason}" if reason else ""),
        because=tuple(check for check in checks if check.passed is True),
        also_checked=tuple(check for check in checks if check.passed is not True),
        not_done=(f"{champion.name} was kept and does not serve",),
        would_change="a later version that is better on rows that neither saw",
        by=by,
        version=to.name,
        undo=f"everfit rollback {champion.model} --to {champion.name}",
    )


def after_rollback(to: Version, before: int | None) -> dict[str, int | None]:
    """Where the aliases shall point: back to what was there when ``to`` was champion.

    ``before`` is the number of the version that ``to`` had replaced, so that rolling back twice
    goes back two versions, and not forward to the one that was left.
    """
    return {"champion": to.number, "previous": before if before != to.number else None}


def refused(decision: Decision) -> Refused:
    """The error for a person whose roll back was refused."""
    failed = [b for b in decision.because if b.passed is not True]
    return Refused(
        decision.headline,
        got="; ".join(f"{b.rule}: {b.note}" if b.note else b.rule for b in failed),
        expected="files as packed, that load and reproduce their golden rows",
        do=f"choose another version: everfit status {decision.model}",
    )
