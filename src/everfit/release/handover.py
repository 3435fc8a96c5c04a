"""A person says who answers: promotion by hand, canary, shadow. Verified first, recorded always.

Pure: from versions and checks that were made of them to the row of the ledger. What a version did
that could not be served is an incident, and gets its row here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from everfit.records import Because, Decision, Version
from everfit.release.gates import is_champion, passed

PAUSES = ("paused", "resumed")
PAUSED = "nobody paused the model meanwhile"  # the gate of what was under way
SOUND = "{} as it was packed, or another version"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person wants done to ``model``: ``act`` says it in words, for who reads a refusal."""

    model: str
    act: str  # "promote v4", "send 10% of keys to v4"
    by: str
    reason: str = ""

    def because_of(self, headline: str) -> str:
        """The headline with the reason behind it, when there is one."""
        return f"{headline}: {self.reason}" if self.reason else headline


def promote(
    wish: Wish, champion: Version | None, to: Version, checks: Sequence[Because]
) -> Decision:
    """Make ``to`` the champion because a person says so; ``refused`` when a check says no."""
    if champion is not None and to.number == champion.number:
        checks = (*checks, is_champion(to))
    if not sound(checks):
        return _refused(wish, to, checks)
    before = "" if champion is None else f"; {champion.name} is now previous"
    return Decision(
        model=wish.model,
        kind="promoted",
        headline=wish.because_of(f"Promoted {to.name} by hand{before}"),
        because=_held(checks),
        also_checked=_open(checks),
        not_done=("its gain was not measured: a person decided",),
        would_change="a later version that is better on rows that neither saw",
        by=wish.by,
        version=to.name,
        undo="" if champion is None else f"everfit rollback {wish.model}",
    )


def canary(
    wish: Wish,
    champion: Version,
    to: Version,
    share: float,
    holdout: float,
    checks: Sequence[Because],
) -> Decision:
    """Send ``share`` of the keys to ``to``; ``refused`` when a check says no."""
    if to.number == champion.number:
        checks = (*checks, is_champion(to))
    if not sound(checks):
        return _refused(wish, to, checks)
    kept = f"; {holdout:.4g} of all keys stay with the champion" if holdout else ""
    return Decision(
        model=wish.model,
        kind="canary",
        headline=wish.because_of(
            f"{to.name} answers {share:.4g} of the keys beside {champion.name}{kept}"
        ),
        because=_held(checks),
        also_checked=_open(checks),
        not_done=(f"{champion.name} is still the champion",),
        would_change=f"outcomes that tell {to.name} and {champion.name} apart",
        by=wish.by,
        version=to.name,
        undo=f"everfit canary {wish.model} --share 0",
    )


def canary_ended(wish: Wish, champion: Version, ended: str, holdout: float) -> Decision:
    """All keys go to the champion again; ``ended`` names the canary, empty when there was none."""
    told = f"{ended} answers no keys any more" if ended else "No canary"
    kept = f"; {holdout:.4g} of all keys are held out" if holdout else ""
    return Decision(
        model=wish.model,
        kind="canary",
        headline=wish.because_of(f"{told}; {champion.name} answers all of them{kept}"),
        would_change="a new canary",
        by=wish.by,
        version=ended or champion.name,
    )


def shadow(wish: Wish, champion: Version, to: Version, checks: Sequence[Because]) -> Decision:
    """Let ``to`` answer the champion's requests for the record alone."""
    if to.number == champion.number:
        checks = (*checks, is_champion(to))
    if not sound(checks):
        return _refused(wish, to, checks)
    return Decision(
        model=wish.model,
        kind="shadow",
        headline=wish.because_of(f"{to.name} answers in the shadow of {champion.name}"),
        because=_held(checks),
        also_checked=_open(checks),
        not_done=("none of its answers is given to anybody",),
        would_change=f"outcomes that tell {to.name} and {champion.name} apart",
        by=wish.by,
        version=to.name,
        undo=f"everfit shadow {wish.model} --off",
    )


