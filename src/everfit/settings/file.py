"""The settings file: found, read, and checked name by name."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from everfit.alert.targets import Target
from everfit.errors import SettingsError
from everfit.settings.explore import read_explore
from everfit.settings.facts import read_facts
from everfit.settings.feeds import read_feeds
from everfit.settings.places import Place, known, table, values
from everfit.settings.rules import lines_of, read_rules
from everfit.settings.telling import read_alerts
from everfit.settings.values import BESIDE, LIMITS, MODEL, POLICY, RUN, SERVE, SOURCE, STORE

FILE = "everfit.toml"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the settings file says, checked; all maps are empty without a file.

    ``store`` is already resolved: environment before file, None where neither says anything.
    ``files`` too: the folder of versions and finished work when the store is a database by URL.
    ``lines`` says where a rule stands: ``policy.floor`` -> ``everfit.toml, line 4``.
    """

    path: str = ""
    store: str | None = None
    files: str | None = None
    run: Mapping[str, Any] = field(default_factory=dict)
    policy: Mapping[str, Any] = field(default_factory=dict)
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    serve: Mapping[str, Any] = field(default_factory=dict)
    alerts: tuple[Target, ...] = ()
    lines: Mapping[str, str] = field(default_factory=dict)


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
        return Settings(
            store=environ.get("EVERFIT_STORE") or None, files=environ.get("EVERFIT_FILES") or None
        )
    try:
        text = file.read_text(encoding="utf-8-sig")
        plain = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{file} is not valid TOML", got=str(error), do="compare with: everfit init --print"
        ) from error
    return _checked(plain, Place(str(file), text), environ)


def _checked(plain: Mapping[str, Any], place: Place, environ: Mapping[str, str]) -> Settings:
    known(plain, "", ("store", "run", "policy", "models", "serve", "alerts"), place)
    base = Path(place.file).resolve().parent
    kept = values(table(plain, "", "store", place), "store", STORE, place)
    store, files = kept.get("path"), kept.get("files")
    if store is not None and "://" not in store:
        store = str(base / store)  # a path in a file is meant from that file's folder
    lines: dict[str, str] = {}
    policy = _policy(plain, "", lines, place)
    serve = _serve(table(plain, "", "serve", place), base, place)
    if "keep_days" in serve:
        lines["serve.keep_days"] = place.line("serve", "keep_days")
    return Settings(
        path=place.file,
        store=environ.get("EVERFIT_STORE") or store,
        files=environ.get("EVERFIT_FILES") or (None if files is None else str(base / files)),
        run=values(table(plain, "", "run", place), "run", RUN, place),
        policy=policy,
        models=_models(table(plain, "", "models", place), base, lines, place),
        serve=serve,
        alerts=read_alerts(table(plain, "", "alerts", place), place),
        lines=lines,
    )


def _policy(
    plain: Mapping[str, Any], section: str, lines: dict[str, str], place: Place
) -> dict[str, Any]:
    """The policy below ``section``; where its rules stand is put into ``lines``."""
    inner = f"{section}.policy" if section else "policy"
    rules = read_rules(table(plain, section, "policy", place), inner, POLICY, place)
    lines |= lines_of(rules, inner, place)
    return rules


def _models(
    sections: Mapping[str, Any], base: Path, lines: dict[str, str], place: Place
) -> dict[str, dict[str, Any]]:
    models: dict[str, dict[str, Any]] = {}
    for name in sections:
        where = f"models.{name}"
        one = table(sections, "models", name, place)
        rest = {k: v for k, v in one.items() if k not in BESIDE}
        policy = _policy(one, where, lines, place)
        models[name] = values(rest, where, MODEL, place)
        if policy:
            models[name]["policy"] = policy
        if sources := _sources(table(one, where, "sources", place), where, base, place):
            models[name]["sources"] = sources
        if feeds := read_feeds(table(one, where, "feeds", place), where, base, place):
            models[name]["feeds"] = feeds
        if facts := read_facts(table(one, where, "facts", place), where, place):
            models[name]["facts"] = facts
        if explore := read_explore(table(one, where, "explore", place), where, place):
            models[name]["explore"] = explore
        source = models[name].get("source")
        if source is not None and "://" not in source:
            models[name]["source"] = str(base / source)
    return models


def _sources(
    sections: Mapping[str, Any], where: str, base: Path, place: Place
) -> dict[str, dict[str, Any]]:
    """The sources of a model's events, by name: file or URL, key, time."""
    found = {}
    for name in sections:
        section = f"{where}.sources.{name}"
        one = values(table(sections, f"{where}.sources", name, place), section, SOURCE, place)
        for needed in ("source", "key", "time"):
            if needed not in one:
                raise SettingsError(
                    f"{place.line(section, '')}: the source {name!r} has no {needed}",
                    got=", ".join(one) or "nothing",
                    expected="source, key and time",
                    do=f"add {needed} to [{section}]",
                )
        if "://" not in one["source"]:
            one["source"] = str(base / one["source"])
        if "reread" in one:
            one["reread_s"] = one.pop("reread")
        found[name] = one
    return found


def _serve(section: Mapping[str, Any], base: Path, place: Place) -> dict[str, Any]:
    limits = values(table(section, "serve", "limits", place), "serve.limits", LIMITS, place)
    rest = {key: value for key, value in section.items() if key != "limits"}
    read = values(rest, "serve", SERVE, place)
    if "spool" in read:
        read["spool"] = str(base / read["spool"])
    return read | ({"limits": limits} if limits else {})
