"""A first load in a process of its own, with limits: a bad file harms that process alone.

``python -m everfit.live.prove FOLDER`` answers the golden rows as ``everfit.serve.verify`` does,
after it has bound itself: it writes no file, keeps few open, and ends after a minute of work.
Without a folder it imports what it will need and waits for one on its standard input: a spare, so
that a champion does not wait for a process to start while the machine is busy.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from everfit.because import Because
from everfit.live.orders import Placed
from everfit.release.manifest import manifest_holds

if TYPE_CHECKING:
    from everfit.release.gates import FreshLoad

WAIT_S = 60.0
SPARE_AFTER_S = 1.0  # whoever begins to serve has better to do
LIMITS = {
    resource.RLIMIT_CPU: 60,
    resource.RLIMIT_FSIZE: 0,
    resource.RLIMIT_CORE: 0,
    resource.RLIMIT_NOFILE: 64,
    resource.RLIMIT_AS: 16 << 30,  # libraries reserve far more than they use
}


class Spare:
    """A process that waits for one folder, bound and with its libraries loaded; used once.

    The next one is started when the last has done its work.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._timer: threading.Timer | None = None

    def soon(self, after_s: float) -> None:
        """Have one after some seconds, unless there is one."""
        with self._turn:
            if self._process is None and self._timer is None:
                self._timer = threading.Timer(after_s, self._start)
                self._timer.daemon = True
                self._timer.start()

    def load(self, placed: Placed) -> FreshLoad | None:
        """What the spare finds when it loads a version; None without a spare, or when it ended."""
        with self._turn:
            process, self._process = self._process, None
        if process is None:
            return None
        from everfit.release.gates import FreshLoad, fresh_of

        began = time.monotonic()
        asked = json.dumps([placed.folder, *placed.trusted]) + "\n"
        try:
            said, _ = process.communicate(asked, timeout=WAIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return FreshLoad(False, None, None, f"no answer in {WAIT_S:.0f} s", WAIT_S)
        # what ended without a word is tried again in a process that tells why
        return fresh_of(said, time.monotonic() - began)

    def close(self) -> None:
        """Let the spare end."""
        with self._turn:
            if self._timer is not None:
                self._timer.cancel()
            process, self._process, self._timer = self._process, None, None
        if process is not None:
            process.communicate()  # no folder comes any more

    def _start(self) -> None:
        with self._turn, contextlib.suppress(OSError):
            if self._timer is None:
                return  # closed meanwhile
            self._timer = None
            self._process = subprocess.Popen(
                [sys.executable, "-m", "everfit.live.prove"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                start_new_session=True,  # Ctrl-C on a terminal is for the keeper
            )


_spare = Spare()
atexit.register(_spare.close)


def sealed(placed: Placed, key: bytes) -> Because:
    """Every file is as it was packed, and the manifest is signed by this store."""
    _spare.soon(SPARE_AFTER_S)
    return manifest_holds(Path(placed.folder), key=key, sha256=placed.sha256)


def proved(placed: Placed, key: bytes) -> tuple[Because, ...]:
    """What must hold before a version is offered to workers: seal, load, golden rows.

    Nothing parses files whose seal does not hold.
    """
    seal = sealed(placed, key)
    if not seal.passed:
        return (seal,)
    from everfit.release.gates import load_fresh, loads, reproduces

    fresh = _spare.load(placed)
    if fresh is None:
        fresh = load_fresh(
            Path(placed.folder), left_s=WAIT_S, trusted=placed.trusted, module="everfit.live.prove"
        )
    _spare.soon(0.0)  # for the next one
    return seal, loads(fresh), reproduces(fresh)


def holds(checks: Sequence[Because]) -> bool:
    """Whether each check says yes.

    Examples
    --------
    >>> holds([Because("loads", True)]), holds([Because("loads", None)]), holds([])
    (True, False, False)
    """
    return bool(checks) and all(check.passed for check in checks)


def main(arguments: Sequence[str]) -> int:
    """Bind this process, then check the folder named on the command line."""
    for limit, most in LIMITS.items():
        _, hard = resource.getrlimit(limit)
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with contextlib.suppress(ValueError, OSError):  # a limit that this system does not have
            resource.setrlimit(limit, (least, least))
    from everfit.serve.verify import main as verify  # the limits come first

    if not arguments:
        import_module("everfit.serve.load")
        asked = sys.stdin.readline()
        if not asked:
            return 0  # whoever started it has ended
        arguments = json.loads(asked)
    return verify(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
