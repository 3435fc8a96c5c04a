"""Fitting one member of a version again: does that repeat, and how does it age?"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from everfit.errors import EverfitError
from everfit.loop.backtest import as_windows, backtest, cheap, losses_after, tidy
from everfit.loop.gather import Gathered, Record, Wish, gather
from everfit.loop.lineage import Lineage
from everfit.records import Array, Upkeep
from everfit.rubric import Refitted

ASKED_SHARE = 0.2  # of the rows, the newest: both fits are asked about them
MOST_ROWS = 5_000  # that both fits learn from
SEED = 0
REPEAT_SHARE = 0.4  # of the time, for the two fits that must be alike


@dataclass(frozen=True, slots=True)
class Refit:
    """What may be fitted: rows of ``model`` known by ``now``, for ``seconds`` all together."""

    model: str
    now: datetime
    upkeep: Upkeep
    seconds: float


def refitted(lineage: Callable[[], Lineage], wish: Refit, record: Record | None) -> Refitted:
    """Fit the cheapest member twice alike, and at earlier times; nothing is kept of it.

    What could not be read or fitted is told in ``error``.
    """
    until = time.monotonic() + wish.seconds
    try:
        line = lineage()
        rows = gather(_wanted(line, wish), record)
        hypothesis = cheap(line.hypotheses)
        if hypothesis is None:
            return Refitted(error="no member is cheap enough to be fitted here")
        first, second = (_losses(line, rows, wish.seconds * REPEAT_SHARE / 2) for _ in range(2))
        aged = backtest(line, rows, seconds=max(0.0, until - time.monotonic()), seed=SEED)
    except (EverfitError, OSError) as error:
        return Refitted(error=str(getattr(error, "what", error))[:200])
    equal = None
    if first is not None and second is not None:
        equal = bool(np.array_equal(first, second, equal_nan=True))
    return Refitted(
        learner=hypothesis.learner,
        equal=equal,
        n=0 if first is None else int(np.isfinite(first).sum()),
        ages=as_windows(aged, wish.upkeep.window_s),
        fits=len({one.cut for one in aged}),
    )


def _wanted(line: Lineage, wish: Refit) -> Wish:
    split = line.assessment.split
    return Wish(
        model=wish.model,
        spec=line.spec,
        columns=line.columns,
        until=wish.now,
        now=wish.now,
        learn_from=wish.upkeep.learn_from,
        delay_s=wish.upkeep.label_delay_s,
        missing=wish.upkeep.missing_outcome,
        time=split.column if split.kind == "time" else None,
    )


def _losses(line: Lineage, rows: Gathered, seconds: float) -> Array | None:
    """Losses of a fit to all but the newest rows; the same each time, if training repeats."""
    hypothesis = cheap(line.hypotheses)
    table = tidy(line, rows.table)
    end = table.n_rows - max(1, int(ASKED_SHARE * table.n_rows))
    if hypothesis is None:
        return None
    return losses_after(
        line,
        table,
        hypothesis,
        np.arange(max(0, end - MOST_ROWS), end),
        np.arange(end, table.n_rows)[-MOST_ROWS:],
        seconds=seconds,
        seed=SEED,
    )
