"""Once a second: slow clients are let go, tokens looked at again, a full disk tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from time import perf_counter
from typing import TYPE_CHECKING

from everfit.errors import SettingsError
from everfit.faces.http.machine.fast import Connection, Fast
from everfit.faces.http.machine.state import SPOOL, State
from everfit.store.log.spool import Spool

if TYPE_CHECKING:
    import uvicorn

    from everfit.faces.http.app import App

EVERY_S = 1.0
PROBE_BYTES = 65_536


class Sweep:
    """Looks after what no request does."""

    def __init__(
        self, state: State, app: App, fast: Fast, server: uvicorn.Server, spool: Spool
    ) -> None:
        self._state, self._app, self._fast = state, app, fast
        self._server, self._spool = server, spool
        # connections whose answers are not taken: how much waited, and since when
        self._full: dict[Connection, tuple[int, float]] = {}

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            serving = self._state.serving
            await asyncio.sleep(min(EVERY_S, serving.read_s / 4))
            now = perf_counter()
            self._app.give_up(now - serving.read_s)
            # uvicorn itself waits for ever for a head that does not end
            found = [c for c in self._server.server_state.connections if isinstance(c, Connection)]
            for connection in found:
                connection.let_go(now, serving.read_s, serving.keep_alive_s)
            self._drop_full(found, now, serving.read_s)
            with suppress(SettingsError):
                if self._state.door.reread():
                    self._fast.renew()  # a head that was let in may be let in no more
            if SPOOL in self._state.troubles:
                await self._try_disk()

    def _drop_full(self, connections: Sequence[Connection], now: float, read_s: float) -> None:
        """End connections whose answers are not taken: half of what waits, in each ``read_s``.

        Without it a client that never reads would keep its answers in our memory for ever: uvicorn
        closes such a connection only after the last byte has gone.
        """
        before, self._full = self._full, {}
        for connection in connections:
            n_bytes = connection.transport.get_write_buffer_size()
            if not n_bytes:
                continue
            waiting, since = before.get(connection, (n_bytes, now))
            if n_bytes <= waiting // 2:
                waiting, since = n_bytes, now
            if now - since > read_s:
                connection.transport.abort()
            else:
                self._full[connection] = (waiting, since)

    async def _try_disk(self) -> None:
        """Say that the record can be written again as soon as it can, requests or none."""
        path = self._spool.folder / ".probe"

        def probe() -> bool:
            try:
                path.write_bytes(bytes(PROBE_BYTES))
                path.unlink()
            except OSError:
                path.unlink(missing_ok=True)
                return False
            return True

        if await self._state.aside(probe):
            self._state.spool_told(None)
