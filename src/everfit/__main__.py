"""The program ``everfit``, also ``python -m everfit``."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from everfit.live import early


def main() -> NoReturn:
    """Run one command and end the process at once.

    Everything was closed and written when the command returns. Taking the libraries apart would
    cost half a second more (measured: 0.8 s after a run), and a budget is wall time.
    """
    waiting = early.start() if early.is_asked(sys.argv[1:]) else None
    from everfit.faces.cli.main import CLOSED
    from everfit.faces.cli.main import main as command

    code = command(early=waiting)
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        code = CLOSED
    os._exit(code)


if __name__ == "__main__":
    main()
