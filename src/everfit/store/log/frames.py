"""Frames: what a spool holds, one for each request that was answered or told.

A frame is a mark, the length and the CRC-32 of its body, and the body. The mark lets a reader find
the next whole frame after damage. The body is a kind, the lengths of its parts, and the parts.
"""

from __future__ import annotations

import struct
from binascii import crc32
from functools import lru_cache

import msgspec
from msgspec.structs import replace

MARK = b"\xf5EvF"
HEAD = struct.Struct("<4sII")  # mark, length of the body, CRC-32 of the body
_PREDICTIONS = struct.Struct("<BII")  # kind, length of the header, length of the request
_OUTCOMES = struct.Struct("<BIq")  # kind, length of the model's name, time
_ROW = struct.Struct("<BHHIq")  # kind, lengths of header, id and request, time
PREDICTIONS, OUTCOMES, ROW = 1, 2, 3
BEGIN = b'{"id":"'  # of the answer to a row: its id follows, and ends with a quotation mark
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
    """A frame of predictions, taken apart: the request and the answer as they were, in JSON.

    ``id`` is the prediction's when the frame was made by :func:`row_frame`, None otherwise.
    """

    header: Logged
    request: bytes
    answer: bytes
    id: str | None = None


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


def row_frame(header: bytes, at_us: int, request: bytes, answer: bytes, n_id: int) -> bytes:
    """The frame of one plain row, which a reader takes apart without reading any JSON.

    Parameters
    ----------
    header : JSON of :class:`Logged` with the time 0: one for all rows of a version in an arm
    at_us : the server's clock, microseconds since 1970 UTC
    request : JSON of a row as it shall be kept: each name once, no key, no line break
    answer : its answer, which begins with ``BEGIN`` and an id of ``n_id`` ASCII characters

    Examples
    --------
    >>> header = msgspec.json.encode(Logged("churn", 3, "champion", 0))
    >>> parts = split(row_frame(header, 17, b'{"age": 41}', b'{"id":"a7","prediction":1}', 2))
    >>> parts.id, parts.header.version, parts.header.at_us, parts.request
    ('a7', 3, 17, b'{"age": 41}')
    """
    head = _ROW.pack(ROW, len(header), n_id, len(request), at_us)
    body = b"".join((head, header, request, answer))
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
        if kind == ROW:
            header, at_us, identifier, request, answer = row_parts(frame)
            return Predictions(replace(header, at_us=at_us), request, answer, identifier)
        if kind == OUTCOMES:
            _, n_name, at_us = _OUTCOMES.unpack_from(frame, start)
            start += _OUTCOMES.size
            return Outcomes(frame[start : start + n_name].decode(), at_us, frame[start + n_name :])
    except (struct.error, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(f"a frame that cannot be taken apart: {error}") from error
    raise ValueError(f"a frame of the unknown kind {kind}")


def is_row(frame: bytes) -> bool:
    """Whether :func:`row_frame` made it, so that :func:`row_parts` takes it apart."""
    return len(frame) > HEAD.size and frame[HEAD.size] == ROW


def row_parts(frame: bytes) -> tuple[Logged, int, str, bytes, bytes]:
    """Header, time, id, request and answer of a frame by :func:`row_frame`.

    The header is shared by all rows of a version in an arm; its own time says nothing.

    Raises
    ------
    ValueError : its parts do not fit
    """
    try:
        _, n_header, n_id, n_request, at_us = _ROW.unpack_from(frame, HEAD.size)
        start = HEAD.size + _ROW.size
        middle, end = start + n_header, start + n_header + n_request
        answer = frame[end:]
        at = len(BEGIN) + n_id
        if not answer.startswith(BEGIN) or answer[at : at + 1] != b'"':
            raise ValueError("the answer to a row does not begin with its id")
        identifier = answer[len(BEGIN) : at].decode("ascii")
        return _read(frame[start:middle]), at_us, identifier, frame[middle:end], answer
    except (struct.error, msgspec.MsgspecError) as error:
        raise ValueError(f"a frame that cannot be taken apart: {error}") from error


@lru_cache(maxsize=1_000)  # a handful for each model
def _read(header: bytes) -> Logged:
    return _header.decode(header)
