"""The part of ``[policy]`` that says how a model that serves is looked after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING
from pathlib import Path
from typing import TYPE_CHECKING, Any

from everfit.settings.contradictions import Said, refuse
from everfit.settings.file import FILE, Settings
from everfit.settings.places import Place
from everfit.settings.rules import BUDGETS, NAMES, READERS, read_rules

if TYPE_CHECKING:  # records need numpy, for which a server that starts does not wait
    from everfit.records import Upkeep

DAY_S = 86_400.0


def upkeep_of(
    settings: Settings,
    model: str,
    *,
    metric: str | None = None,
    given: Mapping[str, Any] | None = None,
    given_by: str = "command line",
) -> Upkeep:
    """The rules of upkeep for ``model``, and in ``set_by`` who set each field.

    ``set_by`` has the names of the fields, and ``shares.drift`` or ``guardrails.plan=trial`` for
    parts of a field; what it does not name is the default. A rollback window or trial that nobody
    set grows with the label delay.

    Parameters
    ----------
    metric : what people read of this model; without one what the settings say, if anything
    given : rules by their name in the file, flat, that win over the file

    Raises
    ------
    SettingsError : a value cannot be used, or rules contradict each other; says the line

    Examples
    --------
    >>> upkeep = upkeep_of(Settings(policy={"floor": 0.8}), "churn")
    >>> upkeep.floor, upkeep.set_by["floor"], upkeep.label_delay_s
    (0.8, 'everfit.toml [policy]', 0.0)
    """
    from everfit.records import Upkeep

    file = Path(settings.path).name or FILE
    own = settings.models.get(model, {})
    sections = (
        ("policy", f"{file} [policy]", settings.policy),
        (f"models.{model}.policy", f"{file} [models.{model}]", own.get("policy", {})),
        ("", given_by, _read_given(given or {}, given_by)),
    )
    rules: dict[str, Any] = {}
    who: dict[str, str] = {}
    lines: dict[str, str] = {}
    for section, by, said in sections:
        for name, value in said.items():
            if name in READERS or name.partition(".")[0] in NAMES:
                rules[name], who[name] = value, by
                lines[name] = settings.lines.get(f"{section}.{name}", by) if section else by
    fields = {READERS[name][0]: value for name, value in rules.items() if name in READERS}
    set_by = {READERS[name][0]: by for name, by in who.items() if name in READERS}
    _errors(rules, who, fields, set_by)
    _guardrails(rules, who, fields, set_by)
    if said := {name[6:]: act for name, act in rules.items() if name.startswith("table.")}:
        fields["table"] = said
        set_by["table"] = next(by for name, by in who.items() if name.startswith("table."))
    _grown(fields, set_by, _default("rollback_window_s"), _default("trial_s"))
    upkeep = Upkeep(**fields, set_by=set_by)
    told = Said(
        lines=lines,
        metric=metric or own.get("metric") or settings.run.get("metric"),
        keep_days=settings.serve.get("keep_days"),
        keep_line=settings.lines.get("serve.keep_days", ""),
        targets=tuple(target.name for target in settings.alerts),
    )
    refuse(upkeep, told)
    return upkeep


def tell_of(settings: Settings, model: str) -> tuple[str, ...] | None:
    """Names of the targets that are told about ``model``, None for all.

    A policy that contradicts itself stops the loop, and must not stop who would tell of it.
    """
    own = settings.models.get(model, {}).get("policy", {})
    found: tuple[str, ...] | None = {**settings.policy, **own}.get("tell")
    return found


def has_rules(settings: Settings, model: str) -> bool:
    """Whether the settings file says anything of how ``model`` is looked after.

    Examples
    --------
    >>> has_rules(Settings(policy={"floor": 0.8}), "churn"), has_rules(Settings(), "churn")
    (True, False)
    """
    own = settings.models.get(model, {}).get("policy", {})
    return any(name.partition(".")[0] in NAMES for name in (*settings.policy, *own))


def _default(field: str) -> float:
    from everfit.records import Upkeep

    default = Upkeep.__dataclass_fields__[field].default
    return 0.0 if default is MISSING else float(default)


def _read_given(given: Mapping[str, Any], by: str) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for name, value in given.items():
        outer, dot, inner = name.partition(".")
        if dot:
            nested.setdefault(outer, {})[inner] = value
        else:
            nested[name] = value
    return read_rules(nested, by, {}, Place(by, ""))


def _errors(
    rules: Mapping[str, Any], who: Mapping[str, str], fields: dict[str, Any], set_by: dict[str, str]
) -> None:
    from everfit.records import Upkeep

    if "error_budget.total" in rules:
        fields["error_budget"] = rules["error_budget.total"]
        set_by["error_budget"] = who["error_budget.total"]
    shares = {name: rules[key] for name in BUDGETS if (key := f"error_budget.{name}") in rules}
    if shares:
        fields["shares"] = {**Upkeep().shares, **shares}
        set_by |= {f"shares.{name}": who[f"error_budget.{name}"] for name in shares}
        set_by["shares"] = who[f"error_budget.{list(shares)[-1]}"]


def _guardrails(
    rules: Mapping[str, Any], who: Mapping[str, str], fields: dict[str, Any], set_by: dict[str, str]
) -> None:
    prefix = "guardrails."
    found = {name.removeprefix(prefix): name for name in rules if name.startswith(prefix)}
    if found:
        fields["guardrails"] = {segment: rules[name] for segment, name in found.items()}
        set_by |= {name: who[name] for name in found.values()}
        set_by["guardrails"] = who[list(found.values())[-1]]


def _grown(
    fields: dict[str, Any], set_by: dict[str, str], rollback_s: float, trial_s: float
) -> None:
    from everfit.evidence.trial.dispersion import least_time_s

    window_s = fields.get("window_s", DAY_S)
    delay_s = fields.get("label_delay_s", 0.0)
    # outcomes of at least a week of windows, and as many as an answer is read after
    for field, usual_s, windows in (("rollback_window_s", rollback_s, 7), ("trial_s", trial_s, 30)):
        needed_s = max(delay_s + windows * window_s, least_time_s(window_s))
        if field not in fields and needed_s > usual_s:
            fields[field] = needed_s
            set_by[field] = "default, grown with label_delay and window"
