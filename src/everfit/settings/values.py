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
    seconds, written = 0.0, str(value).strip().lower()
    at = 0
    while at < len(written):
        part = _TIME.match(written, at)
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


def text(value: Any) -> str:
    """A text that is not empty; ``ValueError`` says what is expected, here and below."""
    if not isinstance(value, str) or not value:
        raise ValueError("a text")
    return value


def whole(value: Any) -> int:
    """A whole number from 0, also as a text of the environment."""
    if isinstance(value, str) and re.fullmatch(r"\d+", value.strip()):
        return int(value)  # from the environment
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("a whole number from 0")
    return value


def number(value: Any, low: float, high: float) -> float:
    """A number from ``low`` to ``high``."""
    expected = f"a number from {low:g} to {high:g}"
    try:
        found = float("nan") if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        raise ValueError(expected) from None
    if not low <= found <= high:
        raise ValueError(expected)
    return found


def names(value: Any) -> tuple[str, ...]:
    """Texts, from a list or from one text with commas."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if not isinstance(value, (list, tuple)) or not all(isinstance(v, str) for v in value):
        raise ValueError("a list of texts")
    return tuple(value)


def count(value: Any) -> int:
    """A whole number from 1."""
    found = whole(value)
    if not found:
        raise ValueError("a whole number from 1")
    return found


def flag(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def one_of(*words: str) -> Callable[[Any], str]:
    """A reader of one of ``words``."""

    def read(value: Any) -> str:
        if value not in words:
            raise ValueError("one of: " + ", ".join(words))
        return str(value)

    return read


def _header(value: Any) -> bool | tuple[str, ...]:
    return value if isinstance(value, bool) else names(value)


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
    "alpha": lambda value: number(value, 1e-6, 0.5),
    "latency_ms": lambda value: number(value, 1e-3, 1e6),
    "guardrail": lambda value: number(value, 0.0, 100.0),
    "min_gain": lambda value: number(value, 0.0, 1e12),
}
RUN: dict[str, Callable[[Any], Any]] = {
    "budget": read_budget,
    "seed": whole,
    "metric": text,
    "task": text,
    "kinds": _choice("kinds"),
    "roles": _choice("roles"),
    "header": _header,
    "query": text,
    "learners": names,
}
# sections of a model that are no setting of a run
BESIDE = ("policy", "sources", "feeds", "facts", "explore")
MODEL: dict[str, Callable[[Any], Any]] = {"source": text, "target": text, "items": text, **RUN}
SOURCE: dict[str, Callable[[Any], Any]] = {
    "source": text,
    "key": text,
    "time": text,
    "outcome": text,
    "query": text,
    "reread": read_budget,
}
STORE: dict[str, Callable[[Any], Any]] = {"path": text, "files": text}
LIMITS: dict[str, Callable[[Any], Any]] = dict.fromkeys(
    ("body_bytes", "rows", "depth", "aside_bytes"), count
)
SERVE: dict[str, Callable[[Any], Any]] = {
    "host": text,
    "port": lambda value: int(number(whole(value), 0, 65_535)),
    "operate_port": lambda value: int(number(whole(value), 0, 65_535)),
    "workers": count,
    "durability": one_of("os", "fsync"),
    "grace_s": lambda value: number(value, 0.0, 3600.0),
    "spool": text,
    "keep_days": count,
    "hosts": names,
    "require_token": flag,
    "proxies": names,
    "proxy_header": text,
    "read_s": lambda value: number(value, 0.1, 3600.0),
    "keep_alive_s": lambda value: number(value, 0.0, 3600.0),
    "ask_s": lambda value: number(value, 0.1, 60.0),
    "rate_per_s": lambda value: number(value, 0.0, 1e6),
    "rate_burst": count,
    "connections_per_client": count,
    "access_log": flag,
    "traces": flag,
}
ENVIRONMENT = {f"EVERFIT_{key.upper()}": key for key in ("budget", "seed", "metric", *POLICY)}
