"""``[alerts]`` of the settings file: who is told, and where their secrets are."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from everfit.alert.targets import STATES, Mail, Target, Webhook
from everfit.errors import SettingsError
from everfit.settings.places import Place, known, table, values
from everfit.settings.values import count, flag, names, number, one_of, read_budget, text

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_ADDRESS = re.compile(r"[^@\s<>,;\"]+@[^@\s<>,;\"]+")


def _variable(value: Any) -> str:
    if not isinstance(value, str) or not _VARIABLE.fullmatch(value):
        raise ValueError("the name of an environment variable, such as OPS_SECRET")
    return value


def _url(value: Any) -> str:
    expected = "an address such as https://ops.example/hook, without user and password"
    try:
        parts = urlsplit(text(value))
        parts.port  # noqa: B018 - a port that is no number is only found when it is asked for
    except ValueError as error:
        raise ValueError(expected) from error
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError(expected)
    return str(value)


def _states(value: Any) -> tuple[str, ...]:
    found = names(value)
    if not found or not set(found) <= set(STATES):
        raise ValueError("a list of: " + ", ".join(STATES))
    return found


def _address(value: Any) -> str:
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
        raise ValueError("an address such as everfit@company.example")
    return value


def _addresses(value: Any) -> tuple[str, ...]:
    found = names(value)
    if not found:
        raise ValueError('a list such as ["maria@company.example"]')
    return tuple(_address(one) for one in found)


_SHARED: dict[str, Callable[[Any], Any]] = {
    "timeout": read_budget,
    "models": names,
    "states": _states,
}
WEBHOOK: dict[str, Callable[[Any], Any]] = {
    "url": _url,
    "url_env": _variable,
    "secret_env": _variable,
    "private": flag,
    **_SHARED,
}
SLACK: dict[str, Callable[[Any], Any]] = {"url_env": _variable, "private": flag, **_SHARED}
EMAIL: dict[str, Callable[[Any], Any]] = {
    "host": text,
    "port": lambda value: int(number(count(value), 1, 65_535)),
    "security": one_of("starttls", "ssl", "none"),
    "user": text,
    "password_env": _variable,
    "sender": _address,
    "to": _addresses,
    **_SHARED,
}
KINDS = {"webhooks": WEBHOOK, "slack": SLACK, "email": EMAIL}


def read_alerts(plain: Mapping[str, Any], place: Place) -> tuple[Target, ...]:
    """The targets of ``[alerts]``, in the order of the file.

    Raises
    ------
    SettingsError : an unknown name, a wrong value, a target without address, or a name twice
    """
    known(plain, "alerts", tuple(KINDS), place)
    found: dict[str, Target] = {}
    for kind, readers in KINDS.items():
        named = table(plain, "alerts", kind, place)
        for name in named:
            section = f"alerts.{kind}.{name}"
            where = place.line(f"alerts.{kind}", name)
            if not _NAME.fullmatch(name) or name in found:
                raise SettingsError(
                    f"{where}: {name!r} cannot name a target",
                    got="a name that is taken" if name in found else repr(name),
                    expected="1 to 32 of a-z, 0-9 and '-', each name once",
                    do=f"write [alerts.{kind}.team]",
                )
            said = values(table(named, f"alerts.{kind}", name, place), section, readers, place)
            found[name] = _target(kind, name, said, where)
    return tuple(found.values())


def _target(kind: str, name: str, said: dict[str, Any], where: str) -> Target:
    if "timeout" in said:
        said["timeout_s"] = said.pop("timeout")
    if kind != "email":
        given = [key for key in ("url", "url_env") if key in said]
        if len(given) != 1:
            needed = "url_env" if kind == "slack" else "url or url_env"
            raise _lacks(where, kind, name, needed, ", ".join(given))
        return Webhook(name, slack=kind == "slack", **said)
    for needed in ("host", "sender", "to"):
        if needed not in said:
            raise _lacks(where, kind, name, needed, ", ".join(said))
    security = said.get("security", "starttls")
    if "password_env" in said and ("user" not in said or security == "none"):
        raise SettingsError(
            f"{where}: {name!r} would send a password that it may not",
            got=f"user {said.get('user', 'none')}, security {security}",
            expected="a user, and security starttls or ssl",
            do=f'add user and security = "starttls" to [alerts.email.{name}]',
        )
    said.setdefault("port", {"starttls": 587, "ssl": 465, "none": 25}[security])
    return Mail(name, **said)


def _lacks(where: str, kind: str, name: str, needed: str, got: str) -> SettingsError:
    return SettingsError(
        f"{where}: the target {name!r} needs {needed}",
        got=got or "nothing",
        expected="one address" if kind != "email" else "host, sender and to",
        do=f"add {needed.partition(' or ')[0]} to [alerts.{kind}.{name}]",
    )
