"""Does each column help? Each is shuffled among rows whose outcomes came after the fit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from everfit.evidence.paired import paired_gain
from everfit.records import Array, Problem
from everfit.rubric.facts import Benefit
from everfit.tasks import TASKS
from everfit.watch.answered import losses, truths
from everfit.watch.reference import features_of

LEAST, MOST = 200, 1_000  # labelled rows
ALPHA = 0.05
SEED = 28


def benefit_of(
    frame: pl.DataFrame, problem: Problem, score: Callable[[pl.DataFrame], Array]
) -> Benefit | None:
    """What the mean loss grows by when a column is shuffled (Breiman 2001), by column.

    None with fewer than 200 labelled rows. Ranges hold for all columns together (Bonferroni).
    Columns that stand in for each other each look less useful than they are together.

    Parameters
    ----------
    frame : rows of the log with their outcomes, asked after the version was fitted; the newest
        1,000 that have one are used
    score : answers (n, n_outputs) of the version to rows as they were logged

    References
    ----------
    .. [1] Breiman (2001), Random forests, Machine Learning 45, 5-32, section 10.
    """
    task = TASKS[problem.task]
    if not frame.height:
        return None
    known = np.flatnonzero(np.isfinite(truths(frame["outcome"], problem, task)))[-MOST:]
    if len(known) < LEAST:
        return None
    frame = frame[known]
    true, rows = truths(frame["outcome"], problem, task), features_of(frame)
    before = losses(score(rows), true, problem, task)
    sound = np.isfinite(before)
    order = np.random.default_rng(SEED).permutation(rows.height)
    gains = {}
    for name in rows.columns:
        shuffled = rows.with_columns(rows[name].gather(order))
        after = losses(score(shuffled), true, problem, task)
        both = sound & np.isfinite(after)
        gains[name] = paired_gain(before[both], after[both], alpha=ALPHA / rows.width)
    return Benefit(gains, len(known))
