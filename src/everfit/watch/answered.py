"""From columns of the traffic log to answers, what turned out true, and losses.

Total: whatever stands in the log, every row is counted somewhere, and nothing raises.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from everfit.data.table import Table
from everfit.records import Answers, Array, Column, Problem, Source, Truth
from everfit.tasks import Task
from everfit.watch.reference import answers_of

MOST_EXAMPLES = 3
MOST_VALUES = 20  # different outcomes that are counted by value
Frame = pl.DataFrame


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What turned out true for the rows (n,) of a window, and what became of each outcome.

    ``values`` (n,) are class codes or numbers, NaN where nothing is known. The counts are of rows:
    ``told`` came in time, ``filled`` count as the policy's label, ``late`` came after that,
    ``missing`` never came, ``wrong`` were none of the labels, or no number. ``counts`` are those of
    the outcomes told, by value.
    """

    values: Array
    told: int
    filled: int
    late: int
    missing: int
    wrong: int
    examples: tuple[str, ...]
    counts: dict[str, int]

    @property
    def known(self) -> Array:
        """Which rows have a truth, bool (n,)."""
        return np.asarray(np.isfinite(self.values))


def outcomes(
    frame: Frame, problem: Problem, task: Task, *, until: datetime, missing: str | None
) -> Outcomes:
    """Outcomes of a frame of the log that were there by ``until``; ``missing`` fills the rest."""
    told = column(frame, "outcome")
    came = column(frame, "outcome_at")
    has = told.is_not_null()
    late = has & (_instants(came) > until).fill_null(False) if frame.height else has
    told = told.to_frame().select(pl.when(~late).then(pl.first())).to_series()
    values = truths(told, problem, task)
    in_time = (has & ~late).to_numpy()
    wrong = in_time & ~np.isfinite(values)
    examples = told.filter(pl.Series(wrong)).unique(maintain_order=True).head(MOST_EXAMPLES)
    absent = ~in_time
    if missing is not None and absent.any():
        filler = truths(pl.Series("outcome", [missing], dtype=pl.String), problem, task)
        values = np.where(absent, filler[0], values)
        if not np.isfinite(filler[0]):
            wrong, examples = wrong | absent, examples.cast(pl.String).extend(_one(missing))
    filled = int(absent.sum()) if missing is not None else 0
    return Outcomes(
        values=values,
        told=int(in_time.sum()),
        filled=filled,
        late=int(late.sum()),
        missing=int(absent.sum()) - int(late.sum()),
        wrong=int(wrong.sum()),
        examples=tuple(str(value)[:80] for value in examples),
        counts=_by_value(told),
    )


def truths(told: pl.Series, problem: Problem, task: Task) -> Array:
    """Class codes or numbers (n,) of outcomes as they were told; NaN where they are none."""
    found = np.full(len(told), np.nan)
    if not len(told) or told.dtype == pl.Null:
        return found
    alone = replace(problem, weight=None, time=None, group=None)
    kept = Table(
        pl.DataFrame({problem.target: told}),
        (Column(problem.target, "category", "target"),),
        Source("log", "", len(told), 1),
    )
    truth = task.truth(kept, alone)
    found[truth.ids] = truth.values
    return found


def answers(frame: Frame, problem: Problem) -> Array:
    """What was answered: (n, n_outputs), rows of NaN where there is no answer."""
    found = answers_of(frame, problem.labels)
    if problem.form == "values":
        return found
    # an earlier version may not know a label that a later one does: it gives it no chance
    some = np.isfinite(found).any(axis=1, keepdims=True)
    return np.asarray(np.where(some, np.nan_to_num(found, nan=0.0), np.nan))


def losses(said: Array, true: Array, problem: Problem, task: Task) -> Array:
    """One loss per row (n,): NaN where the truth is not known, infinite where there is no answer.

    ``said`` is (n, n_outputs), ``true`` (n,).
    """
    found = np.full(len(true), np.nan)
    known = np.flatnonzero(np.isfinite(true))
    found[known] = np.inf
    both = known[np.isfinite(said[known]).all(axis=1)]
    if len(both):
        ids = np.arange(len(both))
        lost = task.losses(Answers(ids, said[both]), Truth(ids, true[both]), problem.metric)
        found[both] = lost.values
    return found


def column(frame: Frame, name: str) -> pl.Series:
    """A column of the frame; nulls where it has none of that name."""
    if name in frame.columns:
        return frame[name]
    return pl.Series(name, [None] * frame.height, dtype=pl.Null)


def units(frame: Frame) -> Array:
    """What each row is about, as numbers (n,): its key, or the row itself without one."""
    key = column(frame, "key").cast(pl.String)
    own = pl.Series([f"\x00{at}" for at in range(frame.height)], dtype=pl.String)
    return np.asarray(key.fill_null(own).rank("dense").to_numpy(), dtype=np.int64)


def lateness(frame: Frame) -> dict[str, Any]:
    """How long outcomes took: their number, and quantiles in seconds."""
    took = column(frame, "lateness")
    if not isinstance(took.dtype, pl.Duration) or took.null_count() == len(took):
        return {"n": 0}
    seconds = took.drop_nulls().dt.total_microseconds().to_numpy() / 1e6
    q = [round(float(value), 3) for value in np.quantile(seconds, [0.05, 0.5, 0.95, 1.0])]
    return {"n": len(seconds), "q": q, "before": int((seconds < 0).sum())}


def _by_value(told: pl.Series) -> dict[str, int]:
    known = told.drop_nulls()
    if known.is_empty() or known.n_unique() > MOST_VALUES:
        return {}
    counts = (
        known.cast(pl.String).value_counts().sort("count", known.name, descending=[True, False])
    )
    return {str(value): int(n) for value, n in counts.iter_rows()}


def _instants(came: pl.Series) -> pl.Series:
    if isinstance(came.dtype, pl.Datetime):
        return came
    return came.cast(pl.Datetime("us", "UTC"), strict=False)


def _one(text: str) -> pl.Series:
    return pl.Series([text], dtype=pl.String)
