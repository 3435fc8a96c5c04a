"""The evidence of a trial at each of its looks, from the counts of its windows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache, partial

import numpy as np

from everfit.evidence.interval import Floats
from everfit.evidence.sequential import N_BETS, bets, mcnemar_log_e
from everfit.evidence.trial.differences import STEPS, Differences


def log_e_path(
    blocks: Sequence[Differences],
    margin: float = 0.0,
    *,
    turned: bool = False,
    temper: Floats | None = None,
) -> Floats:
    """The log e-value (n_looks,) against "mean difference <= -margin" after each block.

    ``turned`` exchanges the roles: against "mean difference >= margin". ``temper`` (n_looks,)
    divides the log wealth of the bets. Each block's wealth is
    summed on its own, so a path does not change when blocks are added behind.

    Examples
    --------
    >>> day = Differences.of([1.0] * 10, [0.0] * 10, 1.0)
    >>> log_e_path([day, day]).round(2).tolist()
    [3.78, 9.81]
    """
    if not blocks:
        return np.zeros(0)
    wealth = np.cumsum(_block_wealth(blocks, margin, turned), axis=0)
    if temper is not None:
        wealth /= temper[:, None]
    top = wealth.max(axis=1, keepdims=True)
    mixed = np.log(np.exp(wealth - top).sum(axis=1)) + top[:, 0]
    return np.asarray(mixed - math.log(N_BETS), dtype=np.float64)


def mcnemar_path(blocks: Sequence[Differences]) -> Floats:
    """The log e-value (n_looks,) of the sequential McNemar test after each block of 0-1 losses."""
    wins = np.cumsum([block.counts.get(STEPS, 0.0) for block in blocks])
    losses = np.cumsum([block.counts.get(-STEPS, 0.0) for block in blocks])
    pairs = zip(wins.tolist(), losses.tolist(), strict=True)
    return np.array([mcnemar_log_e(round(w), round(lost)) for w, lost in pairs], dtype=np.float64)


def _block_wealth(blocks: Sequence[Differences], margin: float, turned: bool) -> Floats:
    """The log wealth that each block adds to each bet (n_looks, n_bets).

    A block keeps its row: a trial of a year is looked at every day.
    """
    table = _table(margin, turned)
    rows = [block.once((margin, turned), partial(_summed, table, block)) for block in blocks]
    return np.stack(rows)


def _summed(table: Floats, block: Differences) -> Floats:
    steps, times = block.arrays()
    if not len(steps):  # a window without a unit is a look that learns nothing
        return np.zeros(table.shape[1])
    grown = table[steps + STEPS] * times[:, None]
    return np.asarray(np.add.reduceat(grown, [0], axis=0)[0], dtype=np.float64)


@lru_cache(maxsize=32)
def _table(margin: float, turned: bool) -> Floats:
    """What one unit at each step adds to each bet (2 * STEPS + 1, n_bets)."""
    values = np.arange(-STEPS, STEPS + 1) / STEPS
    return np.asarray(np.log1p(np.outer((-values if turned else values) + margin, bets(margin))))
