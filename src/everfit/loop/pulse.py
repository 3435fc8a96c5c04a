"""Signs of life of a runner, and of the turn under way, from a thread of their own."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from everfit.errors import EverfitError
from everfit.store.contract import RunHandle, RunnerHandle, Store

BEATS = 4  # signs of life in the time that a hold lives


class Pulse:
    """Renews the right to run, if there is one, and the hold of a turn, for the block.

    ``lost`` is set when the right could not be renewed in time, whatever the reason: what would be
    written next is refused.
    """

    def __init__(self, store: Store, runner: RunnerHandle | None, *, ttl_s: float) -> None:
        self._store, self._runner, self._ttl_s = store, runner, ttl_s
        self._hold: RunHandle | None = None
        self._held_at = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._live, name="pulse", daemon=True)
        self.lost = threading.Event()

    def __enter__(self) -> Pulse:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @contextmanager
    def beside(self, hold: RunHandle) -> Iterator[None]:
        """Keep ``hold`` alive for the block, and let go of it."""
        self._held_at = time.monotonic()
        self._hold = hold
        try:
            yield
        finally:
            self._hold = None
            with contextlib.suppress(EverfitError):  # lost, or away: its time ends by itself
                self._store.let_go(hold)

    def gone(self, hold: RunHandle) -> bool:
        """Whether nothing can be written under ``hold`` any more."""
        return self.lost.is_set() or time.monotonic() - self._held_at > hold.ttl_s

    def _live(self) -> None:
        seen = time.monotonic()
        while not self._over.wait(self._ttl_s / BEATS):
            began, hold = time.monotonic(), self._hold
            try:
                if self._runner is not None:
                    self._store.renew_runner(self._runner)
                seen = began
            except Exception:  # noqa: BLE001 - whatever it is, the right is lost when its time is over
                if time.monotonic() - seen > self._ttl_s:
                    self.lost.set()
                    return
            if hold is not None:
                with contextlib.suppress(Exception):
                    self._store.heartbeat(hold)
                    self._held_at = began
