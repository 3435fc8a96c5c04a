"""The names that a setting may have, and how the value of each is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, get_args

from everfit.errors import SettingsError

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


def _count(value: Any) -> int:
    found = _whole(value)
    if not found:
        raise ValueError("a whole number from 1")
    return found


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def _one_of(*words: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in words:
            raise ValueError("one of: " + ", ".join(words))
        return str(value)

    return read


def _header(value: Any) -> bool | tuple[str, ...]:
    return value if isinstance(value, bool) else _names(value)


def _choice(what: str) -> Callable[[Any], dict[str, str]]:
    def read(value: Any) -> dict[str, str]:
        from everfit.records import Kind, Role

        choices: tuple[str, ...] = get_args(Kind if what == "kinds" else Role)
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
    "kinds": _choice("kinds"),
    "roles": _choice("roles"),
    "header": _header,
    "query": _text,
    "learners": _names,
}
MODEL: dict[str, Callable[[Any], Any]] = {"source": _text, "target": _text, **RUN}
SOURCE: dict[str, Callable[[Any], Any]] = {
    "source": _text,
    "key": _text,
    "time": _text,
    "outcome": _text,
    "query": _text,
    "reread": read_budget,
}
STORE: dict[str, Callable[[Any], Any]] = {"path": _text, "files": _text}
LIMITS: dict[str, Callable[[Any], Any]] = dict.fromkeys(
    ("body_bytes", "rows", "depth", "aside_bytes"), _count
)
SERVE: dict[str, Callable[[Any], Any]] = {
    "host": _text,
    "port": lambda value: int(_number(_whole(value), 0, 65_535)),
    "operate_port": lambda value: int(_number(_whole(value), 0, 65_535)),
    "workers": _count,
    "durability": _one_of("os", "fsync"),
    "grace_s": lambda value: _number(value, 0.0, 3600.0),
    "spool": _text,
    "keep_days": _count,
    "hosts": _names,
    "require_token": _flag,
    "proxies": _names,
    "proxy_header": _text,
    "read_s": lambda value: _number(value, 0.1, 3600.0),
    "keep_alive_s": lambda value: _number(value, 0.0, 3600.0),
    "ask_s": lambda value: _number(value, 0.1, 60.0),
    "rate_per_s": lambda value: _number(value, 0.0, 1e6),
    "rate_burst": _count,
    "access_log": _flag,
    "traces": _flag,
}
ENVIRONMENT = {f"EVERFIT_{key.upper()}": key for key in ("budget", "seed", "metric", *POLICY)}
