"""A fit of the loop in a child: given on as it was asked, and whatever it ends in has a row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from everfit.errors import Interrupted, Unreachable
from everfit.executors import Outcome
from everfit.loop.child import Limits, in_child
from everfit.loop.fit.entry import WORK, arguments
from everfit.loop.fit.job import FitJob
from everfit.plain import from_plain
from everfit.records import Because, Decision
from everfit.release.challenge import not_made
from everfit.store.contract import RunHandle, Store

BESIDE_S = 600.0  # to read, judge and pack, beside the budget of a fit
STORE_ERRORS = ("StoreBusy", "StoreFailed", "Unreachable")


@dataclass(frozen=True, slots=True)
class Fitter:
    """Makes versions in children that die with this process.

    ``place`` and ``files`` name the store for the child; ``memory_bytes`` is what one may use.
    """

    store: Store
    place: str
    files: str | None
    slots: int
    ending: Callable[[], bool]
    memory_bytes: int | None = None
    work: str = WORK

    def fit(self, job: FitJob, hold: RunHandle) -> Decision:
        """Make what ``job`` asks for under ``hold``; a fit that fails is a decision too.

        Raises
        ------
        Interrupted : the turn shall end; the same fit goes on where it was at the next
        Unreachable : the store did not answer the child; it is tried again
        StoreBusy : the hold was lost
        """
        asked = arguments(job, hold, place=self.place, files=self.files, slots=self.slots)
        limits = Limits(job.budget_s + BESIDE_S, self.memory_bytes)
        outcome = in_child(self.work, asked, limits, stop=self.ending)
        if outcome.status == "ok":
            return from_plain(Decision, outcome.value["decision"])
        if outcome.status == "cancelled":
            raise Interrupted("the fit was stopped", do="the next turn goes on with it")
        if outcome.error.startswith(STORE_ERRORS):
            raise Unreachable(
                "the store did not answer a fit",
                got=outcome.error.splitlines()[0],
                expected="a store that the fit can read and write",
                do="the next turn tries again",
            )
        decision = _failed(job, outcome)
        return self.store.commit(decision, run=hold, steps=job.step(None, ""))


def _failed(job: FitJob, outcome: Outcome) -> Decision:
    ended = {
        "timeout": "it took too long and was stopped",
        "lost": "its process died",
        "error": "it failed",
    }
    why = Because(
        ended[outcome.status],
        False,
        measured=round(outcome.seconds, 1),
        unit="s",
        note=outcome.error.strip()[:1_000],
    )
    return not_made(
        job.model,
        job.act,
        why,
        champion=f"v{job.champion}",
        at=job.now,
        would_change="other rows or settings: the next action tries again",
    )
