"""A window whose outcomes had their time, reduced once to a record of some kilobytes.

What tests over time need is kept so that they can be replayed: paired differences of each shadow
against the champion, and for the champion what each bet on "its loss is above its bound" gained.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from everfit.evidence.alarms.maps import log_gains, within
from everfit.evidence.interval import Interval, spread
from everfit.evidence.paired import finite_losses
from everfit.evidence.trial.differences import Differences
from everfit.records import Array, Problem, Segment, Upkeep, Window
from everfit.tasks import Task
from everfit.watch.answered import Outcomes, answers, column, lateness, losses, outcomes, units
from everfit.watch.segments import members

SHADOW = "shadow"
LEAST = 2  # rows of a segment, below which a window says nothing about it
DRAWS, DRAWN = 40, 2_000  # draws, and rows of each, that say how far the shown metric is off
DIGITS = 6  # of log gains: far below what one row adds
CAP = 4.0  # largest loss of a row that bets see, in bounds
Q = (np.arange(20) + 0.5) / 20  # quantiles of outcomes that are kept
RARE = 3.0  # of n rows without a loss, the true share is at most 3/n at 95%


@dataclass(frozen=True, slots=True)
class Certified:
    """What a version's losses are held against: what was certified when it was released.

    ``loss`` is the mean loss with its range, in the unit of the primary loss; ``loss_bound`` the
    largest loss, and difference of losses, that counts, fixed before; ``segments`` the highest mean
    loss certified for each segment that was kept, before any tolerance.
    """

    loss: Interval
    loss_bound: float | None = None
    segments: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls, loss: Interval, loss_bound: float | None, kept: Sequence[Segment] = ()
    ) -> Certified:
        """From a candidate's loss, its bound and its segments.

        The mean of a segment is that of all rows plus the part of the gap that its rows are not
        themselves; both at their upper ends.
        """
        rest = {s.name: 1 - s.n / loss.n if loss.n > s.n else 1.0 for s in kept}
        highest = {s.name: loss.high + s.gap.high * rest[s.name] for s in kept}
        return cls(loss, loss_bound, {k: v for k, v in highest.items() if math.isfinite(v)})

    @property
    def worst(self) -> float:
        """The largest loss that counts; where none was fixed, four times the certified one."""
        if self.loss_bound is not None and self.loss_bound > 0 and math.isfinite(self.loss_bound):
            return self.loss_bound
        top = self.loss.high if math.isfinite(self.loss.high) else self.loss.mid
        return 4 * top if math.isfinite(top) and top > 0 else 1.0

    def limit(self, tolerance: float, segment: str = "") -> float | None:
        """What the mean loss may not exceed; None when nothing was certified.

        The upper end of what was certified, plus ``tolerance`` as a share of it.
        """
        top = self.segments.get(segment, self.loss.high) if segment else self.loss.high
        if not math.isfinite(top):
            return None
        if top <= 0:  # not one loss was seen, which does not make the true loss 0
            top = RARE / max(self.loss.n, 1) * self.worst
        return top * (1 + tolerance)


@dataclass(frozen=True, slots=True)
class _Judged:
    """The rows of a window in order of time, with their truth and the champion's losses."""

    frame: pl.DataFrame
    truth: Outcomes
    said: Array
    losses: Array  # NaN: outcome not known; infinite: not answered
    units: Array


def matured(
    frame: pl.DataFrame,
    shadows: pl.DataFrame,
    *,
    start: datetime,
    end: datetime,
    champion: int,
    problem: Problem,
    task: Task,
    upkeep: Upkeep,
    certified: Certified,
) -> Window:
    """Reduce one window of joined traffic to what tests, screens and later turns need.

    Outcomes count when they were there ``label_delay_s`` after the end of the window, so that the
    window gives the same record whenever it is reduced. Later ones are counted as late and change
    nothing.

    Parameters
    ----------
    frame : answers of all arms but shadows, columns as ``Log.joined`` gives them
    shadows : answers of shadows; ``of`` names the prediction that a row repeats
    champion : number of the version whose losses are held against ``certified``

    Examples
    --------
    >>> from everfit.tasks import TASKS
    >>> from datetime import UTC
    >>> day = datetime(2026, 3, 1, tzinfo=UTC)
    >>> traffic = pl.DataFrame({
    ...     "id": ["a", "b"], "at": [day, day], "version": [3, 3], "arm": ["champion"] * 2,
    ...     "value": [1.0, 2.0], "outcome": [1.5, None]})
    >>> task = next(task for task in TASKS.values() if task.form == "values")
    >>> problem = Problem(task.name, "y", "rmse", "values", label_type="float")
    >>> window = matured(traffic, traffic.clear(), start=day, end=day + timedelta(1), champion=3,
    ...     problem=problem, task=task, upkeep=Upkeep(),
    ...     certified=Certified(Interval(0.2, 0.3, 0.4, n=100)))
    >>> window.n, window.facts["versions"]["3"]["mean"], window.facts["outcomes"]["missing"]
    (2, 0.25, 1)
    """
    until = end + timedelta(seconds=upkeep.label_delay_s)
    asked = _judged(frame, problem, task, until, upkeep.missing_outcome)
    seed = int(start.timestamp())
    versions = _versions(asked, problem, task, certified, seed)
    shadowed, pairs = _shadows(asked, shadows, champion, problem, task, certified, seed)
    facts: dict[str, Any] = {
        "champion": champion,
        "metric": problem.metric,
        "higher": task.better(problem.metric) == "higher",
        "limits": [_plain(end) for end in task.limits(problem.metric)],
        "worst": certified.worst,
        "certified": [_plain(end) for end in (certified.loss.low, certified.loss.mid,
                                              certified.loss.high)],
        "versions": versions,
        "shadows": shadowed,
        "pairs": pairs,
        "maps": _maps(asked, champion, upkeep, certified),
        "lateness": lateness(asked.frame),
        "outcomes": _outcome_facts(asked.truth, problem),
    }  # fmt: skip
    return Window("matured", start, end, champion, asked.frame.height, facts)


