"""A heavy step in a process of its own: one function, plain arguments, and a plain result.

The process is new, so that nothing of an earlier step is in its memory, and it dies with this one,
however this one ends. What it made counts for nothing until the turn that asked for it commits it
under its own epoch.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from everfit.executors import Job, LocalExecutor, Outcome
from everfit.executors.call import resolve
from everfit.plain import as_plain

LOOK_S = 0.1  # between two looks at whether to stop


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child may use: seconds, bytes of its own memory (None: any), threads."""

    timeout_s: float
    memory_bytes: int | None = None
    threads: int = 1


def in_child(
    function: str,
    arguments: Mapping[str, Any],
    limits: Limits,
    *,
    stop: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Call ``function`` in a fresh process and wait for it; failures are values.

    Parameters
    ----------
    function : by dotted name, such as ``everfit.loop.fit.job:work``; gives a mapping
    arguments : JSON-ready, by name
    stop : asked ten times a second; True kills the child

    Returns
    -------
    Outcome : ``ok`` with the value as plain JSON, ``error`` with the words of what was raised,
        ``timeout``, ``lost`` (it died, perhaps for want of memory) or ``cancelled`` (``stop``)

    Examples
    --------
    >>> outcome = in_child("everfit.plain:as_plain", {"value": {"n": 1}}, Limits(30.0))
    >>> outcome.status, outcome.value
    ('ok', {'n': 1})
    """
    asked = {
        "function": function,
        "arguments": as_plain(arguments),
        "memory_bytes": limits.memory_bytes,
    }
    with LocalExecutor(1, threads=limits.threads) as executor:
        executor.submit(Job("child", "everfit.loop.child:limited", asked, limits.timeout_s))
        while True:
            outcomes = executor.wait(LOOK_S)
            if outcomes:
                return outcomes[0]
            if stop():
                executor.cancel("child")


def limited(
    function: str, arguments: Mapping[str, Any], memory_bytes: int | None
) -> Mapping[str, Any]:
    """What the child does: keep within its memory, and call.

    Examples
    --------
    >>> limited("everfit.plain:as_plain", {"value": {"n": 1}}, None)
    {'n': 1}
    """
    if memory_bytes is not None and sys.platform == "linux":
        # not the whole address space: numeric libraries reserve far more than they use
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, most))
    value: Mapping[str, Any] = resolve(function)(**arguments)
    return value
