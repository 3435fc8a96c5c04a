"""The child process of the local executor: reads jobs from stdin, writes outcomes to stdout.

It dies with its parent, also when the parent is killed with SIGKILL, so that no orphan goes on
fitting: by the kernel's parent-death signal on Linux, and everywhere by watching its parent's id.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import threading
import time

from everfit.executors.call import call
from everfit.orphan import die_with
from everfit.plain import as_plain

WATCH_S = 0.5


def main(parent: int, warm: list[str]) -> None:
    """Answer jobs until stdin ends; ``warm`` modules are imported while nothing is asked.

    Imports and jobs take turns: a job waits for one module at most, never for all of them, and two
    threads never import at once.
    """
    die_with(parent)
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    # libraries print; the pipe to the parent must carry outcomes only
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    turn = threading.Lock()
    threading.Thread(target=_import, args=(warm, turn), daemon=True).start()
    for line in sys.stdin:
        job = json.loads(line)
        with turn:
            outcome = call(job["key"], job["function"], job["arguments"])
        out.write(json.dumps(as_plain(outcome)) + "\n")
        out.flush()


def _import(modules: list[str], turn: threading.Lock) -> None:
    for module in modules:
        with turn:
            importlib.import_module(module)
        time.sleep(0)  # a waiting job goes first


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH_S)
    os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