def shadow_ended(wish: Wish, ended: str) -> Decision:
    """Nothing answers in the shadow any more; ``ended`` names the version that did."""
    return Decision(
        model=wish.model,
        kind="shadow",
        headline=wish.because_of(f"{ended or 'Nothing'} answers in the shadow no more"),
        would_change="a new shadow",
        by=wish.by,
        version=ended,
    )


def pause(wish: Wish) -> Decision:
    """Watch on, and change nothing, until a person says otherwise.

    Examples
    --------
    >>> pause(Wish("churn", "pause churn", "ann", "the source is being moved")).headline
    'Paused by hand: the source is being moved'
    """
    return Decision(
        model=wish.model,
        kind="paused",
        headline=wish.because_of("Paused by hand"),
        not_done=("while it is paused nothing is fitted, promoted or rolled back by itself",),
        would_change="a person who resumes it",
        by=wish.by,
        undo=f"everfit resume {wish.model}",
    )


def resume(wish: Wish) -> Decision:
    """Let the loop change things again; what became due meanwhile is done at the next turn."""
    return Decision(
        model=wish.model,
        kind="resumed",
        headline=wish.because_of("Resumed by hand"),
        would_change="a person who pauses it",
        by=wish.by,
        undo=f"everfit pause {wish.model}",
    )


def is_paused(newest_first: Sequence[Decision]) -> bool:
    """Whether the newest decision about it, if any, is a pause.

    Examples
    --------
    >>> is_paused([]), is_paused([pause(Wish("churn", "pause churn", "ann"))])
    (False, True)
    """
    about = next((d.kind for d in newest_first if d.kind in PAUSES), "resumed")
    return about == "paused"


def not_paused(newest_first: Sequence[Decision]) -> tuple[Because, ...]:
    """The gate of what the loop made while a person paused the model; nothing when nobody did.

    Examples
    --------
    >>> [gate.note for gate in not_paused([pause(Wish("churn", "pause churn", "ann"))])]
    ['Paused by hand']
    """
    if not is_paused(newest_first):
        return ()
    rows = [row for row in newest_first if row.kind in PAUSES]
    return (Because(PAUSED, False, note=rows[0].headline),)


def incident(
    model: str, name: str, still: str, failed: Sequence[Because], *, do: str = ""
) -> Decision:
    """Version ``name`` should have served and could not; ``still`` says who answers instead.

    Examples
    --------
    >>> made = incident("churn", "v4", "v3", [Because("files as packed", False, note="changed")])
    >>> made.headline
    'v4 could not be served; v3 still answers'
    """
    instead = f"{still} still answers" if still else "nobody answers"
    return Decision(
        model=model,
        kind="incident",
        headline=f"{name} could not be served; {instead}",
        because=tuple(failed),
        not_done=(f"{name} does not serve, though it was asked for",),
        would_change=SOUND.format(name),
        version=name,
        undo=do,
    )


def sound(checks: Sequence[Because]) -> bool:
    """Whether no check says no, and at least one says yes."""
    return passed(checks) and any(check.passed for check in checks)


def _refused(wish: Wish, to: Version, checks: Sequence[Because]) -> Decision:
    failed = tuple(check for check in checks if check.passed is not True)
    return Decision(
        model=wish.model,
        kind="refused",
        headline=f"Refused to {wish.act}; nothing was changed",
        because=failed or (Because("verified to load", False, note="was not verified"),),
        also_checked=_held(checks),
        not_done=("no request goes anywhere else than before",),
        would_change=SOUND.format(to.name),
        by=wish.by,
        version=to.name,
    )


def _held(checks: Sequence[Because]) -> tuple[Because, ...]:
    return tuple(check for check in checks if check.passed is True)


def _open(checks: Sequence[Because]) -> tuple[Because, ...]:
    return tuple(check for check in checks if check.passed is not True)
