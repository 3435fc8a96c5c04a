"""The settings file: found, read, and checked name by name."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from everfit.errors import SettingsError
from everfit.settings.values import LIMITS, MODEL, POLICY, RUN, SERVE, SOURCE, STORE

FILE = "everfit.toml"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the settings file says, checked; all maps are empty without a file.

    ``store`` is already resolved: environment before file, None where neither says anything.
    ``files`` too: the folder of versions and finished work when the store is a database by URL.
    """

    path: str = ""
    store: str | None = None
    files: str | None = None
    run: Mapping[str, Any] = field(default_factory=dict)
    policy: Mapping[str, Any] = field(default_factory=dict)
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    serve: Mapping[str, Any] = field(default_factory=dict)


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
    return _checked(plain, _Place(str(file), text), environ)


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
    _known(plain, "", ("store", "run", "policy", "models", "serve"), place)
    base = Path(place.file).resolve().parent
    kept = _section(_table(plain, "", "store", place), "store", STORE, place)
    store, files = kept.get("path"), kept.get("files")
    if store is not None and "://" not in store:
        store = str(base / store)  # a path in a file is meant from that file's folder
    models: dict[str, dict[str, Any]] = {}
    sections = _table(plain, "", "models", place)
    for name in sections:
        where = f"models.{name}"
        table = _table(sections, "models", name, place)
        policy = _section(_table(table, where, "policy", place), f"{where}.policy", POLICY, place)
        rest = {key: value for key, value in table.items() if key not in ("policy", "sources")}
        models[name] = _section(rest, where, MODEL, place)
        if policy:
            models[name]["policy"] = policy
        if sources := _sources(_table(table, where, "sources", place), where, base, place):
            models[name]["sources"] = sources
        source = models[name].get("source")
        if source is not None and "://" not in source:
            models[name]["source"] = str(base / source)
    return Settings(
        path=place.file,
        store=environ.get("EVERFIT_STORE") or store,
        files=environ.get("EVERFIT_FILES") or (None if files is None else str(base / files)),
        run=_section(_table(plain, "", "run", place), "run", RUN, place),
        policy=_section(_table(plain, "", "policy", place), "policy", POLICY, place),
        models=models,
        serve=_serve(_table(plain, "", "serve", place), base, place),
    )


def _sources(
    table: Mapping[str, Any], where: str, base: Path, place: _Place
) -> dict[str, dict[str, Any]]:
    """The sources of a model's events, by name: file or URL, key, time."""
    found = {}
    for name in table:
        section = f"{where}.sources.{name}"
        one = _section(_table(table, f"{where}.sources", name, place), section, SOURCE, place)
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


def _serve(table: Mapping[str, Any], base: Path, place: _Place) -> dict[str, Any]:
    limits = _section(_table(table, "serve", "limits", place), "serve.limits", LIMITS, place)
    rest = {key: value for key, value in table.items() if key != "limits"}
    values = _section(rest, "serve", SERVE, place)
    if "spool" in values:
        values["spool"] = str(base / values["spool"])
    return values | ({"limits": limits} if limits else {})


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
