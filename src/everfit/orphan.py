"""No child outlives its parent: nobody would hear what it says, and it would go on for nothing."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
PARENT = "EVERFIT_PARENT"  # its id, in the environment of a child that is to end with it


def die_with(parent: int) -> None:
    """Ask the kernel to end this process when the process ``parent`` ends, however it ends.

    Elsewhere than on Linux the end of a channel to the parent says the same, a moment later.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # it ended before the line above took hold


def die_with_parent() -> None:
    """As :func:`die_with`, when whoever started this process asked for it."""
    told = os.environ.pop(PARENT, "")  # children of ours have another parent
    if told:
        die_with(int(told))
