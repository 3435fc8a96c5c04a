"""Set answers that are numbers right by recent outcomes: a scale, a shift, or both.

``scale * value + shift``. Demand that grows and prices that rise leave the pattern that a model
learnt and move its level. A line through recent outcomes follows it at once, with two numbers to
learn where a fit would learn all anew (Mincer & Zarnowitz 1969 test forecasts by the same line).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike

from everfit.evidence.interval import Floats, spread

LEAST_ROWS = 20
FLATTEST, STEEPEST = 0.2, 5.0  # scales outside say that the model, not its level, is wrong
N_FOLDS = 5
Line = tuple[float, float]  # scale and shift


def apply_affine(values: ArrayLike, calibration: Mapping[str, float]) -> Floats:
    """``scale * values + shift``; unchanged when the calibration is empty.

    Examples
    --------
    >>> apply_affine([1.0, 2.0], {"scale": 2.0, "shift": 0.5}).tolist()
    [2.5, 4.5]
    """
    numbers = np.asarray(values, dtype=np.float64)
    if not calibration:
        return numbers
    return numbers * float(calibration.get("scale", 1.0)) + float(calibration.get("shift", 0.0))


def fit_affine(
    values: ArrayLike, truth: ArrayLike, *, weight: ArrayLike | None = None
) -> dict[str, float]:
    """The scale and shift that lower the squared error on rows that they were not fitted on, or {}.

    A shift alone, a scale alone, and both are cross-fitted over five stretches of the rows (n,),
    which stand in the order of time; the one that saves most is fitted to all rows. It must save
    more than one standard error of the paired drop. Fewer than 20 rows never get one.

    Examples
    --------
    >>> said = np.arange(100.0)
    >>> fit_affine(said, 1.2 * said + 0.01 * np.sin(said))["scale"].__round__(2)
    1.2
    >>> fit_affine(said, said)
    {}
    """
    x = np.asarray(values, dtype=np.float64).ravel()
    y = np.asarray(truth, dtype=np.float64).ravel()
    w = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=np.float64).ravel()
    if len(y) < LEAST_ROWS or not w.sum() > 0:
        return {}
    fold = np.arange(len(y)) * N_FOLDS // len(y)
    best, most = None, 0.0
    for way in WAYS:
        moved = np.empty(len(y))
        for k in range(N_FOLDS):
            rest = fold != k
            scale, shift = way(x[rest], y[rest], w[rest])
            moved[~rest] = scale * x[~rest] + shift
        drop = spread((x - y) ** 2 - (moved - y) ** 2, weight=w)
        if math.isfinite(drop.error) and drop.mean > max(drop.error, most):
            best, most = way, drop.mean
    if best is None:
        return {}
    scale, shift = best(x, y, w)
    return {"scale": scale, "shift": shift}


def _shift(x: Floats, y: Floats, w: Floats) -> Line:
    return 1.0, float(np.average(y - x, weights=w)) if w.sum() > 0 else 0.0


def _scale(x: Floats, y: Floats, w: Floats) -> Line:
    size = float(w @ (x * x))
    return _held(float(w @ (x * y)) / size) if size > 0 else 1.0, 0.0


def _line(x: Floats, y: Floats, w: Floats) -> Line:
    if not w.sum() > 0:
        return 1.0, 0.0
    at, to = float(np.average(x, weights=w)), float(np.average(y, weights=w))
    spread_x = float(w @ (x - at) ** 2)
    scale = _held(float(w @ ((x - at) * (y - to))) / spread_x) if spread_x > 0 else 1.0
    return scale, to - scale * at


WAYS: tuple[Callable[[Floats, Floats, Floats], Line], ...] = (_shift, _scale, _line)


def _held(scale: float) -> float:
    return min(max(scale, FLATTEST), STEEPEST)
