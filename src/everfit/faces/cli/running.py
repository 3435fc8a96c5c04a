"""The commands that work on data: ``run`` and ``assess``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from everfit.errors import UsageError
from everfit.faces.asked import one_item
from everfit.faces.cli.everywhere import Face, pairs
from everfit.faces.cli.opening import house_of, polite_stop, settings_of
from everfit.faces.progress import teller
from everfit.faces.words.block import final_block
from everfit.faces.words.figures import place
from everfit.faces.words.findings import assessment_text
from everfit.faces.words.paint import painted, terminal_text
from everfit.faces.words.shapes import assess_shape, dump, run_shape
from everfit.loop import Request, named
from everfit.settings import Settings, plan_run

INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Asked:
    """What stood on the command line, as texts; None and empty mean that nothing was said."""

    source: str | None = None
    target: str | None = None
    name: str | None = None
    kinds: list[str] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)
    columns: Mapping[str, str | None] = field(default_factory=dict)
    drop: list[str] = field(default_factory=list)
    header: bool | None = None
    names: str | None = None
    query: str | None = None
    budget: str | None = None
    seed: int | None = None
    metric: str | None = None
    task: str | None = None
    learners: list[str] = field(default_factory=list)
    limits: Mapping[str, float | None] = field(default_factory=dict)
    items: str | None = None


def do_run(face: Face, asked: Asked) -> None:
    """Run the loop once and print its final block, or the same as JSON."""
    settings = settings_of(face)
    request = request_of(asked, settings, face)
    tell = teller(
        face.mode,
        sys.stderr,
        budget_s=request.budget_s,
        started=request.started,
        color=face.color,
    )
    with house_of(face, settings) as house, tell, polite_stop(tell.say) as stop:
        result = house.run(request, tell)
    if face.as_json:
        shape = run_shape(result, budget_s=request.budget_s, interrupted=stop.asked)
        face.data(dump(shape))
    else:
        block = final_block(result, budget_s=request.budget_s, width=face.width)
        face.data(terminal_text(painted(block)) if face.paints else block)
    if stop.asked:
        raise typer.Exit(INTERRUPTED)


def do_assess(face: Face, asked: Asked) -> None:
    """Assess the data, print the findings, and keep them in the ledger of the model."""
    settings = settings_of(face)
    request = request_of(asked, settings, face)
    tell = teller(
        face.mode,
        sys.stderr,
        budget_s=request.budget_s,
        started=request.started,
        color=face.color,
    )
    with house_of(face, settings) as house, tell:
        assessment = house.assess(request, tell, save=True)
        kept_in = house.place
    model = named(request)
    if face.as_json:
        face.data(dump(assess_shape(assessment, model=model, store=kept_in)))
    else:
        face.data(assessment_text(assessment, full=face.verbose))
    face.tell(f"Kept in {place(kept_in)}: everfit why {model}")


def request_of(asked: Asked, settings: Settings, face: Face) -> Request:
    """What is asked of the loop: command line, environment and settings file in one.

    Raises
    ------
    UsageError : no source or no target is named anywhere
    SettingsError : a value cannot be used
    """
    asked_source, name = asked.source, asked.name
    if name is None and _is_model(asked_source, settings):
        # ``everfit run churn`` where the file knows churn
        asked_source, name = None, asked_source
    plan = plan_run(settings, name, {**_said(asked), "source": asked_source})
    values = dict(plan.values)
    source, target = values.pop("source", None), values.pop("target", None)
    beside = {"items": values.pop("items")} if "items" in values else {}
    if source is None:
        raise UsageError(
            "no source is named",
            expected="a file, a pattern, a database URL, or a model of everfit.toml",
            do="everfit run data.csv --target NAME",
        )
    if target is None:
        raise UsageError(
            "no target is named", expected="the column to predict", do=_missing(values)
        )
    if "budget" in values:
        values["budget_s"] = values.pop("budget")
    # what nobody set keeps the request's own default
    return Request(
        source,
        target,
        name=name,
        policy=plan.policy,
        started=face.started,
        beside=beside,
        **values,
    )


def _missing(values: Mapping[str, Any]) -> str:
    return "add --item NAME" if values.get("task") == "recommend" else "add --target NAME"


def _is_model(source: str | None, settings: Settings) -> bool:
    return source is not None and source in settings.models and not Path(source).exists()


def _said(asked: Asked) -> dict[str, Any]:
    roles = pairs(asked.roles, "--role")
    for role, column in asked.columns.items():
        if column is not None and role != "item":
            roles[column] = "group" if role == "user" else role
    target = one_item(asked.target, asked.columns.get("user"), asked.columns.get("item"))
    roles.update(dict.fromkeys(asked.drop, "ignore"))
    if asked.names is not None and asked.header:
        raise UsageError(
            "--header and --names ask for opposite things",
            do="leave --header out: --names is for files without names",
        )
    return {
        "target": target,
        "items": asked.items,
        "kinds": pairs(asked.kinds, "--kind") or None,
        "roles": roles or None,
        "header": asked.names if asked.names is not None else asked.header,
        "query": asked.query,
        "budget": asked.budget,
        "seed": asked.seed,
        "metric": asked.metric,
        "task": asked.task,
        "learners": tuple(asked.learners) or None,
        **asked.limits,
    }
