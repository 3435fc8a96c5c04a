"""The record of traffic: every prediction and outcome, kept apart from the control store.

A process that answers appends to its own :mod:`~everfit.store.log.spool`; one keeper drains the
spools into the :class:`Log`. Everything heavy is loaded when it is first used: a process that
only appends needs msgspec and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from everfit.store.log.log import Drained, Forgotten, Log

__all__ = ["Drained", "Forgotten", "Log"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from everfit.store.log import log

        return getattr(log, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
