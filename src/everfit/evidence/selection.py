"""The honest score of whatever a selection picked: bootstrap the selection itself (BBC-CV).

Picking the best of many, weighting an ensemble and calibrating it on out-of-fold answers all
flatter the score on those same answers. So the whole choice is made again on bootstrap samples of
the units and judged on the units each sample left out: no model is fitted again, and any score
works.
Tsamardinos, Greasidou & Borboudakis, Machine Learning 107, 2018.

Construction of the range, and why:

- centre = apparent score - 0.8 optimism, where optimism is the mean over bootstraps of
  ``score(choice of all, left out) - score(choice of the sample, left out)``. Without the 0.8 its
  expectation is that of BBC-CV's mean of left-out scores, but what both terms share cancels, so
  few bootstraps do, and a choice that never changes has no optimism at all. The share: a sample
  with repeats chooses as badly as half the rows would, so that BBC-CV errs to the careful side.
  Of what it subtracts, 2/3 is right for a smooth choice (weights: p/n of 3p/2n), all of it for
  a choice among equal candidates, where being 0.2 short stays well inside the range.
- spread = standard deviation of the score of the final choice over the same bootstrap samples:
  right for any smooth score. BBC's percentiles of left-out scores are those of 0.37 n units, too
  wide.
- the variance is multiplied by ``paired.training_inflation``, Nadeau-Bengio's term with the row as
  the unit and one for small data: rows that trained the models are a sample too.
- normal errors with t quantiles of min(units, bootstraps) - 1 degrees of freedom, cut to what the
  scores can be when the caller says so.

``bench/coverage.py`` and the tests show how often the range holds the true score.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from everfit.evidence.interval import Interval, t_quantile
from everfit.evidence.paired import share_to_ratio, training_inflation

Rows = NDArray[np.int64]
Choice = TypeVar("Choice")
LEAST_BOOT = 30
OPTIMISM_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class SelectionScore:
    """A corrected score with its range.

    ``apparent`` is the score on the rows that chose; ``optimism = apparent - interval.mid`` has the
    sign of "better" when it flatters; ``n_boot`` bootstraps were used, ``n_asked`` asked for.
    """

    interval: Interval
    optimism: float
    n_boot: int
    apparent: float
    n_asked: int = 0


def selected_score(
    n_units: int,
    choose: Callable[[Rows], Choice],
    score: Callable[[Choice, Rows], float],
    *,
    n_boot: int = 200,
    seed: int,
    strata: NDArray[Any] | None = None,
    groups: NDArray[Any] | None = None,
    deadline: float | None = None,
    test_share: float = 0.2,
    level: float = 0.95,
    limits: tuple[float, float] = (-math.inf, math.inf),
    clock: Callable[[], float] = time.monotonic,
) -> SelectionScore:
    """The score of what ``choose`` picks from all rows, corrected for having been picked.

    ``choose`` refits the WHOLE choice (model, weights, calibration) on rows given as positions
    (int64, with repeats); ``score`` judges a choice on such rows: any function, NaN when undefined.
    ``strata`` (n_units,) are class codes: a sample that lacks a class inside or outside is drawn
    again. ``groups`` (n_units,): whole groups are drawn. ``deadline`` is a time on ``clock`` to
    stop at, never before 30 bootstraps. ``test_share`` is n_test/(n_test + n_train) of the folds; 0
    when the scored models ship as they are and never saw these rows. ``limits`` are the least
    and the greatest value of the score.

    Examples
    --------
    >>> losses = np.random.default_rng(0).normal(1.0, 0.2, (500, 20))      # 20 equal models
    >>> found = selected_score(500, lambda rows: losses[rows].mean(axis=0).argmin(),
    ...                        lambda k, rows: losses[rows, k].mean(), seed=0, test_share=0.0)
    >>> found.optimism < 0, found.interval.contains(1.0)       # the best looks better than it is
    (True, True)
    """
    everything = np.arange(n_units, dtype=np.int64)
    final = choose(everything)
    apparent = float(score(final, everything))
    units = _members(groups, n_units)
    draws = _samples(units, strata, np.random.default_rng(seed), n_boot * (len(units) > 1))
    fresh, flattered = _judged(
        draws, final, choose, score, lambda: deadline is not None and clock() >= deadline
    )
    if len(fresh) < 2 or not math.isfinite(apparent):
        unknown = Interval(limits[0], apparent, limits[1], n=n_units, level=level)
        return SelectionScore(unknown, 0.0, len(fresh), apparent, n_boot)
    centre = float(np.clip(apparent - OPTIMISM_SHARE * np.mean(flattered), *limits))
    inflation = training_inflation(share_to_ratio(test_share), n_units)
    reach = _reach(fresh, flattered, len(units), inflation, level)
    ends = max(centre - reach, limits[0]), centre, min(centre + reach, limits[1])
    interval = Interval(*ends, n=n_units, level=level)
    return SelectionScore(interval, apparent - centre, len(fresh), apparent, n_boot)


def _judged(
    draws: Iterator[tuple[Rows, Rows]],
    final: Choice,
    choose: Callable[[Rows], Choice],
    score: Callable[[Choice, Rows], float],
    late: Callable[[], bool],
) -> tuple[list[float], list[float]]:
    """Per draw: the final choice's score inside, and by how much it beats a new choice outside."""
    fresh: list[float] = []
    flattered: list[float] = []
    for drawn, left in draws:
        if len(fresh) >= LEAST_BOOT and late():
            break
        excess = float(score(final, left)) - float(score(choose(drawn), left))
        whole = float(score(final, drawn))
        if math.isfinite(excess) and math.isfinite(whole):
            flattered.append(excess)
            fresh.append(whole)
    return fresh, flattered


