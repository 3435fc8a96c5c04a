"""How a model's loss moves from window to window, and what each act does to it: counted.

The loss is seen as a multiple of what was certified, in :data:`LEVELS`. What was never seen is
given by a Dirichlet prior, written out below as rows of chances with the weight of so many windows;
what was seen, in back-tests and in the ledger, is counted on top.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from everfit.maintain.history import Made
from everfit.records import ActKind

Floats = NDArray[np.float64]

LEVELS = (0.97, 1.02, 1.05, 1.10, 1.20, 1.40)  # upper ends of loss / certified; the last has none
MIDDLES = (0.94, 1.0, 1.035, 1.075, 1.15, 1.30, 1.60)
NAMES = ("better", "as certified", "to 5% worse", "to 10% worse", "to 20% worse", "to 40% worse",
         "beyond")  # fmt: skip
CERTIFIED = 1  # the level that a release promises
AGES = (1, 2, 4, 8, 16, 32, 64, 128)  # upper ends in windows since the fit; the last has none
PRIOR_WINDOWS = 20.0  # weight of the prior of one row, in windows
SMOOTH = 0.25  # of a window in the running level: single windows are noise


@dataclass(frozen=True, slots=True)
class Chances:
    """Chances of the next level: ``keep`` (ages, levels, levels); of the others (levels, levels).

    Rows sum to 1. ``seen`` counts the windows and fits behind them.
    """

    keep: Floats
    after: dict[ActKind, Floats]
    seen: dict[str, int]


def level_of(ratio: float) -> int:
    """The level of a loss that is ``ratio`` times the certified one.

    Examples
    --------
    >>> [level_of(r) for r in (0.9, 1.03, 1.3, 9.0)]
    [0, 2, 5, 6]
    """
    return int(np.searchsorted(LEVELS, ratio, side="left"))


def age_of(windows: float) -> int:
    """The class of an age in windows.

    Examples
    --------
    >>> [age_of(a) for a in (0, 1, 3, 1000)]
    [0, 0, 2, 8]
    """
    return int(np.searchsorted(AGES, windows, side="left"))


def smoothed(ratios: Sequence[float]) -> Floats:
    """The running level of the loss: each window moves it by a quarter of the way (n,)."""
    level = np.empty(len(ratios))
    now = ratios[0] if len(ratios) else 1.0
    for i, ratio in enumerate(ratios):
        now += SMOOTH * (ratio - now)
        level[i] = now
    return level


def chances(
    losses: Sequence[tuple[float, float]],
    staleness: Sequence[tuple[float, float]] = (),
    made: Iterable[Made] = (),
    growth: float = 0.0,
    fresh: float = 1.0,
) -> Chances:
    """Count how levels followed one another, on top of the prior.

    Parameters
    ----------
    losses : (age, ratio) by window, in order; a smaller age than before begins a new version
    staleness : (age, ratio) of back-tests, in order of age within each training
    made : versions with what they gained
    growth : labelled rows that the champion has not seen, as a share of those that it learnt from;
        twice as many rows are taken to make a fit better than certified every second time
    fresh : from 0 to 1, how much of a new fit the new rows can make; 0: it would be the same one
    """
    better = min(0.4, 0.4 * max(0.0, growth))
    n_ages, n = len(AGES) + 1, len(MIDDLES)
    keep = np.repeat(_stays()[None] * PRIOR_WINDOWS, n_ages, axis=0)
    counted = _count(keep, losses) + _count(keep, staleness)
    after: dict[ActKind, Floats] = {
        "recalibrate": _falls(0.35, 0.10) * PRIOR_WINDOWS / 4,
        "retrain": _falls(0.30 * fresh, 0.30 * fresh, better) * PRIOR_WINDOWS / 4,
        "search": _falls(0.30 * fresh, 0.40 * fresh, better) * PRIOR_WINDOWS / 4,
    }
    fits = 0
    for one in made:
        table = after.get(one.act)
        if table is None or one.gain is None or one.became == "on_trial":
            continue
        fits += 1
        for level in range(n):  # a share of the loss that was saved is saved at any level
            # what was not promoted changed nothing, whatever it seemed to gain
            gain = max(0.0, one.gain) if one.became == "promoted" else 0.0
            table[level, level_of(MIDDLES[level] * (1.0 - gain))] += 1.0
    return Chances(
        keep / keep.sum(axis=2, keepdims=True),
        {act: table / table.sum(axis=1, keepdims=True) for act, table in after.items()},
        {"windows": counted, "fits": fits},
    )


def _count(keep: Floats, seen: Sequence[tuple[float, float]]) -> int:
    """Add to ``keep`` each step from one window's level to the next one's; how many."""
    counted = 0
    for stretch in _stretches(seen):
        levels = [level_of(r) for r in smoothed([ratio for _, ratio in stretch])]
        for (age, _), before, after in zip(stretch, levels, levels[1:], strict=False):
            keep[age_of(age), before, after] += 1.0
            counted += 1
    return counted


def _stretches(seen: Sequence[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    found: list[list[tuple[float, float]]] = []
    for age, ratio in seen:
        if not np.isfinite(ratio):
            continue
        if not found or age <= found[-1][-1][0]:
            found.append([])
        found[-1].append((age, ratio))
    return found


def _stays() -> Floats:
    """A level mostly stays; it rises a little more often than it falls."""
    n = len(MIDDLES)
    table = np.zeros((n, n))
    for level in range(n):
        table[level, level] += 0.96
        table[level, min(n - 1, level + 1)] += 0.03
        table[level, max(0, level - 1)] += 0.01
    return table


def _falls(one: float, whole: float, better: float = 0.0) -> Floats:
    """Chances of an act: below what was certified, down to it, one level down, or no change."""
    n = len(MIDDLES)
    table = np.zeros((n, n))
    for level in range(n):
        rest = 1.0 - better
        table[level, 0] += better
        table[level, min(level, max(CERTIFIED, level - 1))] += one * rest
        table[level, min(level, CERTIFIED)] += whole * rest
        table[level, level] += (1.0 - one - whole) * rest
    return table
