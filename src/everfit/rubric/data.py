"""Section Data: are the features what they should be?"""

from __future__ import annotations

from everfit.rubric.facts import Facts
from everfit.rubric.grade import Found, by_hand, counted, half, nothing, whole

SHOWN = 3  # columns that a sentence names


def schema(facts: Facts) -> Found:
    """Every column has its kind in the signed manifest, and its usual values in the artefact."""
    made = facts.made
    if made.described < made.columns or not made.columns:
        return nothing(
            f"{made.columns - made.described} of {counted(made.columns, 'column')} have no kind",
            f"everfit run {facts.model}",
            2,
        )
    if not made.reference:
        return half(
            f"{counted(made.columns, 'column')} with kinds; packed without their usual values",
            f"everfit run {facts.model}",
            2,
        )
    return whole(f"{counted(made.columns, 'column')} with kinds and usual values, signed")


def beneficial(facts: Facts) -> Found:
    """Each column was shuffled among rows whose outcomes came later: no column does harm."""
    benefit = facts.tried.benefit
    if benefit is None:
        return nothing("too few outcomes to tell", "send outcomes: 200 are needed", 3)
    harmful = [name for name, gain in benefit.gains.items() if gain.high < 0]
    if harmful:
        shown = ", ".join(f"`{name}`" for name in harmful[:SHOWN])
        drop = " ".join(f"--drop {name}" for name in harmful[:SHOWN])
        return nothing(
            f"{shown} made answers worse on {counted(benefit.n, 'row')}",
            f"everfit run {facts.model} {drop}",
            2,
        )
    clear = sum(gain.low > 0 for gain in benefit.gains.values())
    unread = sum(gain.low == 0 == gain.high for gain in benefit.gains.values())
    rest = f", {unread} change no answer" if unread else ""
    return whole(
        f"shuffled on {counted(benefit.n, 'row')}: {clear} of {len(benefit.gains)} columns clearly "
        f"help, none harms{rest}"
    )


def cost(facts: Facts) -> Found:
    """What the features cost to get is known."""
    return by_hand(facts, "feature_cost", "what the features cost to get")


def requirements(facts: Facts) -> Found:
    """Which columns may be used is known."""
    return by_hand(facts, "requirements", "which columns must not be used, and who checked")


def privacy(facts: Facts) -> Found:
    """Who may see the rows, and how they are forgotten, is known."""
    return by_hand(facts, "privacy", "who may see the rows, and how people are forgotten")


def new_features(facts: Facts) -> Found:
    """How long a new feature takes is known."""
    return by_hand(facts, "new_features", "how long a new column takes to be in the model")


def feature_code(facts: Facts) -> Found:
    """Features are computed alike by row and by table: golden rows, in a fresh process, now."""
    reproduces = facts.tried.reproduces
    if facts.made.own:
        told = facts.told.get("feature_tests", "")
        if told:
            return half(f"by hand: {told}")
        return nothing(
            f"own code: {', '.join(facts.made.own)}",
            f'say how it is tested: feature_tests = "..." below [models.{facts.model}.facts]',
            1,
        )
    if reproduces.passed:
        return whole("golden rows come out alike by row and by table, now")
    return nothing(reproduces.note or "golden rows could not be asked", _rollback(facts), 2)


def _rollback(facts: Facts) -> str:
    return f"everfit rollback {facts.model}"