def _reach(
    fresh: list[float], flattered: list[float], n_units: int, inflation: float, level: float
) -> float:
    """Half the width of the range; see the top of the file."""
    variance = float(np.var(fresh, ddof=1)) * n_units / (n_units - 1) * inflation
    variance += float(np.var(flattered, ddof=1)) / len(flattered)  # bootstraps are finitely many
    return t_quantile(0.5 + level / 2, min(n_units, len(fresh)) - 1) * math.sqrt(variance)


def _members(groups: NDArray[Any] | None, n_units: int) -> list[Rows] | Rows:
    """The rows of each independent unit; the positions themselves when each row is its own."""
    if groups is None:
        return np.arange(n_units, dtype=np.int64)
    _, codes = np.unique(groups, return_inverse=True)
    order = np.argsort(codes, kind="stable").astype(np.int64)
    return np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)


def _samples(
    units: list[Rows] | Rows, strata: NDArray[Any] | None, rng: np.random.Generator, n_boot: int
) -> Iterator[tuple[Rows, Rows]]:
    """(rows drawn with repeats, rows left out), both with every class that has two units."""
    codes = None if strata is None else np.unique(strata, return_inverse=True)[1]
    for _ in range(n_boot):
        drawn, left = _draw(units, rng)
        for _attempt in range(20):
            if len(left) and _has_all(codes, drawn) and _has_all(codes, left):
                break
            drawn, left = _draw(units, rng)
        if len(left):
            yield drawn, left


def _draw(units: list[Rows] | Rows, rng: np.random.Generator) -> tuple[Rows, Rows]:
    picked = rng.integers(0, len(units), len(units))
    missed = np.flatnonzero(np.bincount(picked, minlength=len(units)) == 0)
    if isinstance(units, np.ndarray):
        return units[picked], units[missed]
    empty = np.zeros(0, dtype=np.int64)
    return (
        np.concatenate([units[u] for u in picked]),
        np.concatenate([units[u] for u in missed]) if len(missed) else empty,
    )


def _has_all(codes: NDArray[np.intp] | None, rows: Rows) -> bool:
    if codes is None:
        return True
    return bool((np.bincount(codes[rows], minlength=codes.max() + 1) > 0).all())
