"""The one writer of the log: takes what workers wrote to their spools into the database."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from everfit.errors import EverfitError

if TYPE_CHECKING:
    from everfit.store.log import Drained, Log

BEAT_S = 0.05  # between two looks at the spools
REST, MOST_REST_S = 19.0, 0.5  # times as long as a drain took, it rests: 5% of a core
FAR_BYTES = 8 << 20  # who is this far behind does not rest
MOST_WAIT_S = 5.0  # between two tries of a database that does not answer
KEEP_EVERY_S = 3600.0  # between two looks at whole days to seal, and old ones to drop

Say = Callable[[str, Mapping[str, Any]], None]


class Ingest:
    """Drains spools in a thread; what cannot be written stays in the spools and is tried again.

    Parameters
    ----------
    open_log : opens the database; it raises while the database cannot be reached
    spools : the folder with a folder for each process that logs
    keep_days : drop rows older than this; None keeps all
    say : told when the database is lost, and when it is back
    """

    def __init__(
        self,
        open_log: Callable[[], Log],
        spools: Path,
        *,
        keep_days: int | None,
        say: Say,
    ) -> None:
        self._open_log, self._spools, self._keep_days = open_log, spools, keep_days
        self._say = say
        self._log: Log | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ingest", daemon=True)
        self._lost = False
        self._caught_up_at = -math.inf
        self._wait_s = 0.0
        self._kept_at = -KEEP_EVERY_S

    @property
    def log(self) -> Log | None:
        """The open log; None while its database has not answered yet."""
        return self._log

    @property
    def reaches(self) -> bool:
        """Whether the last try to write reached the database."""
        return self._log is not None and not self._lost

    @property
    def caught_up_at(self) -> float:
        """When the last drain began that took all there was; seconds of the monotonic clock.

        Spools need not be empty for that: under steady traffic they never are.
        """
        return self._caught_up_at

    def open(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self, left_s: float) -> bool:
        """Take in what is left, for ``left_s`` seconds at most; gives whether nothing is left.

        Call it when no process appends any more.
        """
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(left_s)
        if self._thread.is_alive():
            return False
        until = time.monotonic() + left_s
        empty = False
        while not empty and time.monotonic() < until:
            drained = self._once()
            if drained is None:
                break
            empty = drained.behind_bytes == 0
        if self._log is not None:
            self._log.close()
        return empty

    def _run(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            drained = self._once()
            took_s = time.monotonic() - began
            if drained is None:
                self._stop.wait(self._wait_s)
            elif drained.behind_bytes < FAR_BYTES:
                # under load something always came meanwhile: it is taken after the rest
                self._look_after()
                self._stop.wait(max(BEAT_S, min(REST * took_s, MOST_REST_S)))

    def _once(self) -> Drained | None:
        """Drain once; None when the database cannot be written now."""
        began = time.monotonic()
        try:
            if self._log is None:
                self._log = self._open_log()
            drained = self._log.drain(self._spools)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next try must come
            if not self._lost:
                self._say("log_lost", facts_of(error))
            self._lost = True
            self._wait_s = min(max(2 * self._wait_s, 2 * BEAT_S), MOST_WAIT_S)
            return None
        if self._lost:
            self._say("log_back", {"predictions": drained.predictions})
        self._lost, self._wait_s = False, 0.0
        if drained.whole:
            self._caught_up_at = began
        for path in drained.damaged:
            self._say("spool_damaged", {"kept": str(path)})
        return drained

    def _look_after(self) -> None:
        """Seal whole days and drop what is too old, once an hour."""
        if self._log is None or time.monotonic() - self._kept_at < KEEP_EVERY_S:
            return
        self._kept_at = time.monotonic()
        try:
            today = datetime.now(UTC).date()
            for path in self._log.seal(before=today):
                self._say("day_sealed", {"file": str(path)})
            if self._keep_days is not None:
                dropped = self._log.retain(self._keep_days)
                if dropped:
                    self._say("days_dropped", {"rows": dropped})
        except Exception as error:  # noqa: BLE001 - whatever it is, draining must go on
            self._say("sealing_failed", facts_of(error))


def facts_of(error: Exception) -> dict[str, Any]:
    """What is written down of an error.

    Examples
    --------
    >>> facts_of(OSError("no"))
    {'code': 'OSError', 'message': 'no'}
    """
    if isinstance(error, EverfitError):
        return dict(error.as_dict())
    return {"code": type(error).__name__, "message": str(error)}
