"""How a model ages: fitted up to a time, asked about later and later rows, before it ever serves.

One member of the champion stands for all of it: what is wanted is how much the loss grows with age,
not how low it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from everfit.data.clean import clean
from everfit.data.table import Table
from everfit.errors import EverfitError
from everfit.evidence.interval import mean_of
from everfit.learners import make
from everfit.learners.contract import FitBudget, History, answered
from everfit.loop.gather import Gathered
from everfit.loop.lineage import Lineage
from everfit.records import Answers, Array, Cut, Hypothesis
from everfit.study.workspace import known
from everfit.tasks import TASKS

BLOCKS = 10  # of equal time, in which rows are asked about together
FIRST = 3  # blocks of history, before the first fit
MOST_FITS = 4
MOST_ROWS = 20_000  # of one history, the newest
LEAST_ROWS = 30  # in a block, to speak of a mean loss
CHEAP = ("linear", "boosted", "forest", "symmetric")  # learners by what a fit of them costs


@dataclass(frozen=True, slots=True)
class Aged:
    """The mean loss of ``n`` rows asked from ``start_s`` to ``end_s`` after the cut of their fit.

    ``ratio`` is that loss as a multiple of the loss just after the cut; ``cut`` numbers the fit.
    """

    cut: int
    start_s: float
    end_s: float
    loss: float
    ratio: float
    n: int


def backtest(
    line: Lineage,
    rows: Gathered,
    *,
    seconds: float,
    seed: int = 0,
    now: Callable[[], float] = time.monotonic,
) -> tuple[Aged, ...]:
    """How the loss of one member of ``line`` grows with its age, on rows whose time is known.

    At most four fits at different times, each asked about all blocks of time after it; no fit is
    begun when ``seconds`` are over. Empty when times are not known, or rows are too few.
    """
    until = now() + seconds
    table, when = _timed(line, rows)
    if table is None or when is None:
        return ()
    hypothesis = cheap(line.hypotheses)
    if hypothesis is None:
        return ()
    edges = np.linspace(when[0], when[-1], BLOCKS + 1)
    block = np.clip(np.searchsorted(edges, when, "right") - 1, 0, BLOCKS - 1)
    found: list[Aged] = []
    for number, cut in enumerate(_cuts()):
        if now() >= until:
            break
        history = np.flatnonzero(block < cut)[-MOST_ROWS:]
        asked = np.flatnonzero(block >= cut)
        losses = losses_after(
            line, table, hypothesis, history, asked, seconds=until - now(), seed=seed
        )
        if losses is None:
            continue
        found += _aged(number, losses, asked, block, cut, edges)
    return tuple(found)


def as_windows(aged: Sequence[Aged], window_s: float) -> tuple[tuple[float, float], ...]:
    """(age in windows, loss as a multiple of that just after the cut), by window, fit by fit.

    A window has the ratio of the stretch of time that its middle lies in.

    Examples
    --------
    >>> aged = [Aged(0, 0.0, 172_800.0, 0.5, 1.0, 90), Aged(0, 172_800.0, 259_200.0, 0.6, 1.2, 80)]
    >>> as_windows(aged, 86_400.0)
    ((0.5, 1.0), (1.5, 1.0), (2.5, 1.2))
    """
    found: list[tuple[float, float]] = []
    for one in aged:
        first = int(np.ceil(one.start_s / window_s - 0.5))
        last = int(np.ceil(one.end_s / window_s - 0.5))
        found += [(number + 0.5, one.ratio) for number in range(first, last)]
    return tuple(found)


def _cuts() -> list[int]:
    """The blocks at which a model is fitted to all that came before."""
    return sorted({int(c) for c in np.linspace(FIRST, BLOCKS - 2, MOST_FITS)})


def _timed(line: Lineage, rows: Gathered) -> tuple[Table | None, Array | None]:
    """The cleaned rows whose time is known, oldest first, and their times in seconds."""
    have = rows.at.is_not_null()
    if int(have.sum()) < BLOCKS * LEAST_ROWS:
        return None, None
    numbered = rows.table.frame.with_columns(rows.at.alias(_AT)).filter(have).sort(_AT)
    when = numbered[_AT].to_physical().cast(pl.Float64).to_numpy() / 1e6
    if not when[-1] > when[0]:
        return None, None
    return tidy(line, replace(rows.table, frame=numbered.drop(_AT))), when


def tidy(line: Lineage, table: Table) -> Table:
    """The table with its columns as the version learnt them; no row is left out."""
    have = {column.name for column in table.columns}
    acts = [a for a in line.acts if a.kind in ("drop_column", "blank") and a.column in have]
    return clean(table, acts)


_AT = "at, of a backtest"


def cheap(hypotheses: Sequence[Hypothesis]) -> Hypothesis | None:
    """The member whose fit costs least, of those that read no history."""
    able = [h for h in hypotheses if h.learner in CHEAP]
    return min(able, key=lambda h: CHEAP.index(h.learner), default=None)


def losses_after(
    line: Lineage,
    table: Table,
    hypothesis: Hypothesis,
    history: Array,
    asked: Array,
    *,
    seconds: float,
    seed: int,
) -> Array | None:
    """The loss of each row of ``asked`` for a model that was fitted to the rows of ``history``.

    NaN where the outcome is not known; None when nothing could be fitted. ``table`` is tidy.
    """
    problem, task = line.version.problem, TASKS[line.version.problem.task]
    truth = task.truth(table, problem)
    features = task.asks(table, Cut("all", np.empty(0, int), np.arange(table.n_rows)))
    seen, target, weight = known(truth, history)
    if len(seen) < LEAST_ROWS or (problem.labels and len(np.unique(target)) < 2):
        return None
    began = time.monotonic()
    budget = FitBudget(seconds, 1, None, lambda: seconds - (time.monotonic() - began))
    told = History(features.take(seen), target, problem.form, problem.n_outputs, seed, weight)
    try:
        fitted = make(hypothesis.learner, hypothesis.settings).fit(told, budget)
        values = answered(fitted, features.take(asked), None)
    except EverfitError:
        return None
    losses = task.losses(Answers(asked, values), truth, problem.metric)
    found = np.full(len(asked), np.nan)
    found[np.searchsorted(asked, losses.ids)] = losses.values
    return found


def _aged(
    number: int, losses: Array, asked: Array, block: Array, cut: int, edges: Array
) -> list[Aged]:
    found: list[Aged] = []
    first: float | None = None
    for later in range(cut, BLOCKS):
        mine = losses[(block[asked] == later) & np.isfinite(losses)]
        if len(mine) < LEAST_ROWS:
            continue
        loss = mean_of(mine)
        first = loss if first is None else first
        start, end = float(edges[later] - edges[cut]), float(edges[later + 1] - edges[cut])
        if first > 0:
            found.append(Aged(number, start, end, loss, loss / first, len(mine)))
    return found
