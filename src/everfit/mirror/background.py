"""The mirror beside the work: a process of its own, that nobody waits for.

MLflow takes most of a second to import and its server may take minutes to answer; neither may cost
a run its budget, nor a server its memory.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from threading import Event, Thread

from everfit.errors import EverfitError
from everfit.house import House
from everfit.mirror.outbox import Outbox, target_of

URI = "MLFLOW_TRACKING_URI"
COMMAND = (sys.executable, "-m", "everfit", "mirror", "--quiet", "--patient")
EVERY_S = 15.0
STOP_S = 5.0  # what is pushed twice is there once, so that an end in the middle does no harm


def uri_here(environ: Mapping[str, str] | None = None) -> str | None:
    """The tracking URI of this environment, if there is one.

    Examples
    --------
    >>> uri_here({"MLFLOW_TRACKING_URI": " http://mlflow:5000 "})
    'http://mlflow:5000'
    """
    return (os.environ if environ is None else environ).get(URI, "").strip() or None


def start(place: str, command: Sequence[str] = COMMAND) -> subprocess.Popen[bytes] | None:
    """Mirror the store at ``place`` in a process that outlives this one; None when not asked to.

    It is given its place through the environment, because a URL may hold a password and all users
    of a machine can read the command line of a process. It never raises for want of a process.
    """
    if uri_here() is None or find_spec("mlflow") is None:
        return None
    try:
        process = subprocess.Popen(
            list(command),
            env={**os.environ, "EVERFIT_STORE": place},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C on a terminal is for us
        )
    except OSError:
        return None  # the next run, or everfit mirror, finds what waits
    # takes its end, so that a long session does not collect dead processes
    Thread(target=process.wait, name="everfit-mirror", daemon=True).start()
    return process


class Keeping:
    """The mirror of a long-lived process: one thread, until it is closed."""

    def __init__(self, house: House, *, every_s: float = EVERY_S) -> None:
        self._stop = Event()
        self._thread = Thread(
            target=keep, args=(house, self._stop, every_s), name="mirroring", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop, also in the middle; what was not told waits in the store."""
        self._stop.set()
        self._thread.join(2 * STOP_S)


def keep(house: House, stop: Event, every_s: float = EVERY_S) -> None:
    """Mirror ``house`` until ``stop`` is set.

    A process is started only while something waits and may be tried.
    """
    uri = uri_here()
    while uri is not None and not stop.wait(every_s):
        try:
            wanted = Outbox(house, target_of(uri)).is_anything_due()
        except EverfitError:
            continue  # the store is busy or away: it will be asked again
        process = start(house.place) if wanted else None
        if process is not None:
            _watch(process, stop)


def _watch(process: subprocess.Popen[bytes], stop: Event) -> None:
    while process.poll() is None:
        if stop.wait(0.2):
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
            return
