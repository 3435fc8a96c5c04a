"""Records as plain JSON-ready values, and back."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar

T = TypeVar("T")
_BARE = frozenset({str, int, bool, type(None)})


def as_plain(value: Any) -> Any:
    """A record as JSON-ready values: dicts, lists, strings, numbers, None for NaN.

    Examples
    --------
    >>> from everfit.evidence.interval import Interval
    >>> as_plain(Interval(0.1, 0.2, 0.3))["mid"]
    0.2
    """
    kind = type(value)
    if kind in _BARE:  # most of a record: looked for first
        return value
    if kind is float:
        return value if math.isfinite(value) else None
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: as_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): as_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [as_plain(item) for item in value]
    # arrays and numbers of numpy, for which a server that starts does not wait
    if (tolist := getattr(value, "tolist", None)) is not None:
        return as_plain(tolist())
    if isinstance(value, datetime):
        # a time without a zone is a value of the user's data, and is not ours to shift
        return (value.astimezone(UTC) if value.tzinfo else value).isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def from_plain(cls: type[T], plain: Mapping[str, Any]) -> T:
    """The inverse of :func:`as_plain` for one record class; unknown fields are left out.

    Examples
    --------
    >>> from everfit.evidence.interval import Interval
    >>> from_plain(Interval, {"low": 0.1, "mid": 0.2, "high": 0.3, "n": 5, "level": 0.95}).mid
    0.2
    """
    hints = _hints(cls)  # type: ignore[arg-type]
    return cls(**{k: _revive(hints[k], v) for k, v in plain.items() if k in hints})


@lru_cache(maxsize=512)
def _hints(cls: type) -> dict[str, Any]:
    """The type of each field; to work it out costs more than to make a record."""
    hints = typing.get_type_hints(cls)
    return {f.name: hints[f.name] for f in dataclasses.fields(cls)}


def _revive(hint: Any, value: Any) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        return _revive(next(a for a in args if a is not type(None)), value)
    if value is None:
        # NaN is written as null; a float field gets it back
        return float("nan") if hint is float else None
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return from_plain(hint, value)
    if hint is datetime:
        return datetime.fromisoformat(value)
    if origin is tuple and value is not None:
        if len(args) == 2 and args[1] is Ellipsis:
            return tuple(_revive(args[0], item) for item in value)
        return tuple(_revive(a, item) for a, item in zip(args, value, strict=True))
    if hint is float:
        return float(value)
    return value
