"""What recalibration would have made of a window's answers, had it gone on all the time.

A recalibrated answer is a function of the answer that was given and of outcomes that were known
before the window began. So the procedure can be tried on what was really asked, from the first day,
with no second version in the shadow: for each window the newest outcomes give a calibration, the
window's answers are corrected with it, and the losses are paired with those of the champion.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from everfit.evidence.trial.differences import Differences
from everfit.records import Answers, Array, Problem, Truth
from everfit.tasks import Task
from everfit.watch.answered import answers, losses, outcomes, units

LEAST_ROWS = 500  # outcomes before a window; from fewer a calibration is mostly luck
RECENT_ROWS = 1_500  # the newest of them: on Elec2 1,000 to 2,000 gave the best accuracy


@dataclass(frozen=True, slots=True)
class Recent:
    """What is needed to try it: answers given before with outcomes told before, and the question.

    ``frame`` has the columns id, at, version, arm, value, probabilities, outcome and outcome_at, of
    rows whose outcomes had their time before ``start``; ``worst`` is the bound of a loss, and
    ``missing`` what a row without outcome counts as.
    """

    frame: pl.DataFrame
    start: datetime
    problem: Problem
    task: Task
    worst: float
    missing: str | None = None


def adapted(own: pl.DataFrame, shadows: pl.DataFrame, recent: Recent, champion: int,
            until: datetime) -> dict[str, dict[str, object]]:  # fmt: skip
    """By version, the differences of the champion as it answered and that version recalibrated.

    Parameters
    ----------
    own, shadows : the window's answers with outcomes, as for :func:`everfit.watch.matured.matured`
    champion : number of the version that the others are paired with
    until : outcomes that were told later do not count

    Returns
    -------
    dict : number of a version -> ``Differences.as_dict()``; versions with too few outcomes before
        the window are left out
    """
    found: dict[str, dict[str, object]] = {}
    answered = own.filter(pl.col("version") == champion) if own.height else own
    if not answered.height:
        return found
    problem, task = recent.problem, recent.task
    truth = outcomes(answered, problem, task, until=until, missing=recent.missing).values
    theirs = losses(answers(answered, problem), truth, problem, task)
    place = pl.DataFrame({"of": answered["id"], "row": np.arange(answered.height)})
    ours: dict[int, tuple[Array, Array]] = {}
    ours[champion] = np.arange(answered.height), answers(answered, problem)
    for (number,), rows in shadows.group_by("version") if shadows.height else ():
        both = rows.join(place, on="of", how="inner").unique("of", keep="first").sort("row")
        ours[int(number)] = both["row"].to_numpy(), answers(both, problem)
    groups = units(answered)
    for number, (rows_, said) in sorted(ours.items()):
        calibration = newest_calibration(recent, number)
        if calibration is None or not len(rows_):
            continue
        lost = losses(task.adjust(said, calibration), truth[rows_], problem, task)
        known = ~np.isnan(lost)
        found[str(number)] = Differences.of(
            theirs[rows_][known], lost[known], recent.worst, groups=groups[rows_][known]
        ).as_dict()
    return found


def newest_calibration(recent: Recent, number: int) -> Mapping[str, float] | None:
    """The calibration that the newest outcomes of a version ask for; None from too few."""
    frame = recent.frame
    mine = frame.filter(pl.col("version") == number) if frame.height else frame
    if mine.height < LEAST_ROWS:
        return None
    problem, task = recent.problem, recent.task
    true = outcomes(mine, problem, task, until=recent.start, missing=recent.missing).values
    said = answers(mine, problem)
    known = np.flatnonzero(np.isfinite(true) & np.isfinite(said).all(axis=1))[-RECENT_ROWS:]
    if len(known) < LEAST_ROWS:
        return None
    ids = np.arange(len(known))
    return task.recalibrate(Answers(ids, said[known]), Truth(ids, true[known]))
