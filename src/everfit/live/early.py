"""The first worker of a server, started before the command line is even read.

Its libraries take most of the time to the first answer; so do those of the command line. Both are
loaded side by side. It is told nothing until there is a keeper, and ends when there will be none.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from dataclasses import dataclass

WORKER = (sys.executable, "-m", "everfit.faces.http.worker")


@dataclass(frozen=True, slots=True)
class Early:
    """A worker that waits to be told what it is, and the keeper's end of its channel."""

    process: subprocess.Popen[bytes]
    end: socket.socket

    def close(self) -> None:
        """Let it end."""
        self.end.close()
        self.process.wait()


def start(command: tuple[str, ...] = WORKER) -> Early:
    """Start a worker; the number of its end of the channel is its last argument.

    Call it from a thread that lives as long as the worker shall: the kernel sends a child's death
    signal when the thread that made it ends.

    Raises
    ------
    OSError : the process cannot be made, for want of memory or of processes
    """
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with theirs:
        try:
            process = subprocess.Popen(
                [*command, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,  # Ctrl-C is the keeper's to hear
            )
        except OSError:
            mine.close()
            raise
    return Early(process, mine)


def is_asked(arguments: list[str]) -> bool:
    """Whether a command line starts a server, as far as that can be told without reading it.

    Examples
    --------
    >>> is_asked(["serve", "--port", "80"]), is_asked(["serve", "--help"]), is_asked(["run"])
    (True, False, False)
    >>> is_asked(["up"]), is_asked(["up", "--no-serve"])
    (True, False)
    """
    named = arguments[:1] in (["serve"], ["up"])
    return named and not {"-h", "--help", "--no-serve"} & set(arguments)
