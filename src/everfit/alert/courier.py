"""A thread that sends what waits, beside a loop that never waits for it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from threading import Event, Thread

from everfit.alert.outbox import Delivered, Outbox
from everfit.errors import EverfitError

PASS_S = 60.0
STOP_S = 2.0  # what is cut off is sent again: receivers know it by its id


class Courier:
    """Sends what waits, one pass each time it is woken, until it is closed.

    Whoever takes turns wakes it after each; a process that only stands by sends nothing, so that
    two of them do not send the same.

    Parameters
    ----------
    open_outbox : makes the outbox, in the thread, with a store of its own; asked again after an
        error, so that a store that was away is opened anew
    say : told what a pass did, when it did something
    """

    def __init__(
        self,
        open_outbox: Callable[[], Outbox],
        *,
        say: Callable[[Delivered], None] = lambda done: None,
    ) -> None:
        self._open, self._say = open_outbox, say
        self._woken, self._stop = Event(), Event()
        self._thread = Thread(target=self._keep, name="alerts", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Look once now; a pass that is under way is followed by another."""
        self._woken.set()

    def close(self) -> None:
        """Stop; what was not sent waits in the store."""
        self._stop.set()
        self._woken.set()
        self._thread.join(STOP_S)

    def _keep(self) -> None:
        outbox: Outbox | None = None
        while self._woken.wait() and not self._stop.is_set():
            self._woken.clear()
            try:
                outbox = outbox or self._open()
                done = outbox.deliver(PASS_S)
                if done.taken or done.failed:
                    self._say(done)
            except EverfitError:
                # the store is busy or away: it will be asked again
                _let_go(outbox)
                outbox = None
        _let_go(outbox)


def _let_go(outbox: Outbox | None) -> None:
    if outbox is not None:
        with contextlib.suppress(EverfitError):
            outbox.store.close()
