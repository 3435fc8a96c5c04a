"""Requests that failed, as the answers that their senders get."""

from __future__ import annotations

import logging
from math import ceil

import msgspec

from everfit.errors import EverfitError, StoreFailed, UsageError
from everfit.faces.http import oip
from everfit.faces.http.errors import (
    BodyTooSlow,
    MethodUnknown,
    TokenMissing,
    TooManyRequests,
    as_body,
    internal,
)
from everfit.faces.http.routes.request import Reply
from everfit.live.desk.limits import TooMuch

logger = logging.getLogger("everfit.serve")


def failed(error: BaseException, *, protocol: bool = False, close: bool = False) -> Reply:
    """The answer to a request that failed; what nobody foresaw goes to the log with its trace.

    Parameters
    ----------
    protocol : whether it is written as the Open Inference Protocol has it
    close : whether the connection must end, because more of the request may come
    """
    if not isinstance(error, EverfitError):
        logger.error("a request failed", exc_info=error)
        error = internal()
    if isinstance(error, StoreFailed):
        error = _unrecorded(error)
    headers = []
    if isinstance(error, TokenMissing):
        headers.append((b"www-authenticate", b'Bearer realm="everfit"'))
    if isinstance(error, TooManyRequests):
        headers.append((b"retry-after", b"%d" % ceil(error.wait_s)))
    if isinstance(error, MethodUnknown):
        headers.append((b"allow", error.expected.encode()))
    if close or isinstance(error, (TooMuch, BodyTooSlow)):
        # what was not read yet would be taken for the next request
        headers.append((b"connection", b"close"))
    body = msgspec.json.encode(oip.error_body(error)) if protocol else as_body(error)
    return Reply(body, error.http_status, headers=headers)


def _unrecorded(error: StoreFailed) -> StoreFailed:
    """The refusal of what could not be written down; the folder is this machine's own matter."""
    return StoreFailed(
        "what was sent could not be recorded, so that it is not answered", got=error.got,
        expected="room on the server's disk, and its folders in their places",
        do="try again; GET /health tells when it can be",
    )  # fmt: skip


def too_slow(read_s: float) -> BodyTooSlow:
    """The refusal of a body that does not come."""
    return BodyTooSlow(
        "the body of the request did not come in time", got=f"not all of it within {read_s:g} s",
        expected=f"the whole body within {read_s:g} s", do="send it again, in smaller parts",
    )  # fmt: skip


def two_hosts() -> UsageError:
    """The refusal of a request with several Host headers: each reader might take another."""
    return UsageError(
        "the request has several Host headers", got="more than one", expected="one",
        do="send one Host header: the name or address of this server",
    )  # fmt: skip


def too_busy(n: int) -> TooManyRequests:
    """The refusal of a large body while ``n`` others keep the server busy."""
    return TooManyRequests(
        "too many large bodies came at once", got=f"{n} that are read or answered already",
        expected="fewer at a time", do="try again in a moment, or send fewer rows in each",
    )  # fmt: skip


def too_large(got: str, limit: int) -> TooMuch:
    """The refusal of a body that is larger than the limit."""
    return TooMuch(
        "the body is too large", got=f"{got} bytes", expected=f"at most {limit:,} bytes",
        do="send the rows in parts, or score the file as a batch job: everfit predict",
    )  # fmt: skip
