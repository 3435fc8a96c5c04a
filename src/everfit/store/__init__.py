"""The store: a journal of runs, versions and decisions, with the folders they speak of."""

from __future__ import annotations

from everfit.store.contract import Alias, RunHandle, RunRow, Store
from everfit.store.journal import Journal
from everfit.store.place import STORES, open_store

__all__ = ["STORES", "Alias", "Journal", "RunHandle", "RunRow", "Store", "open_store"]
