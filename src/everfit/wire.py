"""Builds the house from one settings file: the only file that names concrete classes."""

from __future__ import annotations

import os
from pathlib import Path

from everfit.executors import Executor, InlineExecutor, LocalExecutor
from everfit.house import House
from everfit.settings import Settings, store_place
from everfit.store import Store, open_store

# in the order of the first hypotheses; heaviest last
WARM = (
    "everfit.study.fold",
    "sklearn.linear_model",
    "threadpoolctl",
    "lightgbm",
    "pandas",
    "catboost",
    "sklearn.ensemble",
    "sklearn.neural_network",
)


def house(store: str | Path | None = None, settings: Settings | None = None) -> House:
    """The house over ``store``, else that of settings, of ``EVERFIT_STORE``, or ``./.everfit``.

    The files of a store by URL lie where settings or ``EVERFIT_FILES`` say, else where they were
    when it was made. Nothing is opened or written yet.
    """
    place = store_place(store, settings)
    told = settings.files if settings is not None else None
    files = told or os.environ.get("EVERFIT_FILES") or None
    slots = slots_here()
    return House(
        place=place,
        opener=lambda create: _store(place, files, create=create),
        make_executor=lambda: _executor(slots),
        threads=1,
        after=lambda: _mirror(place),
    )


def slots_here() -> int:
    """How many fits run side by side: one a core that this process may use."""
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:  # not on macOS
        return max(1, os.cpu_count() or 1)


def _store(place: str, files: str | None, *, create: bool) -> Store:
    return open_store(place, files=files, create=create)


def _mirror(place: str) -> None:
    if os.environ.get("MLFLOW_TRACKING_URI"):
        from everfit.mirror.background import start  # most stores are mirrored nowhere

        start(place)


def _executor(slots: int) -> Executor:
    if os.environ.get("EVERFIT_EXECUTOR") == "inline":
        return InlineExecutor()
    return LocalExecutor(slots, threads=1, warm=WARM)
