"""Windows as a champion's line sees them: recalibrations are one model, doubted outcomes none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from everfit.loop.turn.state import State
from everfit.records import Window
from everfit.watch.findings.outcomes import outcome_findings
from everfit.watch.reference import read_reference

MEASURED = ("maps", "versions", "shadows", "pairs", "adapted")  # facts that outcomes made


def of_line(window: Window, state: State) -> Window:
    """The window with versions of the champion's fit under the champion's number.

    Versions that differ by recalibration alone are one model to those who watch it.
    """
    champion = state.champion.number
    fit = state.root(champion).number
    if window.version == champion or state.root(window.version).number != fit:
        return window
    facts = dict(window.facts)
    if "versions" in facts:
        versions = dict(facts["versions"])
        if (own := versions.pop(str(window.version), None)) is not None:
            versions[str(champion)] = own
        facts["versions"] = versions
    if "champion" in facts:
        facts["champion"] = champion
    return replace(window, version=champion, facts=facts)


def blind(window: Window) -> Window:
    """The window without all that was measured on outcomes: what came stays, to be looked at."""
    return replace(window, facts={**window.facts, **{name: {} for name in MEASURED}})


def believed(state: State, root: Path) -> tuple[Window, ...]:
    """Windows that trials may read; those whose outcomes are about to be set aside are left out.

    What is doubted is set aside by the action that follows a look at the health, which comes after
    the trials of the same turn. ``root`` is the folder of the store.
    """
    since = _doubted_since(state.judged, state, root)
    return tuple(w for w in state.judged if since is None or w.start < since)


def _doubted_since(judged: Sequence[Window], state: State, root: Path) -> datetime | None:
    told = [window for window in judged if window.facts.get("outcomes", {}).get("values")]
    if not told or len(told[-1].facts["outcomes"]["values"]) != 1:
        return None  # the newest outcomes differ from one another
    mine = [w for w in (of_line(w, state) for w in judged) if w.version == state.champion.number]
    champion = state.champion
    reference = read_reference(root / champion.folder, version=champion.number)
    for finding in outcome_findings(mine, reference, filler=state.upkeep.missing_outcome):
        since = finding.evidence.get("since")
        if finding.severity == "fail" and since:
            return datetime.fromisoformat(str(since))
    return None
