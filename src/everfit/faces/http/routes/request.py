"""A request and its answer, as the routes see them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from everfit.errors import UsageError, near
from everfit.faces.http.errors import JSON, Headers
from everfit.faces.http.guard.door import Caller

Read = Callable[[], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: status, body and the headers that are not the same for all."""

    body: bytes
    status: int = 200
    type: bytes = JSON
    headers: Headers = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Request:
    """A request whose sender was let in; ``read`` gets its body, within size and time.

    ``names`` are the parts of the path that are not fixed: a model, a version.
    """

    method: str
    path: str
    query: str
    headers: Mapping[bytes, bytes]
    names: Mapping[str, str]
    caller: Caller
    read: Read

    def options(self, *known: str) -> dict[str, str]:
        """What stands behind the question mark.

        Raises
        ------
        UsageError : a name that means nothing here, or one that stands twice
        """
        found: dict[str, str] = {}
        for name, value in parse_qsl(self.query, keep_blank_values=True):
            if name not in known or name in found:
                like = near(name, known)
                raise UsageError(
                    f"the query has {name[:40]!r}" + (" twice" if name in found else ""),
                    got=self.query[:80], expected=", ".join(known) or "no query",
                    do=f"did you mean {like}?" if like and name not in found else "leave it out",
                )  # fmt: skip
            found[name] = value
        return found

    @property
    def type(self) -> bytes:
        """The media type of the body in lower case, without parameters."""
        return self.headers.get(b"content-type", b"").split(b";")[0].strip().lower()


def as_json(value: Any, status: int = 200) -> Reply:
    """An answer in JSON."""
    return Reply(msgspec.json.encode(value), status)


def flag(options: Mapping[str, str], name: str) -> bool:
    """A yes or no of the query.

    Raises
    ------
    UsageError : any other word

    Examples
    --------
    >>> flag({"explain": "1"}, "explain"), flag({}, "explain")
    (True, False)
    """
    word = options.get(name, "0").lower()
    if word not in ("0", "1", "true", "false"):
        raise UsageError(
            f"{name} is 1 or 0", got=word[:40], expected="1 for yes, 0 for no", do=f"send {name}=1"
        )
    return word in ("1", "true")
