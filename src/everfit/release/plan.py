"""The scoring plan of a version: columns with their ranges, members with their parts, as data."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from everfit.errors import ArtefactRefused
from everfit.plain import as_plain
from everfit.records import (
    Act,
    Candidate,
    Column,
    ColumnProfile,
    Hypothesis,
    Problem,
    Profile,
    Ranges,
)

FORMAT = 1
# what a fit leaves for the study alone
NOT_PACKED = ("fit.json", "answers.npz", "golden.npy", "golden_rows.json", "golden_past.json")
TRUE_WORDS = ("true", "yes", "y", "t", "1")


@dataclass(frozen=True, slots=True)
class Fitted:
    """One fitted model to pack: its share of the answer, its files, its part of the plan."""

    weight: float
    folder: Path
    part: Mapping[str, Any]
    hypothesis: Hypothesis


def fitted_members(candidate: Candidate) -> tuple[Fitted, ...]:
    """The fitted models of a candidate, as the study left them: ``fit.json`` holds the part.

    A member that was not refitted counts with all its fold models, each with an equal share.

    Raises
    ------
    ArtefactRefused : the files of a member are gone
    """
    members = []
    for member in candidate.members:
        for name in member.folders:
            folder = Path(name)
            try:
                part = json.loads((folder / "fit.json").read_text())["part"]
            except (OSError, ValueError, KeyError) as error:
                raise ArtefactRefused(
                    f"the files of trial {member.trial} cannot be packed",
                    got=f"{type(error).__name__} in {folder}",
                    expected="fit.json and the files that the learner saved",
                    do="repeat the command: the trial is then fitted again",
                ) from error
            share = member.weight / len(member.folders)
            members.append(Fitted(share, folder, part, member.hypothesis))
    return tuple(members)


def lay_plan(
    folder: Path,
    *,
    problem: Problem,
    columns: Sequence[Mapping[str, Any]],
    members: Sequence[Fitted],
    calibration: Mapping[str, float],
    ranges: Ranges | None = None,
) -> dict[str, Any]:
    """Copy the files of all members into ``folder`` and write ``plan.json`` beside them.

    Raises
    ------
    OSError : the disk refused
    """
    total = sum(member.weight for member in members) or 1.0
    placed = []
    for number, member in enumerate(members):
        name = f"m{number}"
        shutil.copytree(member.folder, folder / name, ignore=shutil.ignore_patterns(*NOT_PACKED))
        part = as_plain(dict(member.part))
        placed.append({"weight": member.weight / total, "folder": name, "part": part})
    plan: dict[str, Any] = {
        "format": FORMAT,
        "form": problem.form,
        "labels": list(problem.labels),
        "label_type": problem.label_type,
        "columns": [dict(column) for column in columns],
        "members": placed,
        "calibration": as_plain(dict(calibration)),
    }
    if ranges is not None:
        plan["ranges"] = as_plain(ranges)
    if (history := _history(placed)) is not None:
        plan["history"] = history
    write_json(folder / "plan.json", plan)
    return plan


def _history(placed: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Which members read history, how many events and of which key; None when none does."""
    readers = [
        (one["folder"], one["part"]["history"]) for one in placed if "history" in one["part"]
    ]
    if not readers:
        return None
    events = max(int(reads["events"]) for _, reads in readers)
    members = [folder for folder, _ in readers]
    return {**readers[0][1], "events": events, "members": members}


def who_columns(columns: Iterable[Column]) -> tuple[dict[str, Any], ...]:
    """What a version of lists asks for: who wants a list, and when; now, where that is not said."""
    kept = [next((c for c in columns if c.role == role), None) for role in ("group", "time")]
    empty = {"low": None, "high": None, "default": None}
    return tuple({**as_plain(column), **empty} for column in kept if column is not None)


def plan_columns(
    columns: Iterable[Column], profile: Profile, acts: Iterable[Act]
) -> tuple[dict[str, Any], ...]:
    """The features that a version asks for, each with its training range and its default.

    ``low`` and ``high`` are the ends of a number's training range. ``default`` stands in for a
    column that is not given at all: missing where training rows had missing values, else the
    median or the most frequent value. Values that the assessment found to be disguised missing
    ones are missing for the version too.
    """
    acts = tuple(acts)
    dropped = {act.column for act in acts if act.kind == "drop_column"}
    facts = {column.name: column for column in profile.columns}
    planned = []
    for column in columns:
        if column.role != "feature" or column.name in dropped:
            continue
        blanks = [v for a in acts if (a.kind, a.column) == ("blank", column.name) for v in a.values]
        marks = tuple(dict.fromkeys((*column.missing_marks, *blanks)))
        fact = facts.get(column.name)
        plain = as_plain(replace(column, missing_marks=marks))
        low, high = _range(fact, blanks)
        default = _default(column, fact) if not blanks else None
        planned.append({**plain, "low": low, "high": high, "default": default})
    return tuple(planned)


def write_json(path: Path, value: Any) -> None:
    """Write JSON that reads well and never holds NaN."""
    path.write_text(json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def _range(fact: ColumnProfile | None, blanks: Sequence[str]) -> tuple[float | None, float | None]:
    if fact is None or len(fact.quantiles) != 7:
        return None, None
    blank = set(map(_number, blanks))
    ends = []
    for end, near in ((0, 1), (6, 5)):
        # a disguised missing value such as 99999999 may be the profile's end: step inside
        sound = [q for q in (fact.quantiles[end], fact.quantiles[near]) if q not in blank]
        ends.append(float(sound[0]) if sound else None)
    return ends[0], ends[1]


def _default(column: Column, fact: ColumnProfile | None) -> Any:
    if fact is None or fact.n_missing or column.kind in ("date", "text"):
        return None
    if column.kind == "number":
        return float(fact.quantiles[3]) if len(fact.quantiles) == 7 else None
    if not fact.top:
        return None
    value = fact.top[0][0]
    if column.kind != "boolean":
        return value
    true = column.levels[1:2] or TRUE_WORDS
    return value.lower() in {*TRUE_WORDS, *(word.lower() for word in true)}


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