def _judged(
    frame: pl.DataFrame, problem: Problem, task: Task, until: datetime, missing: str | None
) -> _Judged:
    own = frame.filter(column(frame, "arm").ne_missing(pl.Series([SHADOW])))
    own = own.sort([name for name in ("at", "id") if name in own.columns], maintain_order=True)
    truth = outcomes(own, problem, task, until=until, missing=missing)
    said = answers(own, problem)
    return _Judged(own, truth, said, losses(said, truth.values, problem, task), units(own))


def _versions(
    asked: _Judged, problem: Problem, task: Task, certified: Certified, seed: int
) -> dict[str, Any]:
    """By version, what its answers lost; by arm too where it had more than one."""
    numbers = _numbers(asked.frame)
    arms = column(asked.frame, "arm").cast(pl.String).fill_null("champion").to_numpy()
    found: dict[str, Any] = {}
    for version in np.unique(numbers[numbers >= 0]).tolist():
        mine = numbers == version
        entry = _lost(asked, mine, problem, task, certified, seed)
        here = sorted(set(arms[mine].tolist()))
        entry["arms"] = {
            arm: _lost(asked, mine & (arms == arm), problem, task, certified, seed)
            if len(here) > 1
            else {k: v for k, v in entry.items() if k != "arms"}
            for arm in here
        }
        found[str(version)] = entry
    return found


def _lost(
    asked: _Judged, rows: Array, problem: Problem, task: Task, certified: Certified, seed: int
) -> dict[str, Any]:
    """Rows asked, outcomes known, mean loss with its spread, and the shown metric."""
    lost, said, true = asked.losses[rows], asked.said[rows], asked.truth.values[rows]
    known = ~np.isnan(lost)
    return _facts(
        lost[known], said[known], true[known], asked.units[rows][known],
        asked=int(rows.sum()), problem=problem, task=task, certified=certified, seed=seed,
    )  # fmt: skip


def _facts(
    lost: Array,
    said: Array,
    true: Array,
    groups: Array,
    *,
    asked: int,
    problem: Problem,
    task: Task,
    certified: Certified,
    seed: int,
) -> dict[str, Any]:
    (whole,) = finite_losses(lost, worst=certified.worst)
    measured = spread(whole, groups=groups)
    shown, error = _shown(said, true, groups, problem, task, seed)
    return {
        "asked": asked,
        "n": len(whole),
        "failed": int((~np.isfinite(lost)).sum()),
        "mean": _plain(measured.mean),
        "sd": _plain(float(whole.std(ddof=1)) if len(whole) > 1 else math.nan),
        "error": _plain(measured.error),
        "freedom": _plain(measured.freedom),
        "within": within(whole, groups),
        "score": _plain(shown),
        "score_error": _plain(error),
    }


