"""The settings of one run: who said what, merged by rank."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from everfit.errors import SettingsError
from everfit.settings.file import FILE, Settings
from everfit.settings.upkeep import has_rules, upkeep_of
from everfit.settings.values import BESIDE, ENVIRONMENT, MODEL, POLICY

if TYPE_CHECKING:  # records need numpy, for which a server that starts does not wait
    from everfit.records import Policy

DEFAULT_PLACE = ".everfit"


@dataclass(frozen=True, slots=True)
class Plan:
    """The values of one run after merging: ``values`` by name, ``set_by`` who said each of them."""

    values: Mapping[str, Any]
    set_by: Mapping[str, str]
    policy: Policy


def store_place(store: str | Path | None, settings: Settings | None) -> str:
    """The store's folder or URL: as given, else of settings, of ``EVERFIT_STORE``, ``./.everfit``.

    Examples
    --------
    >>> store_place("here", None), store_place(None, Settings(store="there"))
    ('here', 'there')
    """
    told = settings.store if settings is not None else None
    return str(store or told or os.environ.get("EVERFIT_STORE") or DEFAULT_PLACE)


def plan_run(
    settings: Settings,
    name: str | None,
    given: Mapping[str, Any],
    *,
    given_by: str = "command line",
    environ: Mapping[str, str] | None = None,
) -> Plan:
    """Merge what was ``given`` (None means: not said) with environment, file and defaults.

    ``given`` may hold the keys of a model section and of the policy. ``kinds`` and ``roles`` are
    merged column by column, all others are replaced whole. Keys that nobody set are left out of
    ``values``, so that the defaults stay where they are written down: in the request.

    Raises
    ------
    SettingsError : a value cannot be used, or rules of the policy contradict each other

    Examples
    --------
    >>> plan = plan_run(Settings(run={"budget": 30.0}), None, {"seed": 7}, environ={})
    >>> plan.values["budget"], plan.values["seed"], plan.set_by["budget"]
    (30.0, 7, 'everfit.toml [run]')
    """
    from everfit.records import Policy

    environ = os.environ if environ is None else environ
    if has_rules(settings, name or ""):
        upkeep_of(settings, name or "")  # a policy that cannot hold is refused before work begins
    file = Path(settings.path).name or FILE
    outside = {key: environ[word] for word, key in ENVIRONMENT.items() if environ.get(word)}
    said = {key: value for key, value in given.items() if value is not None}
    layers: list[tuple[str, Mapping[str, Any]]] = [
        (f"{file} [run]", settings.run),
        (f"{file} [policy]", _limits(settings.policy)),
        (f"{file} [models.{name}]", settings.models.get(name or "", {})),
        ("environment", _accepted(outside, "environment")),
        (given_by, _accepted(said, given_by)),
    ]
    values: dict[str, Any] = {}
    set_by: dict[str, str] = {}
    for who, layer in layers:
        for key, value in _flat(layer).items():
            joined = key in ("kinds", "roles")
            values[key] = {**values.get(key, {}), **value} if joined else value
            set_by[key] = who
    limits = {key: values.pop(key) for key in POLICY if key in values}
    policy = Policy(**limits, set_by={key: set_by[key] for key in limits})
    return Plan(values, {k: v for k, v in set_by.items() if k not in limits}, policy)


def limits_of(policy: Policy) -> dict[str, float]:
    """The limits of ``policy`` that are not the default: those that somebody chose.

    Examples
    --------
    >>> from everfit.records import Policy
    >>> limits_of(Policy(alpha=0.01))
    {'alpha': 0.01}
    """
    from everfit.records import Policy

    usual = Policy()
    return {key: value for key in POLICY if (value := getattr(policy, key)) != getattr(usual, key)}


def _flat(layer: Mapping[str, Any]) -> dict[str, Any]:
    # a model section may carry its own [models.<name>.policy]
    plain = {k: v for k, v in layer.items() if k not in BESIDE}
    return {**plain, **_limits(layer.get("policy", {}))}


def _limits(policy: Mapping[str, Any]) -> dict[str, Any]:
    # the rules of upkeep are not of one run
    return {k: v for k, v in policy.items() if k in POLICY}


def _accepted(values: Mapping[str, Any], who: str) -> dict[str, Any]:
    readers = {**MODEL, **POLICY}
    accepted: dict[str, Any] = {}
    for key, value in values.items():
        if key == "learners" and not isinstance(value, str):
            accepted[key] = tuple(value)  # a call may give objects instead of texts
            continue
        try:
            accepted[key] = readers[key](value)
        except ValueError as error:
            raise SettingsError(
                f"{key} cannot be used (from the {who})", got=repr(value), expected=str(error)
            ) from error
    return accepted
