"""The same fit for a process of its own: plain arguments in, plain values out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from everfit.executors import Executor, InlineExecutor, LocalExecutor
from everfit.loop.fit.fit import fit
from everfit.loop.fit.job import FitJob, Hands
from everfit.plain import as_plain, from_plain
from everfit.store import RunHandle, open_store
from everfit.store.log.log import Log

WORK = "everfit.loop.fit.entry:work"


def arguments(
    job: FitJob, hold: RunHandle, *, place: str, files: str | None = None, slots: int = 1
) -> dict[str, Any]:
    """What :func:`work` is called with, JSON-ready.

    Parameters
    ----------
    place, files : the store, as ``open_store`` takes it; its log is where the server keeps it
    slots : processes of a search; a fit again needs none
    """
    return {
        "job": as_plain(job),
        "hold": as_plain(hold),
        "place": place,
        "files": files,
        "slots": slots,
    }


def work(
    job: Mapping[str, Any],
    hold: Mapping[str, Any],
    place: str,
    files: str | None = None,
    slots: int = 1,
) -> dict[str, Any]:
    """Do the fit under a hold that another process keeps alive; gives decision and version.

    What is written is written here, under the epoch of the hold: when the hold was lost meanwhile,
    nothing is.

    Raises
    ------
    StoreBusy : the hold was lost
    """
    asked = from_plain(FitJob, job)
    store = open_store(place, files=files, create=False)
    log = Log.open(place if "://" in place else store.root, root=store.root)

    def executor() -> Executor:
        if asked.act == "search" and slots > 1:
            return LocalExecutor(slots, threads=1)
        return InlineExecutor()

    try:
        made = fit(asked, Hands(store, log, executor), from_plain(RunHandle, hold))
    finally:
        log.close()
        store.close()
    return {
        "decision": as_plain(made.decision),
        "version": None if made.version is None else made.version.number,
        "again": made.again,
    }
