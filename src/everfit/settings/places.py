"""A settings file as text and tables: which names may stand where, and on which line one stands."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from everfit.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Place:
    """A file and its text, to say on which line a name stands."""

    file: str
    text: str

    def line(self, section: str, key: str) -> str:
        """``everfit.toml, line 4``: where ``key`` of ``section`` is written, found by scanning."""
        found = self._found(section, key)
        if found == self.file and "." in section:
            # written as an inline table: the line of the table itself
            outer, _, table = section.rpartition(".")
            found = self._found(outer, table)
        return found

    def _found(self, section: str, key: str) -> str:
        current, fallback = "", 0
        for number, line in enumerate(self.text.splitlines(), start=1):
            head = re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line)
            if head:
                current = head[1].replace('"', "").replace("'", "").replace(" ", "")
                fallback = number if current == section else fallback
                named = f"{section}.{key}" if section else key
                if current == named or current.startswith(f"{named}."):
                    return f"{self.file}, line {number}"
            elif current == section and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[=.]", line):
                return f"{self.file}, line {number}"
        return f"{self.file}, line {fallback}" if fallback else self.file


def table(plain: Mapping[str, Any], section: str, key: str, place: Place) -> Mapping[str, Any]:
    """The section ``key`` of ``plain``; empty when it is not there.

    Raises
    ------
    SettingsError : it is a value
    """
    value = plain.get(key, {})
    if not isinstance(value, Mapping):
        raise wrong(place, section, key, value, f"a section, written [{key}]")
    return value


def values(
    found: Mapping[str, Any],
    section: str,
    readers: Mapping[str, Callable[[Any], Any]],
    place: Place,
) -> dict[str, Any]:
    """The values of one section, each read by the reader of its name.

    Raises
    ------
    SettingsError : an unknown name, or a value that cannot be used
    """
    known(found, section, tuple(readers), place)
    read: dict[str, Any] = {}
    for key, value in found.items():
        try:
            read[key] = readers[key](value)
        except ValueError as error:
            raise wrong(place, section, key, value, str(error)) from error
        except SettingsError as error:
            raise wrong(place, section, key, value, error.expected) from error
    return read


def known(found: Mapping[str, Any], section: str, names: tuple[str, ...], place: Place) -> None:
    """Nothing, when all names of a section are known.

    Raises
    ------
    SettingsError : one is not; says its line and the nearest names
    """
    for key in found:
        if key in names:
            continue
        # names of settings are short and few, so a looser match than for columns helps
        hint = difflib.get_close_matches(key, names, n=3, cutoff=0.4)
        raise SettingsError(
            f"{place.line(section, key)}: there is no setting {key!r}"
            + (f" in [{section}]" if section else ""),
            got=key,
            expected=", ".join(sorted(names)),
            do=f"did you mean {', '.join(map(repr, hint))}?" if hint else "remove the line",
        )


def wrong(place: Place, section: str, key: str, value: Any, expected: str) -> SettingsError:
    """The error about a value that cannot be used."""
    name = f"{section}.{key}" if section else key
    return SettingsError(
        f"{place.line(section, key)}: {name} cannot be used", got=repr(value), expected=expected
    )
