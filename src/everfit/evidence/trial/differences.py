"""What one window says about two models on the same units, small enough to keep for ever.

A difference is ``d = (loss of the old - loss of the new) / bound`` in [-1, 1]; above 0 the new one
is better. Windows add up, so a trial can be judged again from the ledger alone.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from everfit.errors import UsageError
from everfit.evidence.interval import Floats
from everfit.evidence.paired import finite_losses
from everfit.evidence.trial.counts import Counts

STEPS = 1000  # steps from 0 to 1 on which differences are kept
STRETCHES = 40  # into which a window is cut to see how far neighbours hang together
SHORTEST = 5  # units of a stretch
FEWEST = 10  # stretches that can tell


@dataclass(frozen=True, slots=True)
class Differences:
    """The paired differences of one window, or of several together.

    ``n`` counts units (rows, or groups when rows of a group hang together). ``counts`` maps a step
    of 1/1000 to its number of units; a difference between two steps is shared out to both so that
    its value stays the mean. The logarithm is concave, so ANY bet wins less from the two parts
    than from the value itself: tests and ranges from counts are never too bold, and what they lose
    is of second order (``lam^2 / 8e6`` per unit). ``total`` and ``squares`` are exact sums of d and
    d^2. ``missing_old`` and ``missing_new`` count rows that a model failed to answer. ``within`` is
    how many times larger the variance of the mean is than for independent units, as far as
    neighbours in the order given show it; only a trial with a ``Dependence`` reads it.

    Examples
    --------
    >>> week = Differences.of([1, 0, 1, 1], [0, 0, 1, 0], bound=1.0)
    >>> week.n, week.counts, week.mean
    (4, {0: 2.0, 1000: 2.0}, 0.5)
    >>> (week + week.turned()).mean
    0.0
    """

    n: int = 0
    counts: Mapping[int, float] = field(default_factory=dict)
    total: float = 0.0
    squares: float = 0.0
    missing_old: int = 0
    missing_new: int = 0
    within: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.counts, Counts):
            object.__setattr__(self, "counts", Counts.of(self.counts))

    @classmethod
    def of(
        cls,
        loss_old: ArrayLike,
        loss_new: ArrayLike,
        bound: float,
        *,
        groups: NDArray[Any] | None = None,
    ) -> Differences:
        """From the losses (n,) of both models on the same rows, and a bound fixed beforehand.

        A loss that is NaN or infinite is that of a model that failed: it counts as the worst loss
        in sight, at least ``bound``. Differences beyond the bound are clipped. ``groups`` (n,)
        reduces the rows of each group to their mean difference; a group must lie in one window.

        Raises
        ------
        UsageError : losses of other units, or a bound that is no positive number
        """
        old = np.asarray(loss_old, dtype=np.float64).ravel()
        new = np.asarray(loss_new, dtype=np.float64).ravel()
        if len(old) != len(new):
            raise UsageError(
                "two models can only be compared on the same units",
                got=f"{len(old):,} and {len(new):,} losses",
                expected="one loss per unit from each, in the same order",
            )
        if not (np.isfinite(bound) and bound > 0):
            raise UsageError(
                "differences of losses need a bound",
                got=str(bound),
                expected="a positive number, fixed before the losses were seen",
                do="take promotion.loss_bound of earlier losses",
            )
        failed = [int((~np.isfinite(part)).sum()) for part in (old, new)]
        if any(failed):
            old, new = finite_losses(old, new, worst=bound)
        d = np.clip((old - new) / bound, -1.0, 1.0)
        return cls._counted(_by_group(d, groups), *failed)

    @classmethod
    def of_values(cls, values: ArrayLike, *, groups: NDArray[Any] | None = None) -> Differences:
        """From differences (n,) that already lie in [-1, 1], such as ``auc.auc_differences``.

        Raises
        ------
        UsageError : a value is missing or outside [-1, 1]
        """
        d = np.asarray(values, dtype=np.float64).ravel()
        if not (np.abs(d) <= 1.0 + 1e-12).all():
            raise UsageError(
                "differences of losses must lie in [-1, 1]",
                got=f"values from {np.min(d):g} to {np.max(d):g}",
                expected="differences divided by a bound that was fixed before",
            )
        return cls._counted(_by_group(np.clip(d, -1.0, 1.0), groups))

    @classmethod
    def _counted(cls, d: Floats, missing_old: int = 0, missing_new: int = 0) -> Differences:
        at = d * STEPS
        near = np.rint(at)
        at = np.where(np.abs(at - near) < 1e-9, near, at)
        below = np.floor(at)
        share = at - below
        place = below.astype(np.int64) + STEPS
        held = np.bincount(place, weights=1.0 - share, minlength=2 * STEPS + 2)
        held += np.bincount(place + 1, weights=share, minlength=2 * STEPS + 2)
        used = np.flatnonzero(held)
        counts = Counts(used - STEPS, np.asarray(held[used], dtype=np.float64))
        total, squares = float(d.sum()), float(d @ d)
        return cls(len(d), counts, total, squares, missing_old, missing_new, _within(d))

    @property
    def mean(self) -> float:
        """The mean difference; NaN without a unit."""
        return self.total / self.n if self.n else float("nan")

    @property
    def zero_one(self) -> bool:
        """Whether every difference is -1, 0 or 1, as those of 0-1 losses are."""
        return bool(np.isin(self.arrays()[0], (-STEPS, 0, STEPS)).all())

    def turned(self) -> Differences:
        """The same units with the roles of the two models exchanged."""
        steps, times = self.arrays()
        order = np.argsort(-steps)
        return Differences(
            self.n,
            Counts(-steps[order], times[order]),
            -self.total,
            self.squares,
            self.missing_new,
            self.missing_old,
            self.within,
        )

    def arrays(self) -> tuple[NDArray[np.int64], Floats]:
        """The steps used and how many units each holds, as two arrays of equal length."""
        counts = self.counts if isinstance(self.counts, Counts) else Counts.of(self.counts)
        return counts.steps, counts.times

    def once(self, name: Hashable, work: Callable[[], Floats]) -> Floats:
        """What ``work`` makes of the counts, worked out once."""
        return self.counts.once(name, work) if isinstance(self.counts, Counts) else work()

    def __add__(self, other: Differences) -> Differences:
        return together((self, other))

    def as_dict(self) -> dict[str, Any]:
        """Plain values for the ledger; :meth:`from_dict` gives the same record back."""
        steps, times = self.arrays()
        return {
            "n": self.n,
            "counts": dict(zip(map(str, steps.tolist()), times.tolist(), strict=True)),
            "total": self.total,
            "squares": self.squares,
            "missing_old": self.missing_old,
            "missing_new": self.missing_new,
            "within": self.within,
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Differences:
        """The inverse of :meth:`as_dict`, bit for bit."""
        return cls(
            n=int(plain["n"]),
            counts={int(step): float(times) for step, times in plain["counts"].items()},
            total=float(plain["total"]),
            squares=float(plain["squares"]),
            missing_old=int(plain.get("missing_old", 0)),
            missing_new=int(plain.get("missing_new", 0)),
            within=float(plain.get("within", 1.0)),
        )


def together(blocks: Iterable[Differences]) -> Differences:
    """All blocks as one; the order of windows does not matter beyond rounding.

    Examples
    --------
    >>> together([Differences.of([1, 1], [0, 1], 1.0), Differences.of([0], [1], 1.0)]).counts
    {-1000: 1.0, 0: 1.0, 1000: 1.0}
    """
    held, there = np.zeros(2 * STEPS + 1), np.zeros(2 * STEPS + 1, dtype=np.bool_)
    n, total, squares, old, new, within = 0, 0.0, 0.0, 0, 0, 0.0
    for block in blocks:
        steps, times = block.arrays()
        held[steps + STEPS] += times
        there[steps + STEPS] = True
        n += block.n
        total += block.total
        squares += block.squares
        old += block.missing_old
        new += block.missing_new
        within += block.within * block.n
    used = np.flatnonzero(there)
    counts = Counts(used - STEPS, held[used])
    return Differences(n, counts, total, squares, old, new, within / n if n else 1.0)


def _within(d: Floats) -> float:
    """The variance of the means of stretches of neighbours, in that of independent units."""
    length = max(len(d) // STRETCHES, SHORTEST)
    whole = len(d) // length
    variance = float(d.var()) if len(d) else 0.0
    if whole < FEWEST or variance < 1e-12:
        return 1.0
    means = d[: whole * length].reshape(whole, length).mean(axis=1)
    return float(means.var(ddof=1)) * length / variance


def _by_group(d: Floats, groups: NDArray[Any] | None) -> Floats:
    if groups is None:
        return d
    _, codes = np.unique(np.asarray(groups).ravel(), return_inverse=True)
    if len(codes) != len(d):
        raise UsageError(
            "groups do not fit the rows",
            got=f"{len(codes):,} groups and {len(d):,} rows",
            expected="one group per row",
        )
    sums: Floats = np.bincount(codes, weights=d).astype(np.float64)
    return np.asarray(sums / np.bincount(codes), dtype=np.float64)