def _shown(
    said: Array, true: Array, groups: Array, problem: Problem, task: Task, seed: int
) -> tuple[float, float]:
    """The metric that people read over the rows that were answered, and its standard error.

    The error is that of a bootstrap of units, by weights, on at most 2,000 rows, scaled to all.
    """
    sound = np.isfinite(said).all(axis=1) if len(said) else np.zeros(0, dtype=np.bool_)
    said, true, groups = said[sound], true[sound], groups[sound]
    n = len(true)
    if n < LEAST:
        return math.nan, math.nan
    value = task.shown(problem.metric, said, true, None)
    rng = np.random.default_rng(seed)
    if n > DRAWN:
        some = np.sort(rng.choice(n, DRAWN, replace=False))
        said, true, groups = said[some], true[some], groups[some]
    _, codes = np.unique(groups, return_inverse=True)
    n_units = int(codes.max()) + 1
    draws = []
    for _ in range(DRAWS):
        weight = np.bincount(rng.integers(0, n_units, n_units), minlength=n_units)[codes]
        draws.append(task.shown(problem.metric, said, true, weight.astype(np.float64)))
    kept = [draw for draw in draws if math.isfinite(draw)]
    if len(kept) < DRAWS // 2:
        return value, math.nan
    return value, float(np.std(kept, ddof=1)) * math.sqrt(len(true) / n)


def _shadows(
    asked: _Judged,
    shadows: pl.DataFrame,
    champion: int,
    problem: Problem,
    task: Task,
    certified: Certified,
    seed: int,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What each shadow lost, and its differences to the champion on the same requests."""
    ids = column(asked.frame, "id").cast(pl.String)
    place = pl.DataFrame({"of": ids, "row": pl.Series(range(len(ids)), dtype=pl.Int64)})
    repeated = shadows.with_columns(column(shadows, "of").cast(pl.String).alias("of"))
    repeated = repeated.join(place.unique("of", keep="first"), on="of", how="left")
    theirs, ours = _numbers(repeated), _numbers(asked.frame)
    lost: dict[str, Any] = {}
    pairs: dict[str, Any] = {}
    for version in np.unique(theirs[theirs >= 0]).tolist():
        mine = repeated.filter(pl.Series(theirs == version))
        mine = mine.unique("of", keep="first", maintain_order=True).sort("row", nulls_last=True)
        both = mine.filter(pl.col("row").is_not_null())
        rows = both["row"].to_numpy()
        said, true = answers(both, problem), asked.truth.values[rows]
        missed = losses(said, true, problem, task)
        known = ~np.isnan(missed)
        lost[str(version)] = _facts(
            missed[known], said[known], true[known], asked.units[rows][known],
            asked=both.height, problem=problem, task=task, certified=certified, seed=seed,
        ) | {"unmatched": mine.height - both.height}  # fmt: skip
        same = known & (ours[rows] == champion)
        pairs[str(version)] = Differences.of(
            asked.losses[rows][same], missed[same], certified.worst, groups=asked.units[rows][same]
        ).as_dict()
    return lost, pairs


def _maps(
    asked: _Judged, champion: int, upkeep: Upkeep, certified: Certified
) -> dict[str, dict[str, Any]]:
    """For all rows ("") and each kept segment, what bets against the bound made of the window."""
    mine = (_numbers(asked.frame) == champion) & ~np.isnan(asked.losses)
    names = list(dict.fromkeys((*certified.segments, *upkeep.guardrails)))
    rows = {"": np.ones(len(mine), dtype=np.bool_), **members(asked.frame, names)}
    # no bet needs a cap; this one only keeps a single absurd row from ringing an alarm
    unanswered = np.where(np.isinf(asked.losses), certified.worst, asked.losses)
    capped = np.minimum(np.nan_to_num(unanswered, nan=0.0), CAP * certified.worst)
    found: dict[str, dict[str, Any]] = {}
    for name, inside in rows.items():
        here = mine & inside
        allowed = upkeep.guardrails.get(name, upkeep.tolerance) if name else upkeep.tolerance
        limit = certified.limit(allowed, name)
        if limit is None or here.sum() < LEAST:
            continue
        x = capped[here]
        found[name] = {
            "limit": limit,
            "log": np.round(log_gains(x, limit), DIGITS).tolist(),
            "n": len(x),
            "mean": float(x.mean()),
            "sd": float(x.std()),
            "within": within(x, asked.units[here]),
        }
    return found


def _outcome_facts(truth: Outcomes, problem: Problem) -> dict[str, Any]:
    known = truth.values[truth.known]
    numbers = len(known) > 0 and problem.form == "values"
    return {
        "told": truth.told,
        "filled": truth.filled,
        "missing": truth.missing,
        "late": truth.late,
        "wrong": truth.wrong,
        "examples": list(truth.examples),
        "values": truth.counts,
        # of numbers: enough to hold them against those of the training
        "q": [float(f"{x:.6g}") for x in np.quantile(known, Q)] if numbers else [],
        "n": len(known),
    }


def _numbers(frame: pl.DataFrame) -> Array:
    """The version of each row (n,); -1 where it is not known."""
    found = column(frame, "version").cast(pl.Int64, strict=False).fill_null(-1)
    return np.asarray(found.to_numpy(), dtype=np.int64)


def _plain(number: float) -> float | None:
    """A finite number, or None: what JSON can hold."""
    return float(number) if math.isfinite(number) else None
