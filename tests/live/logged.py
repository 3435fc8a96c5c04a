"""A log with answers of several arms, as workers would have written them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from everfit.store.log import Log
from everfit.store.log.frames import Logged, outcomes_frame, predictions_frame
from everfit.store.log.spool import Spool


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer; ``p`` is the probability of heads, ``outcome`` what came, if it is known.

    With a ``value`` it is the answer of a model of numbers.
    """

    key: str | None
    arm: str
    version: int
    p: float = 0.5
    outcome: Any = None
    of: str | None = None
    value: float | None = None


def fill(root: Path, answers: Iterable[Answered], *, later_s: float = 0.0, tag: str = "p") -> Log:
    """Write answers and their outcomes to a spool and drain it; gives the open log."""
    spool = Spool(root / "spool" / "w1")
    at_us = time.time_ns() // 1000 + int(later_s * 1e6)
    told = []
    for i, one in enumerate(answers):
        name = f"{tag}{i}"
        header = Logged("coin", one.version, one.arm, at_us, [one.key], one.of and [one.of])
        answer: dict[str, Any] = {
            "id": name,
            "prediction": "heads" if one.p > 0.5 else "tails",
            "probabilities": {"tails": 1 - one.p, "heads": one.p},
        }
        if one.value is not None:
            answer = {"id": name, "prediction": one.value}
        answer |= {
            "range": None,
            "warnings": [],
        }
        row = {"size": 41.0} | ({"_key": one.key} if one.key else {})
        body = json.dumps(answer).encode()
        spool.append(predictions_frame(msgspec.json.encode(header), json.dumps(row).encode(), body))
        if one.outcome is not None:
            told.append({"id": name, "outcome": one.outcome, "receipt": f"r-{name}"})
    if told:
        spool.append(outcomes_frame("coin", at_us, json.dumps(told).encode()))
    spool.close()
    log = Log.open(root)
    while log.drain(root / "spool").behind_bytes:
        pass
    return log
