"""Make probabilities match how often they are right: a temperature, and for two classes a bias.

``q_k ~ exp(log(max(p_k, 1e-15)) / temperature + bias_k)``, normalised. Both fits are convex in
(1/temperature, bias), so Newton's method with halving finds them in a few steps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from everfit.evidence.interval import Floats, spread

Codes = NDArray[np.int64]
LEAST_P = 1e-15
SHARPEST, SOFTEST = 0.05, 20.0  # temperatures outside say that the model, not its scale, is wrong
STEPS = 30


def apply_calibration(probabilities: ArrayLike, calibration: Mapping[str, float]) -> Floats:
    """``probabilities`` (n, k) with a calibration applied; unchanged when it is empty.

    Keys are ``temperature`` and ``bias_0`` ... ``bias_{k-1}``, all optional.

    Examples
    --------
    >>> apply_calibration([[0.8, 0.2]], {"temperature": 0.5}).round(3).tolist()
    [[0.941, 0.059]]
    """
    p = np.asarray(probabilities, dtype=np.float64)
    if not calibration:
        return p
    scaled = np.log(np.maximum(p, LEAST_P)) / float(calibration.get("temperature", 1.0))
    scaled += np.array([float(calibration.get(f"bias_{k}", 0.0)) for k in range(p.shape[1])])
    return np.asarray(special.softmax(scaled, axis=1), dtype=np.float64)


def least_loss_calibration(
    probabilities: ArrayLike, codes: ArrayLike, *, weight: ArrayLike | None = None
) -> dict[str, float]:
    """The calibration with the least log loss on these rows: class ``codes`` (n,) in 0..k-1.

    A temperature in [0.05, 20]; for two classes a bias too. Empty for no rows or one class. It
    was chosen on these rows: judge it on others, or use :func:`fit_calibration`.
    Guo et al., ICML 2017; for two classes Platt's scaling with the log-odds as score.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    y = np.asarray(codes).astype(np.int64).ravel()
    w = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=np.float64).ravel()
    if not len(y) or not w.sum() > 0 or len(np.unique(y[w > 0])) < 2:
        return {}
    w = w / w.sum()
    logs = np.log(np.maximum(p, LEAST_P))
    if p.shape[1] == 2:
        sharpness, bias = _fit_two(logs[:, 1] - logs[:, 0], y.astype(np.float64), w)
        return {"temperature": 1 / sharpness, "bias_0": 0.0, "bias_1": bias}
    return {"temperature": 1 / _fit_many(logs - logs.max(axis=1, keepdims=True), y, w)}


def fit_calibration(
    probabilities: ArrayLike,
    codes: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    n_folds: int = 5,
    seed: int = 0,
) -> dict[str, float]:
    """The calibration if it helps on rows that it was not fitted on, else {}.

    That of :func:`least_loss_calibration`, cross-fitted over ``n_folds``: it helps when the mean
    log loss drops by more than one standard error of the paired drop. Fewer than 20 rows never
    get one.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    y = np.asarray(codes).astype(np.int64).ravel()
    if len(y) < 20:
        return {}
    w = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=np.float64).ravel()
    fold = np.random.default_rng(seed).permutation(len(y)) % n_folds
    moved = p.copy()
    for k in range(n_folds):
        fitted = least_loss_calibration(p[fold != k], y[fold != k], weight=w[fold != k])
        moved[fold == k] = apply_calibration(p[fold == k], fitted)
    drop = spread(_log_loss(p, y) - _log_loss(moved, y), weight=w)
    if not (math.isfinite(drop.error) and drop.mean > drop.error):
        return {}
    return least_loss_calibration(p, y, weight=w)


def expected_calibration_error(
    probabilities: ArrayLike, codes: ArrayLike, *, n_bins: int = 15, weight: ArrayLike | None = None
) -> float:
    """Mean gap between how sure the most likely class was and how often it was right, in [0, 1].

    ``n_bins`` bins of equal width over the confidence; NaN without rows.

    Examples
    --------
    >>> round(expected_calibration_error([[0.9, 0.1], [0.9, 0.1]], [0, 1]), 2)
    0.4
    """
    p = np.asarray(probabilities, dtype=np.float64)
    y = np.asarray(codes).astype(np.int64).ravel()
    if not len(y):
        return math.nan
    w = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=np.float64).ravel()
    sure = p.max(axis=1)
    off = w * ((p.argmax(axis=1) == y) - sure)
    edges = np.linspace(0, 1, n_bins + 1)[1:-1]
    sums = np.bincount(np.digitize(sure, edges, right=True), weights=off, minlength=n_bins)
    return float(np.abs(sums).sum() / w.sum())


def _fit_two(z: Floats, y: Floats, w: Floats) -> tuple[float, float]:
    """Sharpness b and bias a that minimise the log loss of sigmoid(b z + a)."""
    b, a = 1.0, 0.0
    loss = _binary_loss(b * z + a, y, w)
    for _ in range(STEPS):
        q = special.expit(b * z + a)
        miss, curve = w * (q - y), w * q * (1 - q)
        gradient = np.array([miss @ z, miss.sum()])
        cross = float(curve @ z)
        # a ridge so small that it only matters when all scores are equal or all certain
        hessian = np.array([[float(curve @ (z * z)), cross], [cross, float(curve.sum())]])
        step = np.linalg.solve(hessian + 1e-9 * np.eye(2), gradient)
        size = 1.0
        for _half in range(20):
            new_b = float(np.clip(b - size * step[0], 1 / SOFTEST, 1 / SHARPEST))
            new_a = float(np.clip(a - size * step[1], -20, 20))
            new_loss = _binary_loss(new_b * z + new_a, y, w)
            if new_loss <= loss:
                break
            size /= 2
        else:
            break
        gained, b, a, loss = loss - new_loss, new_b, new_a, new_loss
        if gained < 1e-12:
            break
    return b, a


def _fit_many(z: Floats, y: Codes, w: Floats) -> float:
    """Sharpness b that minimises the log loss of softmax(b z)."""
    own = z[np.arange(len(y)), y]
    low, high, b = 1 / SOFTEST, 1 / SHARPEST, 1.0
    for _ in range(60):
        q = special.softmax(b * z, axis=1)
        mean = (q * z).sum(axis=1)
        slope = float(w @ (mean - own))
        curve = float(w @ ((q * z * z).sum(axis=1) - mean * mean))
        low, high = (b, high) if slope < 0 else (low, b)
        new = b - slope / curve if curve > 0 else math.nan
        # Newton, kept inside the bracket that the sign of the slope gives
        new = new if low < new < high else (low + high) / 2
        if abs(new - b) < 1e-10 * b:
            break
        b = new
    return b


def _binary_loss(z: Floats, y: Floats, w: Floats) -> float:
    return float(w @ (np.logaddexp(0.0, z) - y * z))


def _log_loss(p: Floats, y: Codes) -> Floats:
    return np.asarray(-np.log(np.maximum(p[np.arange(len(y)), y], LEAST_P)), dtype=np.float64)
