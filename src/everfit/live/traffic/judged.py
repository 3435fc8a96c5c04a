"""What each arm lost on requests whose outcome is known, with its range; for one look.

Who decides with these numbers after every look needs ``evidence.sequential`` instead.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from everfit.data.table import Table
from everfit.evidence.interval import Interval, Spread, spread
from everfit.evidence.paired import paired_gain
from everfit.live.arms import CANARY, CHAMPION, SHADOW, Arms, version_of
from everfit.maintain.labels import judging
from everfit.records import Answers, Array, Column, Problem, Source
from everfit.tasks import TASKS

if TYPE_CHECKING:
    from everfit.store.log import Log

READ = ["id", "key", "of", "value", "probabilities", "outcome"]


@dataclass(frozen=True, slots=True)
class Judged:
    """Losses of arms on their own requests.

    ``loss`` is the mean loss of each arm with its 95% range; ``gain`` the drop of the mean loss
    against the champion, on the same requests for the shadow, on other keys for the canary.
    ``left_out`` counts outcomes that are none of the problem's classes, or no number.
    """

    metric: str
    loss: Mapping[str, Interval]
    gain: Mapping[str, Interval]
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class _Lost:
    ids: Array  # (n,) of the prediction; of the shadow, of the one that it repeats
    units: Array  # (n,) the key, or the id of a row without
    losses: Array  # (n,)
    left_out: int = 0


def judged(
    log: Log,
    model: str,
    problem: Problem,
    arms: Arms,
    *,
    since: datetime | None,
    teach: Collection[str] = (),
) -> Judged:
    """Read the joined outcomes of every arm that answers now; arms without outcomes are left out.

    An outcome that is none of the problem's classes, or no number, is left out too, and counted.
    ``teach`` are requests whose outcomes were asked for, and do not speak for the others.
    """
    read = _Read(log, model, problem, since, teach)
    wanted = [CHAMPION]
    wanted += [arm for arm in (CANARY, "holdout") if arms.shares.get(arm)]
    wanted += [SHADOW] if arms.shadow is not None else []
    found = {arm: _lost(read, arm, version_of(arm, arms)) for arm in wanted}
    measured = {
        arm: spread(lost.losses, groups=lost.units)
        for arm, lost in found.items()
        if len(lost.losses)
    }
    gain: dict[str, Interval] = {}
    if CHAMPION in measured and CANARY in measured:
        gain[CANARY] = _between(measured[CANARY], measured[CHAMPION])
    if SHADOW in measured and CHAMPION in measured:
        same = _same(found[SHADOW], found[CHAMPION])
        if same is not None:
            gain[SHADOW] = same
    loss = {arm: one.interval() for arm, one in measured.items()}
    left_out = sum(lost.left_out for arm, lost in found.items() if arm != SHADOW)
    return Judged(problem.metric, loss, gain, left_out)


def _between(new: Spread, old: Spread) -> Interval:
    """The drop of the mean from old to new on different units: Welch's range."""
    variance = new.error**2 + old.error**2
    spread_out = new.error**4 / new.freedom + old.error**4 / old.freedom
    freedom = variance**2 / spread_out if spread_out > 0 else 1.0
    n = new.n + old.n
    return Spread(old.mean - new.mean, math.sqrt(variance), freedom, n).interval()


def _same(new: _Lost, old: _Lost) -> Interval | None:
    """The drop of the mean from old to new on the requests that both answered."""
    _, at_new, at_old = np.intersect1d(new.ids, old.ids, return_indices=True)
    if not len(at_new):
        return None
    return paired_gain(new.losses[at_new], old.losses[at_old], groups=new.units[at_new])


@dataclass(frozen=True, slots=True)
class _Read:
    log: Log
    model: str
    problem: Problem
    since: datetime | None
    teach: Collection[str]


def _lost(read: _Read, arm: str, version: int) -> _Lost:
    problem = read.problem
    task = TASKS[problem.task]
    plain = replace(problem, weight=None, time=None, group=None)
    column = Column(problem.target, "category", "target")
    parts: list[tuple[Array, Array, Array]] = []
    left_out = 0
    name = "of" if arm == SHADOW else "id"
    batches = read.log.joined(read.model, since=read.since, columns=READ, arm=arm, version=version)
    for frame in batches:
        known = judging(frame, read.teach, by=name).filter(pl.col("outcome").is_not_null())
        if not known.height:
            continue
        told = known.select(pl.col("outcome").alias(problem.target))
        truth = task.truth(Table(told, (column,), Source("log", "", known.height, 1)), plain)
        answers = Answers(np.arange(known.height), _values(known, problem))
        losses = task.losses(answers, truth, problem.metric)
        ids = known[name].hash(seed=0).to_numpy()
        units = known.select(pl.coalesce("key", "id").hash(seed=0)).to_series().to_numpy()
        parts.append((ids[losses.ids], units[losses.ids], losses.values))
        left_out += known.height - len(losses.ids)
    if not parts:
        none = np.zeros(0)
        return _Lost(none, none, none)
    ids, units, values = (np.concatenate(one) for one in zip(*parts, strict=True))
    return _Lost(ids, units, values, left_out)


def _values(frame: pl.DataFrame, problem: Problem) -> Array:
    """What was answered: (n, n_outputs)."""
    if problem.form == "values":
        return frame["value"].cast(pl.Float64, strict=False).to_numpy().reshape(-1, 1)
    said = frame["probabilities"].struct
    return np.column_stack([said.field(label).to_numpy() for label in problem.labels])
