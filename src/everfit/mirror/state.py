"""What the mirror of a store looks like from here, in one line; the server is not asked."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

from everfit.house import House
from everfit.mirror.outbox import Outbox, target_of

State = Literal["ok", "warn"]


def state_of(house: House, uri: str) -> tuple[State, str, str]:
    """Whether all is well, what waits and why, and what to do about it.

    Raises
    ------
    EverfitError : the store cannot be read
    """
    target = target_of(uri)
    if find_spec("mlflow") is None:
        return "warn", f"{target}: MLflow is not installed", "pip install 'everfit[mlflow]'"
    outbox = Outbox(house, target)
    waiting = sum(1 for _ in outbox.waiting())
    if not waiting:
        return "ok", f"{target}: all is there", ""
    errors = outbox.errors()
    told = f"{target}: {waiting:,} {'item' if waiting == 1 else 'items'} waiting"
    if not errors:
        return "ok", told, "everfit mirror sends them now"
    return "warn", f"{told}; {errors[0]}", "everfit mirror tries again now"
