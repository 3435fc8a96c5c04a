"""The shadow child: answers requests that were answered before, for the record alone.

``python -m everfit.live.shadow.child FD``; ``FD`` is its end of a channel to the keeper::

    keeper -> child  {"do": "begin", "start"}
                     {"do": "shadow", "model", "version", "rows": [{id, key, row}], "upto"}
    child -> keeper  {"did": "shadowed", "model", "upto", "n", "wrong"}
                     {"did": "failed", "model", "number", "error"}

All answers to one message are one frame of its spool, so that they are recorded whole or not at
all: what stands in the log says how far it came.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from everfit.errors import EverfitError
from everfit.live import orders
from everfit.live.arms import SHADOW
from everfit.live.desk.lane import Lane, encode, key_of
from everfit.live.desk.memory import UNTOLD, Told
from everfit.live.desk.slots import Slots
from everfit.live.desk.version import opened_rows
from everfit.live.orders import Placed, Start
from everfit.orphan import die_with
from everfit.store.log.spool import Spool

MOST = 4  # versions of one model that are kept open
NICE = 10  # who waits for an answer goes first


class Shade:
    """Answers in the shadow of champions and logs what it answered.

    Parameters
    ----------
    spool : of this process
    """

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._slots = Slots()
        self._lanes: dict[tuple[str, int], Lane] = {}

    def obey(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Answer the rows of one message; gives what to tell the keeper."""
        model, placed = message["model"], Placed.from_dict(message["version"])
        try:
            lane = self._lane(model, placed)
        except EverfitError as error:
            return orders.failed(model, 0, placed.number, error.as_dict())
        answers, rows, keys, of, wrong = [], [], [], [], 0
        for item in message["rows"]:
            row = dict(item["row"])
            key_of(row)
            try:
                identifier = f"{item['id']}~v{placed.number}"
                made = lane.answer(row, identifier, msgspec.UNSET, _told(item))
            except EverfitError:
                wrong += 1  # a user's own estimator raised: there is no answer to record
                continue
            answers.append(made)
            rows.append(row)
            keys.append(item["key"])
            of.append(item["id"])
        if answers:
            body = encode({"model": model, "version": lane.version, "predictions": answers})
            at_us = time.time_ns() // 1000
            self._spool.append(lane.frame(at_us, encode(rows), body, keys, of))
        told = {"did": "shadowed", "model": model, "upto": message["upto"]}
        return told | {"n": len(answers), "wrong": wrong}

    def _forget(self, model: str) -> None:
        """Let go of the oldest versions of a model: a few stand in its shadow at a time."""
        mine = sorted(number for name, number in self._lanes if name == model)
        for number in mine[: max(0, len(mine) - MOST + 1)]:
            del self._lanes[model, number]

    def _lane(self, model: str, placed: Placed) -> Lane:
        lane = self._lanes.get((model, placed.number))
        if lane is None or lane.opened.placed != placed:
            self._forget(model)
            lane = Lane(model, opened_rows(placed), SHADOW, self._slots)
            self._lanes[model, placed.number] = lane
        return lane


def _told(item: Mapping[str, Any]) -> Told:
    """The history that a request came with."""
    if "history" not in item:
        return UNTOLD
    return Told(item["history"], tuple(f"history: {why}" for why in item["missing"]))


def main(arguments: Sequence[str]) -> int:
    """Answer what the keeper hands over, until it closes the channel."""
    channel = orders.Channel(int(arguments[0]))
    try:
        first, *more = channel.receive()
        start = Start.from_dict(first["start"])
        die_with(start.keeper)
        os.nice(NICE)
        shade = Shade(Spool(Path(start.spool)))
        while True:
            for message in more or channel.receive():
                channel.send(shade.obey(message))
            more = []
    except EOFError:
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
