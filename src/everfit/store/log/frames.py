"""Frames: what a spool holds, one for each request that was answered or told.

A frame is a mark, the length and the CRC-32 of its body, and the body. The mark lets a reader find
the next whole frame after damage. The body is a kind, the lengths of its parts, and the parts.
"""

from __future__ import annotations

import struct
from binascii import crc32

import msgspec

MARK = b"\xf5EvF"
HEAD = struct.Struct("<4sII")  # mark, length of the body, CRC-32 of the body
_PREDICTIONS = struct.Struct("<BII")  # kind, length of the header, length of the request
_OUTCOMES = struct.Struct("<BIq")  # kind, length of the model's name, time
PREDICTIONS, OUTCOMES = 1, 2
# a length above this is taken as damage: a request body is at most some hundred megabytes
MOST_BYTES = 1 << 30


class Logged(msgspec.Struct, omit_defaults=True):
    """The header of one frame of predictions.

    ``keys`` are who or what each row is about, None when no row had one; ``of`` (shadow only) are
    the ids of the predictions that the rows repeat; ``at_us`` is the server's clock in
    microseconds since 1970 UTC.
    """

    model: str
    version: int
    arm: str
    at_us: int
    keys: list[str | None] | None = None
    of: list[str] | None = None


class Predictions(msgspec.Struct):
    """A frame of predictions, taken apart: the request and the answer as they were, in JSON."""

    header: Logged
    request: bytes
    answer: bytes


class Outcomes(msgspec.Struct):
    """A frame of outcomes, taken apart; ``body`` is a JSON array."""

    model: str
    at_us: int
    body: bytes


_header = msgspec.json.Decoder(Logged)


def predictions_frame(header: bytes, request: bytes, answer: bytes) -> bytes:
    """The frame of one answered request.

    Parameters
    ----------
    header : JSON of :class:`Logged`
    request : JSON of a row or of an array of rows
    answer : JSON of the answer, one or many, as it was sent

    Examples
    --------
    >>> header = msgspec.json.encode(Logged("churn", 3, "champion", 0))
    >>> frame = predictions_frame(header, b'{"age": 41}', b'{"id": "a", "prediction": 1}')
    >>> split(frame).answer
    b'{"id": "a", "prediction": 1}'
    """
    body = b"".join(
        (_PREDICTIONS.pack(PREDICTIONS, len(header), len(request)), header, request, answer)
    )
    return HEAD.pack(MARK, len(body), crc32(body)) + body


def outcomes_frame(model: str, at_us: int, body: bytes) -> bytes:
    """The frame of outcomes that were told in one request.

    Parameters
    ----------
    at_us : the server's clock, microseconds since 1970 UTC
    body : JSON array of ``{"receipt", "id" or "key", "outcome", "at"?}``; each receipt is unique
    """
    name = model.encode()
    body = b"".join((_OUTCOMES.pack(OUTCOMES, len(name), at_us), name, body))
    return HEAD.pack(MARK, len(body), crc32(body)) + body


def split(frame: bytes) -> Predictions | Outcomes:
    """Take a whole frame apart.

    Raises
    ------
    ValueError : of a kind that this release does not know, or its parts do not fit
    """
    start = HEAD.size
    kind = frame[start] if len(frame) > start else 0
    try:
        if kind == PREDICTIONS:
            _, n_header, n_request = _PREDICTIONS.unpack_from(frame, start)
            start += _PREDICTIONS.size
            middle, end = start + n_header, start + n_header + n_request
            header = _header.decode(frame[start:middle])
            return Predictions(header, frame[middle:end], frame[end:])
        if kind == OUTCOMES:
            _, n_name, at_us = _OUTCOMES.unpack_from(frame, start)
            start += _OUTCOMES.size
            return Outcomes(frame[start : start + n_name].decode(), at_us, frame[start + n_name :])
    except (struct.error, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(f"a frame that cannot be taken apart: {error}") from error
    raise ValueError(f"a frame of the unknown kind {kind}")
