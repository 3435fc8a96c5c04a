"""Asks the keeper what is known of the keys of a request: once for all rows, with a time-out."""

from __future__ import annotations

from collections.abc import Sequence

from everfit.errors import Unreachable
from everfit.faces.http.machine.state import State
from everfit.live.desk.memory import Memory
from everfit.live.desk.rows import Row

WAIT_S, WAIT_EACH_S = 0.5, 0.003  # for all keys, and more for each


async def remember(state: State, model: str, rows: Sequence[Row]) -> Memory | None:
    """The history of the rows' keys; None for a model that reads none.

    Whatever keeps it from being there becomes a warning of the answers, not an error.
    """
    served = state.desk.served(model)
    if served.reads is None:
        return None
    asks = state.desk.asks(model, rows)
    if not asks:
        return Memory({})
    args = {
        "model": model, "asks": asks, "n": served.reads.events, "time": served.reads.time,
        "target": served.champion.opened.target,
    }  # fmt: skip
    try:
        wait_s = WAIT_S + WAIT_EACH_S * len(asks)
        status, body = await state.link.ask("history", args, wait_s=wait_s)
    except Unreachable as error:
        return Memory({}, (_without(error.got),))
    if status != 200:
        why = str(body["error"].get("message") or "it could not be read")
        return Memory({}, (_without(why),))
    lost = tuple(f"history: {why}; what it holds is not in this answer" for why in body["missing"])
    return Memory(dict(zip(asks, body["events"], strict=True)), lost)


def _without(why: str) -> str:
    return f"history: {why}; this answer is without it"
