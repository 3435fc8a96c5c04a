"""The history of requests that are answered again: what was known when they were asked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from everfit.events import Reads
from everfit.live.desk.memory import ask_of, own_key
from everfit.live.recall import Question, recall
from everfit.live.sources import Sources

if TYPE_CHECKING:
    from everfit.store.log import Log
    from everfit.store.log.repeat import Repeatable

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def with_past(
    model: str, folder: str, asked: Sequence[Repeatable], log: Log, sources: Sources
) -> list[dict[str, Any]]:
    """Requests as the shadow child gets them, with their history where the version reads one.

    An outcome that came between the request and now is known to the shadow and was not to the
    champion: of earlier predictions of the key alone, never of the request itself.
    """
    rows = [{"id": one.id, "key": one.key, "row": one.row} for one in asked]
    reads, target = _reads(folder)
    if reads is None:
        return rows
    asks = []
    for one in asked:
        key, at = ask_of(one.row, one.key or own_key(one.row, reads) or "", reads)
        then = (EPOCH + timedelta(microseconds=one.at_us)).replace(tzinfo=None)
        asks.append((key, at or then.isoformat()))
    found = recall(Question(model, asks, reads.events, reads.time, target), log, sources)
    return [
        row | {"history": events if key else [], "missing": list(found.missing)}
        for row, (key, _), events in zip(rows, asks, found.events, strict=True)
    ]


@lru_cache(maxsize=64)
def _reads(folder: str) -> tuple[Reads | None, str]:
    """Which history a packed version reads, and what it predicts."""
    plan = json.loads((Path(folder) / "plan.json").read_text(encoding="utf-8"))
    manifest = json.loads((Path(folder) / "manifest.json").read_text(encoding="utf-8"))
    return Reads.of(plan.get("history")), str(manifest["problem"].get("target", ""))
