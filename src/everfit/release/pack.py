"""Packing: a candidate becomes a folder that outlives the release that wrote it.

::

    plan.json      how to answer: columns, members, calibration
    m0/ m1/ ...    native files of each member
    golden.json    rows with the answers that every later load must reproduce
    card.md        the model card, for people; card.json holds its facts
    manifest.json  schema, settings, library versions, hash and size of each file; signed

No pickle: everything is data.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from everfit.errors import ArtefactRefused
from everfit.plain import as_plain
from everfit.records import Assessment, Column, Source, Study
from everfit.release.card import card_facts, card_text
from everfit.release.manifest import FORMAT, Label, Manifest, seal
from everfit.release.plan import Fitted, lay_plan, plan_columns, who_columns, write_json

LIBRARIES = (
    "numpy",
    "scipy",
    "polars",
    "scikit-learn",
    "lightgbm",
    "catboost",
    "skops",
    "everfit",
)


def pack(
    folder: Path,
    *,
    label: Label,
    study: Study,
    assessment: Assessment,
    source: Source,
    table_columns: Iterable[Column],
    members: Sequence[Fitted],
    golden_rows: Sequence[Mapping[str, Any]],
    key: bytes,
) -> Manifest:
    """Build the version in the empty ``folder`` and seal it; everything is on disk afterwards.

    Parameters
    ----------
    table_columns : all columns of the cleaned table with their roles
    members : fitted models with weights, see ``plan.fitted_members``
    golden_rows : ``{"values": {column: value}, "answer": [float, ...]}``, answered by the learners,
        with ``"history"`` where they read one
    key : the store's key, which signs the manifest

    Raises
    ------
    ArtefactRefused : no members, or golden rows are missing
    OSError : the disk refused; whoever gave the folder clears it
    """
    if not members or not golden_rows:
        raise ArtefactRefused(
            f"{label.version} of {label.model!r} cannot be packed",
            got=f"{len(members)} members and {len(golden_rows)} golden rows",
            expected="at least one of each",
            do="repeat the command",
        )
    table_columns = tuple(table_columns)
    candidate, problem = study.candidate, study.problem
    if problem.form == "lists":
        columns = who_columns(table_columns)
    else:
        columns = plan_columns(table_columns, assessment.profile, assessment.acts)
    lay_plan(
        folder,
        problem=problem,
        columns=columns,
        members=members,
        calibration=candidate.calibration,
        ranges=candidate.ranges,
    )
    write_json(folder / "golden.json", [_golden(row) for row in golden_rows])
    facts = card_facts(label, study, assessment, source, columns)
    write_json(folder / "card.json", facts)
    (folder / "card.md").write_text(card_text(facts))
    return seal(folder, _unsealed(label, study, source, table_columns, members), key)


def _unsealed(
    label: Label,
    study: Study,
    source: Source,
    columns: Iterable[Column],
    members: Sequence[Fitted],
) -> Manifest:
    learners = tuple(
        {
            "name": member.hypothesis.name,
            "learner": member.hypothesis.learner,
            "settings": as_plain(dict(member.hypothesis.settings)),
            "weight": member.weight,
        }
        for member in members
    )
    return Manifest(
        format=FORMAT,
        everfit=_version("everfit") or "0",
        model=label.model,
        version=label.version,
        created_at=as_plain(label.created_at),
        problem=as_plain(study.problem),
        columns=tuple(as_plain(column) for column in columns),
        learners=learners,
        libraries=libraries(),
        data=as_plain(source) | ({"until": as_plain(label.until)} if label.until else {}),
    )


def _golden(row: Mapping[str, Any]) -> dict[str, Any]:
    """A golden row as ``serve.verify`` reads it."""
    history = {"history": as_plain(row["history"])} if "history" in row else {}
    return {"input": as_plain(row["values"]), "expected": as_plain(row["answer"])} | history


def libraries() -> dict[str, str]:
    """Versions of Python and of the libraries that a version may have been made with."""
    found = {name: version for name in LIBRARIES if (version := _version(name))}
    return {"python": platform.python_version(), **found}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
