"""Errors that only a server has, and every error as the JSON that clients get.

::

    UsageError                     400
    ├── RouteUnknown               404   no such path
    ├── MethodUnknown              405   the path has no such method
    ├── BodyTooSlow                408   the body did not come in time
    ├── TypeUnknown                415   a content type that cannot be read
    ├── TokenMissing               401   no token, or one that is not valid
    ├── ScopeMissing               403   a token that may not do this
    ├── OriginRefused              403   a page of another site
    ├── HostRefused                421   a host that this server does not answer for
    ├── HeadTooLarge               431   headers without end
    └── TooManyRequests            429   above the rate that was set

``TooMuch`` (413) comes from the desk. The operating system's "disk full" is StoreFailed, as ever.
"""

from __future__ import annotations

from typing import Any

import msgspec

from everfit.errors import EverfitError, UsageError

Headers = list[tuple[bytes, bytes]]
JSON = b"application/json"
# answers hold people's data: no cache may keep them, no browser may take them for something else
SECURE: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
)
# for what a browser may open: nothing in it may load, run or be framed
CLOSED: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)


class RouteUnknown(UsageError):
    """There is no such path."""

    http_status = 404


class MethodUnknown(UsageError):
    """The path does not take this method."""

    http_status = 405


class BodyTooSlow(UsageError):
    """The body did not come within the time for it."""

    http_status = 408


class TypeUnknown(UsageError):
    """The body has a content type that cannot be read."""

    http_status = 415


class TokenMissing(UsageError):
    """The request needs a token that is valid."""

    http_status = 401


class ScopeMissing(UsageError):
    """The token may not do this."""

    http_status = 403


class OriginRefused(UsageError):
    """The request was made by a page of another site."""

    http_status = 403


class HostRefused(UsageError):
    """The request was sent to a host that this server does not answer for."""

    http_status = 421


class HeadTooLarge(UsageError):
    """The head of the request is longer than any that is meant."""

    http_status = 431


class TooManyRequests(UsageError):
    """More requests than the rate that was set; after ``wait_s`` seconds there is room again."""

    http_status = 429
    wait_s = 1.0


class InternalError(EverfitError):
    """Something that should not happen; its details are in the server's log only."""


def as_body(error: EverfitError) -> bytes:
    """The error as clients get it.

    Examples
    --------
    >>> as_body(RouteUnknown("there is no path /x", do="see /openapi.json"))[:44]
    b'{"error":{"code":"RouteUnknown","message":"t'
    """
    plain: dict[str, Any] = error.as_dict()
    plain.pop("exit_code")
    return msgspec.json.encode({"error": plain})


def internal() -> InternalError:
    """The error for what nobody foresaw."""
    return InternalError(
        "the server failed to answer", got="an unexpected error", expected="an answer or a refusal",
        do="look for this time in the server's log, and report it",
    )  # fmt: skip
