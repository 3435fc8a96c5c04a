"""What a run of a model found, and what lies in a version's folder, as records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from everfit.errors import ArtefactRefused, Refused
from everfit.house import House
from everfit.plain import from_plain
from everfit.records import Assessment, Study, Version
from everfit.serve import Scorer

CARD = "card.md"


def study_of(house: House, model: str, version: Version | None = None) -> Study:
    """The study that made ``version``; without one, that of the newest run that made one.

    Raises
    ------
    ModelUnknown : no such model
    Refused : no run of it came to an end
    """
    run = version.run if version is not None else None
    plain = house.result(model, run=run).get("study")
    if not plain:
        raise Refused(
            f"no run of {model!r} came to an end",
            expected="a finished run",
            do=f"everfit run DATA --target NAME --name {model}",
        )
    return from_plain(Study, plain)


def assessment_of(house: House, model: str, version: Version | None = None) -> Assessment | None:
    """The assessment of the run that made ``version``, or of the newest one, if it kept one."""
    run = version.run if version is not None else None
    plain = house.result(model, run=run).get("assessment")
    return from_plain(Assessment, plain) if plain else None


def scorer_of(house: House, model: str, version: str | None = None) -> tuple[Version, Scorer]:
    """A version, the champion by default, and its scoring plan; its hashes are checked first.

    Raises
    ------
    ModelUnknown : no such model or version
    Refused : it has no champion
    ArtefactRefused : its files are not what was released
    """
    return house.scorer(model, version)


def card_of(house: House, model: str, version: str | None = None) -> str:
    """The model card that was packed with a version, the champion by default."""
    return _read(house, house.version(model, version), CARD)


def schema_of(house: House, model: str, version: str | None = None) -> list[Mapping[str, Any]]:
    """The columns that a version, the champion by default, reads: kind, levels, range, default."""
    _, scorer = scorer_of(house, model, version)
    return [
        {
            "name": item.column.name,
            "kind": item.column.kind,
            "levels": item.column.levels or sorted(scorer.known.get(item.column.name, ())),
            "low": item.low,
            "high": item.high,
            "default": item.default,
        }
        for item in scorer.asked
    ]


def _read(house: House, version: Version, name: str) -> str:
    try:
        return (house.folder(version) / name).read_text(encoding="utf-8")
    except OSError as error:
        raise ArtefactRefused(
            f"{version.model} {version.name} has no readable {name}",
            got=str(error),
            expected=f"{name} in {version.folder}",
            do=f"everfit rollback {version.model}",
        ) from error
