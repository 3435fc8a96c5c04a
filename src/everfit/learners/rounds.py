"""How long to learn: the time slot of one fit, rows held back inside it, and when to stop.

Boosting rounds and epochs are found on rows held back inside the history, once; later fits get the
number. All of that must fit the seconds that were given.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from everfit.errors import LearnerFailed
from everfit.learners.contract import FitBudget, History
from everfit.records import Array

HIGHEST_LR = 0.15  # a larger step loses accuracy that time cannot buy back
FEWEST_TO_HOLD_BACK = 40  # below this, a held-back part is too small to say anything
ROUNDS_BY_LR = 20.0  # rounds until the best one, times learning rate; measured: 8 to 35


class Slot:
    """The time of one fit: what the budget's clock and the wall clock leave, in seconds."""

    def __init__(self, budget: FitBudget, clock: Callable[[], float] = time.monotonic) -> None:
        self._budget = budget
        self._clock = clock
        self._started = clock()

    def spent(self) -> float:
        """Seconds since the fit started."""
        return self._clock() - self._started

    def left(self) -> float:
        """Seconds that may still be used; below 0 when there are none."""
        return min(self._budget.left(), self._budget.seconds - self.spent())

    def need(self, seconds: float, what: str) -> None:
        """Refuse a fit that cannot finish.

        Raises
        ------
        LearnerFailed : less than ``seconds`` are left
        """
        if self.left() < seconds:
            raise LearnerFailed(
                f"cannot finish: {what}",
                got=f"{max(self.left(), 0.0):.2f} s left",
                expected=f"about {seconds:.2f} s",
                do="give more time",
            )


@dataclass
class Patience:
    """Adaptive early stopping: waits max(``least``, 0.3 * best round) rounds without a gain.

    The share of the best round is AutoGluon's; ``least`` follows the learning rate, since small
    steps gain slowly.
    """

    least: int
    best: float = float("inf")
    best_round: int = 0
    seen: list[float] = field(default_factory=list)

    def stop(self, loss: float) -> bool:
        """Tell the loss after the next round; True when no better one is to be expected.

        Examples
        --------
        >>> patience = Patience(least=2)
        >>> [patience.stop(loss) for loss in (3.0, 2.0, 2.5, 2.5)]
        [False, False, False, True]
        >>> patience.best_round
        2
        """
        self.seen.append(loss)
        if loss < self.best:
            self.best, self.best_round = loss, len(self.seen)
        return len(self.seen) - self.best_round >= max(self.least, int(0.3 * self.best_round))


def patience_for(lr: float) -> Patience:
    """Patience that suits a learning rate: 3 / lr rounds, between 30 and 300.

    Half of that stopped too early on small sets (titanic: log loss 0.45 instead of 0.42).
    """
    return Patience(least=int(np.clip(3.0 / lr, 30, 300)))


def lr_that_fits(wish: float, seconds: float, per_round: float) -> float:
    """The learning rate whose expected rounds fit ``seconds``, at least ``wish``, at most 0.15.

    Examples
    --------
    >>> lr_that_fits(0.05, seconds=100.0, per_round=0.01)
    0.05
    >>> lr_that_fits(0.05, seconds=2.0, per_round=0.01)
    0.1
    """
    needed = ROUNDS_BY_LR / wish * per_round
    if needed <= seconds:
        return wish
    return float(min(max(wish, HIGHEST_LR), wish * needed / max(seconds, 1e-9)))


def refuse_few(done: int, wished: float, slot: Slot, per_round: float) -> None:
    """Refuse a fit that time ended (or will end) before a fifth of its rounds.

    Raises
    ------
    LearnerFailed : ``done`` rounds, those that fit the time included, are less than that
    """
    if done < 0.2 * wished:
        raise LearnerFailed(
            f"cannot finish: {done} of about {wished:.0f} rounds fit the time",
            got=f"{max(slot.left(), 0.0):.2f} s left, {per_round * 1e3:.1f} ms a round",
            expected=f"about {wished * per_round:.1f} s",
            do="give more time",
        )


def check(history: History) -> None:
    """Refuse what nothing can be learnt from.

    Raises
    ------
    LearnerFailed : no rows, no features, or only one class
    """
    if history.table.n_rows == 0 or not history.table.features:
        raise LearnerFailed(
            "there is nothing to learn from",
            got=f"{history.table.n_rows} rows, {len(history.table.features)} features",
            expected="at least 2 rows and 1 feature",
            do="give more rows, or another role to a column",
        )
    if history.form == "probabilities" and np.unique(history.target).size < 2:
        raise LearnerFailed(
            "only one class is in these rows",
            got=f"{history.table.n_rows} rows of one class",
            expected="two classes or more",
            do="use the prior",
        )


def held_back(
    matrix: Array, history: History, *, which: str = "random"
) -> list[tuple[Array, Array]]:
    """Pairs of (fitted, held back) row positions inside a history; none for few rows.

    Up to 2,500 rows give 4 parts in turn and up to 5,000 two, since one small part is a coin
    toss; more give one of about 12%, at most 10,000 rows. ``which="last"`` holds back the last
    rows instead. Identical rows stay together; a class with fewer than 8 rows is always fitted.
    """
    n = matrix.shape[0]
    if n < FEWEST_TO_HOLD_BACK:
        return []
    if which == "last":
        cut = n - max(n // 8, 10)
        return [(np.arange(cut), np.arange(cut, n))]
    n_parts = 4 if n <= 5_000 else max(8, -(-n // 10_000))
    classes = history.target if history.form == "probabilities" else None
    part = _parts(matrix, classes, n_parts, history.seed)
    wanted = range(4 if n <= 2_500 else 2 if n <= 5_000 else 1)
    pairs = [(np.flatnonzero(part != k), np.flatnonzero(part == k)) for k in wanted]
    return [(fitted, back) for fitted, back in pairs if back.size and fitted.size]


def _parts(matrix: Array, classes: Array | None, n_parts: int, seed: int) -> Array:
    # a hash per row, so that equal rows get equal places; ranks of it cut each class evenly
    hashed = pl.from_numpy(matrix).hash_rows(seed=seed).to_numpy()
    place = hashed.astype(np.float64)
    part = np.full(matrix.shape[0], -1, dtype=np.int64)
    groups = np.zeros_like(part) if classes is None else classes.astype(np.int64)
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        if rows.size < 8:
            continue
        edges = np.quantile(place[rows], np.arange(1, n_parts) / n_parts)
        part[rows] = np.searchsorted(edges, place[rows], side="right")
    return part
