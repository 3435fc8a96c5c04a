"""The store: a journal of runs, versions and decisions, with the folders they speak of.

Names are imported when they are first used: a process that only answers requests writes its
spool (``store.log``) and must not pay for a database library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from everfit.store.contract import Alias, Mirrored, RunHandle, RunRow, Store, Traffic
    from everfit.store.journal import Journal
    from everfit.store.place import STORES, open_store

__all__ = [
    "STORES",
    "Alias",
    "Journal",
    "Mirrored",
    "RunHandle",
    "RunRow",
    "Store",
    "Traffic",
    "open_store",
]

_PLACES = {"Journal": "journal", "STORES": "place", "open_store": "place"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{_PLACES.get(name, 'contract')}")
    return getattr(module, name)
