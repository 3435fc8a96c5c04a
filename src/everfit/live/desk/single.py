"""The answer to one plain row, in as few steps as there are: what nearly every request is.

Whatever is not plain goes to the desk, which answers every row; both give the same answers.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import msgspec

from everfit.live.desk.lane import KEY, Lane, Predicted, encode
from everfit.store.log.frames import row_frame
from everfit.store.log.spool import Spool

decode = msgspec.json.Decoder().decode
Answers = Callable[[bytes], bytes]


class Identifiers:
    """Ids of predictions: they sort by time, and no two are the same.

    The counter holds when the clock is set back, the salt when two processes agree in all else.

    Examples
    --------
    >>> ids = Identifiers()
    >>> ids.at(1), len({ids.at(2) for _ in range(3)})  # doctest: +ELLIPSIS
    ('0000000000001...', 3)
    """

    def __init__(self) -> None:
        self._next, self._salt = count().__next__, os.urandom(4).hex()

    def at(self, at_us: int) -> str:
        """An id for a time in microseconds since 1970 UTC."""
        return "%013x%s%x" % (at_us, self._salt, self._next())  # noqa: UP031 - half the time


def plain_row(body: bytes) -> dict[str, Any] | None:
    """The row of a body that is one plain object, None for any other.

    Each name stands in it once. Without a key its bytes can be kept as they are: there is no line
    break, and every name and text is spelt in the one way that needs no escapes.

    Examples
    --------
    >>> plain_row(b'{"age": 41}'), plain_row(b'[{"age": 41}]'), plain_row(b'{"age": 4, "age": 5}')
    ({'age': 41}, None, None)
    """
    try:
        row = decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if (
        row.__class__ is dict
        # every key is followed by a colon: as many colons as keys leave none for a second one
        and body.count(b":") == len(row)
        and b"[" not in body
        and b"\\" not in body
        and b"\n" not in body
        and b"\r" not in body
    ):
        return row
    return None


@dataclass(frozen=True, slots=True)
class Written:
    """Where answers are written down: the spool, ids for them, and the clock in nanoseconds."""

    spool: Spool
    ids: Identifiers
    clock: Callable[[], int] = time.time_ns


def single(lane: Lane, written: Written, values: memoryview[float], otherwise: Answers) -> Answers:
    """What answers one row by ``lane``, for the thread of the event loop alone.

    Parameters
    ----------
    values : the counters
    otherwise : answers what is no plain row
    """
    append, new_id, clock = written.spool.append, written.ids.at, written.clock
    score, named, model, version = lane.row, lane.named, lane.model, lane.version
    arm, width, header = lane.arm, lane.width, lane.plain
    predictions, warned = lane.predictions, lane.warned

    def answer(body: bytes) -> bytes:
        row = plain_row(body)
        if row is None or KEY in row:
            return otherwise(body)
        at_us = clock() // 1000
        value, shares, warnings, around = score(row)
        # a row of the right size without a warning has every column and no other
        if warnings or len(row) != width:
            warnings = lane.all_warnings(warnings, row)
        identifier = new_id(at_us)
        said = encode(
            Predicted(identifier, value, named(shares), around, model, version, arm, warnings)
        )
        append(row_frame(header, at_us, body, said, len(identifier)))
        values[predictions] += 1.0
        if warnings:
            values[warned] += 1.0
        return said

    return answer
