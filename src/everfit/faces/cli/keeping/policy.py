"""The command ``policy``: the rules in force, and what others would have brought."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from everfit.faces.cli.everywhere import Face
from everfit.faces.cli.opening import house_of, settings_of
from everfit.faces.words.keeping.policy_table import table_text
from everfit.faces.words.keeping.rules import preview_text, rules_of, rules_text
from everfit.faces.words.shapes import dump, envelope
from everfit.house import House
from everfit.house.previewing import Champion, Preview, preview
from everfit.plain import from_plain
from everfit.records import Upkeep, Window
from everfit.settings import FILE, Settings, plan_run, upkeep_of
from everfit.watch.reference import read_reference


def do_policy(face: Face, model: str, given: Mapping[str, Any], days: int) -> None:
    """Print every rule; with rules given, the alerts that they would have brought instead."""
    settings = settings_of(face)
    asked = {
        ("error_budget.total" if name == "error_budget" else name): value
        for name, value in given.items()
        if value is not None
    }
    with house_of(face, settings) as house:
        champion = house.status(model)[0].champion
        metric = None if champion is None else champion.problem.metric
        upkeep = upkeep_of(settings, model, metric=metric)
        if asked:
            changed = upkeep_of(settings, model, metric=metric, given=asked)
            face.tell("Looking back, window by window, with both sets of rules ...")
            seen = _previews(house, model, (upkeep, changed), days)
            _tell_preview(face, model, asked, seen)
            return
    policy = plan_run(settings, model, {}).policy
    rules = rules_of(upkeep, policy, metric or "metric", _kept(settings))
    if face.as_json:
        face.data(dump(envelope("policy", model=model, rules=[asdict(rule) for rule in rules])))
        return
    serving = f"{champion.name} serves" if champion is not None else "no champion yet"
    file = _file(settings)
    face.data(rules_text(rules, f"{model}: the rules in force ({serving}; {file})", file))


def do_table(face: Face, model: str) -> None:
    """Print the policy table as the newest decision that weighed acts worked it out."""
    with house_of(face, settings_of(face)) as house:
        weighed = [s for s in house.steps(model, "action") if s.record["details"].get("table")]
    found = weighed[-1] if weighed else None
    if face.as_json:
        record = None if found is None else {"at": found.at, **found.record}
        face.data(dump(envelope("policy", model=model, weighed=record)))
    elif found is None:
        face.data(f"{model}: nothing was weighed yet; the first time is when outcomes have matured")
    else:
        face.data(table_text(model, found))


def _previews(
    house: House, model: str, rules: tuple[Upkeep, Upkeep], days: int
) -> tuple[Preview, Preview]:
    """What the rules in force brought, and what the changed ones would have."""
    windows = [
        from_plain(Window, step.record)
        for kind in ("asked", "matured")
        for step in house.steps(model, kind)
    ]
    answered = {window.version for window in windows}
    champions = {
        version.number: Champion(
            version, read_reference(house.folder(version), version=version.number)
        )
        for version in house.versions(model)
        if version.number in answered
    }
    # the days end where the windows do: a replayed data set may be years old
    now = max((w.end for w in windows if w.kind == "asked"), default=datetime.now(UTC))
    before, after = (
        preview(windows, champions, upkeep, model=model, now=now, days=days) for upkeep in rules
    )
    return before, after


def _tell_preview(
    face: Face, model: str, asked: Mapping[str, Any], seen: tuple[Preview, Preview]
) -> None:
    before, after = seen
    if face.as_json:
        shape = envelope("policy", model=model, given=asked, before=before, after=after)
        face.data(dump(shape))
    else:
        face.data(preview_text(before, after))


def _kept(settings: Settings) -> tuple[int | None, str]:
    days = settings.serve.get("keep_days")
    return days, "default" if days is None else f"{_file(settings)} [serve]"


def _file(settings: Settings) -> str:
    return Path(settings.path).name or FILE
