"""From a study to a version that has proved to load: packed, signed, and put through its gates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from everfit.data.table import Table
from everfit.records import Assessment, Because, Candidate, Policy, Study, Version
from everfit.release.gates import (
    beats_floor,
    beats_simple,
    fast_enough,
    load_fresh,
    loads,
    manifest_holds,
    reproduces,
)
from everfit.release.manifest import Label
from everfit.release.pack import pack
from everfit.release.plan import Fitted


@dataclass(frozen=True, slots=True)
class Packing:
    """Where a version is packed, what its label says, and the key that signs it."""

    folder: Path
    label: Label
    number: int
    key: bytes
    as_read: Table  # the training rows before cleaning; their hashes are kept with the version
    left_s: Callable[[], float]


def packed(
    study: Study,
    assessment: Assessment,
    training: Table,
    *,
    members: Sequence[Fitted],
    golden_rows: Sequence[Mapping[str, Any]],
    packing: Packing,
) -> Version:
    """The candidate of ``study`` as a sealed folder, beside what already lies in it.

    Raises
    ------
    ArtefactRefused : no members, or golden rows are missing
    OSError : the disk refused; whoever gave the folder clears it
    """
    candidate, label = study.candidate, packing.label
    manifest = pack(
        packing.folder,
        label=label,
        study=study,
        assessment=assessment,
        source=training.source,
        table_columns=training.columns,
        members=members,
        golden_rows=golden_rows,
        key=packing.key,
    )
    return Version(
        model=label.model,
        number=packing.number,
        folder=str(packing.folder),
        sha256=manifest.sha256,
        problem=study.problem,
        score=candidate.score,
        run=label.run,
        candidate=candidate.name,
        created_at=label.created_at,
        trusted=tuple(sorted({name for m in members for name in m.part.get("trusted", ())})),
        loss_bound=candidate.loss_bound,
        speaks_of=candidate.speaks_of,
        until=label.until,
    )


def proved(version: Version, packing: Packing, policy: Policy) -> tuple[Because, ...]:
    """Whether a packed version is as it was sealed, loads alone, answers alike, and in time."""
    fresh = load_fresh(packing.folder, left_s=packing.left_s(), trusted=version.trusted)
    return (
        manifest_holds(packing.folder, key=packing.key, sha256=version.sha256),
        loads(fresh),
        reproduces(fresh),
        fast_enough(fresh, policy),
    )


def worth_it(candidate: Candidate, *, floor_serves: bool = False) -> tuple[Because, ...]:
    """Whether a candidate is better than the floor and the simple model, beyond noise.

    With ``floor_serves`` the floor itself may be released, and the gates say that it is the floor.
    """
    return (
        beats_floor(candidate, serves=floor_serves),
        beats_simple(candidate, floor_serves=floor_serves),
    )
