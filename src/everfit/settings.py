"""What ``everfit.toml``, the environment and the command line ask for, merged into one plan.

The first of these that says something wins, and the plan remembers who it was::

    command line or call  >  environment  >  [models.<name>]  >  [run] or [policy]  >  default

An unknown name is an error with its line and the nearest known name: a misspelt limit that is
silently left out would be worse than no limit.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from everfit.errors import SettingsError
from everfit.records import Kind, Policy, Role

FILE = "everfit.toml"
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_TIME = re.compile(
    r"\s*(\d+(?:\.\d+)?)\s*(ms|s|secs?|seconds?|m|mins?|minutes?|h|hours?|d|days?)?(?![a-z])"
)


def read_budget(value: str | float) -> float:
    """A length of time as seconds: ``60``, ``"60s"``, ``"1h30m"``, ``"10 min"``.

    Raises
    ------
    SettingsError : the text is no time, or not above zero

    Examples
    --------
    >>> read_budget("1h30m"), read_budget("90"), read_budget(2.5)
    (5400.0, 90.0, 2.5)
    """
    seconds, text = 0.0, str(value).strip().lower()
    at = 0
    while at < len(text):
        part = _TIME.match(text, at)
        if part is None or part.end() == at:
            seconds = 0.0
            break
        unit = part[2] or "s"
        seconds += float(part[1]) * UNITS[unit if unit in UNITS else unit[0]]
        at = part.end()
    if not 0 < seconds < float("inf"):
        raise SettingsError(
            "the budget cannot be read",
            got=repr(value),
            expected="a time above zero, such as 60s, 10m or 1h30m",
            do="give --budget 60s, or budget=60",
        )
    return seconds


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a text")
    return value


def _whole(value: Any) -> int:
    if isinstance(value, str) and re.fullmatch(r"\d+", value.strip()):
        return int(value)  # from the environment
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("a whole number from 0")
    return value


def _number(value: Any, low: float, high: float) -> float:
    expected = f"a number from {low:g} to {high:g}"
    try:
        number = float("nan") if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        raise ValueError(expected) from None
    if not low <= number <= high:
        raise ValueError(expected)
    return number


def _names(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if not isinstance(value, (list, tuple)) or not all(isinstance(v, str) for v in value):
        raise ValueError("a list of texts")
    return tuple(value)


def _header(value: Any) -> bool | tuple[str, ...]:
    return value if isinstance(value, bool) else _names(value)


def _choice(choices: tuple[str, ...]) -> Callable[[Any], dict[str, str]]:
    def read(value: Any) -> dict[str, str]:
        if not isinstance(value, Mapping) or not all(v in choices for v in value.values()):
            expected = f'a table such as {{column = "{choices[0]}"}}, with one of: '
            raise ValueError(expected + ", ".join(choices))
        return dict(value)

    return read


POLICY: dict[str, Callable[[Any], Any]] = {
    "alpha": lambda value: _number(value, 1e-6, 0.5),
    "latency_ms": lambda value: _number(value, 1e-3, 1e6),
    "guardrail": lambda value: _number(value, 0.0, 100.0),
    "min_gain": lambda value: _number(value, 0.0, 1e12),
}
RUN: dict[str, Callable[[Any], Any]] = {
    "budget": read_budget,
    "seed": _whole,
    "metric": _text,
    "task": _text,
    "kinds": _choice(get_args(Kind)),
    "roles": _choice(get_args(Role)),
    "header": _header,
    "query": _text,
    "learners": _names,
}
MODEL: dict[str, Callable[[Any], Any]] = {"source": _text, "target": _text, **RUN}
STORE: dict[str, Callable[[Any], Any]] = {"path": _text}
ENVIRONMENT = {f"EVERFIT_{key.upper()}": key for key in ("budget", "seed", "metric", *POLICY)}


@dataclass(frozen=True, slots=True)
class Settings:
    """What the settings file says, checked; all maps are empty without a file.

    ``store`` is already resolved: environment before file, None where neither says anything.
    """

    path: str = ""
    store: str | None = None
    run: Mapping[str, Any] = field(default_factory=dict)
    policy: Mapping[str, Any] = field(default_factory=dict)
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """The values of one run after merging: ``values`` by name, ``set_by`` who said each of them."""

    values: Mapping[str, Any]
    set_by: Mapping[str, str]
    policy: Policy


def read_settings(
    path: str | Path | None = None, *, environ: Mapping[str, str] | None = None
) -> Settings:
    """Read ``path``, or ``EVERFIT_CONFIG``, or ``./everfit.toml`` when it is there.

    Raises
    ------
    SettingsError : the named file is missing, is no TOML, or holds an unknown name or wrong value
    """
    environ = os.environ if environ is None else environ
    named = path or environ.get("EVERFIT_CONFIG")
    file = Path(named or FILE)
    if not file.is_file():
        if named:
            raise SettingsError(
                f"there is no settings file {str(file)!r}",
                expected="a TOML file",
                do="write one with: everfit init",
            )
        return Settings(store=environ.get("EVERFIT_STORE") or None)
    try:
        text = file.read_text(encoding="utf-8-sig")
        plain = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{file} is not valid TOML", got=str(error), do="compare with: everfit init --print"
        ) from error
    return _checked(plain, _Place(str(file), text), environ)


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
    SettingsError : a value cannot be used

    Examples
    --------
    >>> plan = plan_run(Settings(run={"budget": 30.0}), None, {"seed": 7}, environ={})
    >>> plan.values["budget"], plan.values["seed"], plan.set_by["budget"]
    (30.0, 7, 'everfit.toml [run]')
    """
    environ = os.environ if environ is None else environ
    file = Path(settings.path).name or FILE
    outside = {key: environ[word] for word, key in ENVIRONMENT.items() if environ.get(word)}
    said = {key: value for key, value in given.items() if value is not None}
    layers: list[tuple[str, Mapping[str, Any]]] = [
        (f"{file} [run]", settings.run),
        (f"{file} [policy]", settings.policy),
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
    >>> limits_of(Policy(alpha=0.01))
    {'alpha': 0.01}
    """
    usual = Policy()
    return {key: value for key in POLICY if (value := getattr(policy, key)) != getattr(usual, key)}


def _flat(layer: Mapping[str, Any]) -> dict[str, Any]:
    # a model section may carry its own [models.<name>.policy]
    return {**{k: v for k, v in layer.items() if k != "policy"}, **layer.get("policy", {})}


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


@dataclass(frozen=True, slots=True)
class _Place:
    """A file and its text, to say on which line a name stands."""

    file: str
    text: str

    def line(self, section: str, key: str) -> str:
        """``everfit.toml, line 4``: where ``key`` of ``section`` is written, found by scanning."""
        current, fallback = "", 0
        for number, line in enumerate(self.text.splitlines(), start=1):
            head = re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line)
            if head:
                current = head[1].replace('"', "").replace("'", "").replace(" ", "")
                fallback = number if current == section else fallback
                if current == (f"{section}.{key}" if section else key):
                    return f"{self.file}, line {number}"
            elif current == section and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[=.]", line):
                return f"{self.file}, line {number}"
        return f"{self.file}, line {fallback}" if fallback else self.file


def _checked(plain: Mapping[str, Any], place: _Place, environ: Mapping[str, str]) -> Settings:
    _known(plain, "", ("store", "run", "policy", "models"), place)
    base = Path(place.file).resolve().parent
    store = _section(_table(plain, "", "store", place), "store", STORE, place).get("path")
    if store is not None and "://" not in store:
        store = str(base / store)  # a path in a file is meant from that file's folder
    models: dict[str, dict[str, Any]] = {}
    sections = _table(plain, "", "models", place)
    for name in sections:
        where = f"models.{name}"
        table = _table(sections, "models", name, place)
        policy = _section(_table(table, where, "policy", place), f"{where}.policy", POLICY, place)
        rest = {key: value for key, value in table.items() if key != "policy"}
        models[name] = _section(rest, where, MODEL, place)
        if policy:
            models[name]["policy"] = policy
        source = models[name].get("source")
        if source is not None and "://" not in source:
            models[name]["source"] = str(base / source)
    return Settings(
        path=place.file,
        store=environ.get("EVERFIT_STORE") or store,
        run=_section(_table(plain, "", "run", place), "run", RUN, place),
        policy=_section(_table(plain, "", "policy", place), "policy", POLICY, place),
        models=models,
    )


def _table(plain: Mapping[str, Any], section: str, key: str, place: _Place) -> Mapping[str, Any]:
    value = plain.get(key, {})
    if not isinstance(value, Mapping):
        raise _wrong(place, section, key, value, f"a section, written [{key}]")
    return value


def _section(
    table: Mapping[str, Any],
    section: str,
    readers: Mapping[str, Callable[[Any], Any]],
    place: _Place,
) -> dict[str, Any]:
    _known(table, section, tuple(readers), place)
    values: dict[str, Any] = {}
    for key, value in table.items():
        try:
            values[key] = readers[key](value)
        except ValueError as error:
            raise _wrong(place, section, key, value, str(error)) from error
        except SettingsError as error:
            raise _wrong(place, section, key, value, error.expected) from error
    return values


def _known(table: Mapping[str, Any], section: str, known: tuple[str, ...], place: _Place) -> None:
    for key in table:
        if key in known:
            continue
        # names of settings are short and few, so a looser match than for columns helps
        hint = difflib.get_close_matches(key, known, n=3, cutoff=0.4)
        raise SettingsError(
            f"{place.line(section, key)}: there is no setting {key!r}"
            + (f" in [{section}]" if section else ""),
            got=key,
            expected=", ".join(sorted(known)),
            do=f"did you mean {', '.join(map(repr, hint))}?" if hint else "remove the line",
        )


def _wrong(place: _Place, section: str, key: str, value: Any, expected: str) -> SettingsError:
    name = f"{section}.{key}" if section else key
    return SettingsError(
        f"{place.line(section, key)}: {name} cannot be used", got=repr(value), expected=expected
    )
