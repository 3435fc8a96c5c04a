"""A first load in a process of its own, with limits: a bad file harms that process alone.

``python -m everfit.live.prove FOLDER`` answers the golden rows as ``everfit.serve.verify`` does,
after it has bound itself: it writes no file, keeps few open, and ends after a minute of work.
"""

from __future__ import annotations

import contextlib
import resource
import sys
from collections.abc import Sequence
from pathlib import Path

from everfit.live.orders import Placed
from everfit.records import Because
from everfit.release.gates import load_fresh, loads, manifest_holds, passed, reproduces

WAIT_S = 60.0
LIMITS = {
    resource.RLIMIT_CPU: 60,
    resource.RLIMIT_FSIZE: 0,
    resource.RLIMIT_CORE: 0,
    resource.RLIMIT_NOFILE: 64,
    resource.RLIMIT_AS: 16 << 30,  # libraries reserve far more than they use
}


def sealed(placed: Placed, key: bytes) -> Because:
    """Every file is as it was packed, and the manifest is signed by this store."""
    return manifest_holds(Path(placed.folder), key=key, sha256=placed.sha256)


def proved(placed: Placed, key: bytes) -> tuple[Because, ...]:
    """What must hold before a version is offered to workers: seal, load, golden rows.

    Nothing parses files whose seal does not hold.
    """
    seal = sealed(placed, key)
    if not seal.passed:
        return (seal,)
    fresh = load_fresh(
        Path(placed.folder), left_s=WAIT_S, trusted=placed.trusted, module="everfit.live.prove"
    )
    return seal, loads(fresh), reproduces(fresh)


def holds(checks: Sequence[Because]) -> bool:
    """Whether each check says yes.

    Examples
    --------
    >>> holds([Because("loads", True)]), holds([Because("loads", None)]), holds([])
    (True, False, False)
    """
    return bool(checks) and passed(checks) and all(check.passed for check in checks)


def main(arguments: Sequence[str]) -> int:
    """Bind this process, then check the folder named on the command line."""
    for limit, most in LIMITS.items():
        _, hard = resource.getrlimit(limit)
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with contextlib.suppress(ValueError, OSError):  # a limit that this system does not have
            resource.setrlimit(limit, (least, least))
    from everfit.serve.verify import main as verify  # the limits come first

    return verify(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
