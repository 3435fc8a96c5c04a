"""What a version was made of: its question, its columns, its hypotheses, and what was found then.

All is read from the store and from the version's own folder; a version that the loop made by itself
leads back to the same source as the one that a person made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from everfit.errors import ArtefactRefused, EverfitError
from everfit.plain import from_plain
from everfit.records import Act, Assessment, Column, Hypothesis, Study, Version
from everfit.release.manifest import verify
from everfit.store.contract import Store


@dataclass(frozen=True, slots=True)
class Lineage:
    """A version and what it came from.

    ``columns`` are those of the cleaned table that it learnt from, with their roles; ``acts`` what
    was done to that table before; ``members`` its hypotheses with their weights; ``spec`` what its
    run was asked, with the ``source`` in it. ``members_until`` is the data cut of its members,
    which a recalibration leaves as they are; None where a person ran it.
    """

    version: Version
    folder: Path
    spec: Mapping[str, Any]
    columns: tuple[Column, ...]
    members: tuple[tuple[Hypothesis, float], ...]
    assessment: Assessment
    study: Study
    until: datetime
    members_until: datetime | None = None

    @property
    def acts(self) -> tuple[Act, ...]:
        """What the findings of its run asked for, on columns that are still there."""
        have = {column.name for column in self.columns}
        return tuple(act for act in self.assessment.acts if act.column in have)

    @property
    def hypotheses(self) -> tuple[Hypothesis, ...]:
        """The distinct hypotheses of its members, the heaviest first."""
        weights: dict[str, float] = {}
        known: dict[str, Hypothesis] = {}
        for hypothesis, weight in self.members:
            weights[hypothesis.name] = weights.get(hypothesis.name, 0.0) + weight
            known.setdefault(hypothesis.name, hypothesis)
        return tuple(known[name] for name in sorted(known, key=lambda name: -weights[name]))


def lineage_of(store: Store, version: Version) -> Lineage:
    """Where ``version`` came from.

    Raises
    ------
    ArtefactRefused : its files are not what was packed, or nothing is left of the run that made it
    """
    folder = store.root / version.folder
    manifest = verify(folder, key=store.key(), sha256=version.sha256)
    runs = {row.id: row for row in store.runs(version.model)}
    try:
        found = store.result(version.model, version.run)
        assessment = from_plain(Assessment, found["assessment"])
        study = from_plain(Study, found["study"])
        spec = dict(runs[version.run].spec)
    except (EverfitError, KeyError, TypeError, ValueError) as error:
        raise ArtefactRefused(
            f"nothing is left of the run that made {version.name} of {version.model!r}",
            got=f"run {version.run or 'unknown'}: {type(error).__name__}",
            expected="what the run found, in the store",
            do=f"make a version anew: everfit run --name {version.model}",
        ) from error
    stages = {m.hypothesis.name: m.hypothesis for m in study.candidate.members}
    members = tuple((_hypothesis(one, stages), float(one["weight"])) for one in manifest.learners)
    until = manifest.data.get("until")
    return Lineage(
        version=version,
        folder=folder,
        spec=spec,
        columns=tuple(from_plain(Column, one) for one in manifest.columns),
        members=members,
        assessment=assessment,
        study=study,
        until=datetime.fromisoformat(until) if until else version.created_at,
        members_until=_members_until(spec, until),
    )


def _members_until(spec: Mapping[str, Any], until: str | None) -> datetime | None:
    told = spec.get("members_until") if spec.get("act") == "recalibrate" else until
    return datetime.fromisoformat(told) if told else None


def plan_of(folder: Path) -> dict[str, Any]:
    """The scoring plan of a packed version, as it stands in its folder."""
    return dict(json.loads((folder / "plan.json").read_text(encoding="utf-8")))


def _hypothesis(one: Mapping[str, Any], known: Mapping[str, Hypothesis]) -> Hypothesis:
    """A member's hypothesis with the settings that the manifest vouches for."""
    name = str(one["name"])
    settings = dict(one.get("settings", {}))
    why = f"a member of the version before; weight {one['weight']:.2f}"
    made = known.get(name, Hypothesis(name, str(one["learner"]), settings, why))
    return replace(made, learner=str(one["learner"]), settings=settings, why=why)
