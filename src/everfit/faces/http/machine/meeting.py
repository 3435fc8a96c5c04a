"""Asks the keeper several times a second what was met since, for models that answer with lists."""

from __future__ import annotations

import asyncio

from everfit.errors import Unreachable
from everfit.faces.http.machine.state import State

EVERY_S = 0.25  # an interaction counts in all workers within a second


class Meeting:
    """Lets interactions count that other workers took, and those of before a restart."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            if not self._state.desk.lists:
                continue
            for model in list(self._state.desk.listing.shelved):
                while await self._page(model):
                    pass

    async def _page(self, model: str) -> bool:
        """Whether there are more."""
        state, listing = self._state, self._state.desk.listing
        args = {"model": model, "after": listing.upto(model)}
        try:
            status, body = await state.link.ask("met", args, wait_s=state.serving.ask_s)
        except Unreachable:
            return False  # what this worker took counts in it; the rest comes with the next ask
        if status != 200:
            return False
        if body["rows"]:
            listing.told(model, body["rows"], body["upto"])
        else:
            listing.read(model, body["upto"])
        return bool(body["more"])
