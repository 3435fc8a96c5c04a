"""A sign of life beside a run, for stores that other hosts share.

On one host the process of a run is seen to live. Other hosts see its row alone, and a single fit
may take longer than a hold lasts without a sign.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread

from everfit.errors import EverfitError
from everfit.store.holds import lease


class Pulse:
    """Calls ``beat`` four times in the life of a hold, in a thread, until it is stopped.

    ``beat`` says False when nobody is left to live for. What it raises of ours is left to the
    run's own next write, which meets the same.
    """

    def __init__(self, beat: Callable[[], bool]) -> None:
        self._beat = beat
        self._over = Event()
        self._every_s = lease.TTL_S / 4
        Thread(target=self._live, name="everfit-pulse", daemon=True).start()

    def stop(self) -> None:
        """No further beat begins."""
        self._over.set()

    def _live(self) -> None:
        while not self._over.wait(self._every_s):
            try:
                if not self._beat():
                    return
            except EverfitError:
                continue
