"""No child outlives its keeper: nobody would drain its spool or tell it of new versions."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with(keeper: int) -> None:
    """Ask the kernel to end this process when the process ``keeper`` ends, however it ends.

    Elsewhere than on Linux the end of the channel to the keeper says the same, a moment later.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != keeper:
        os._exit(1)  # it ended before the line above took hold
