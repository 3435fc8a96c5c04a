"""From raw scores to answers, and the calibration of answers; for one row and for many.

Both forms use numpy's exp and log, so that they agree to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from everfit.column import Array

HIGHEST = 700.0  # of an exponent: e to the 710 is no float any more
PAIRWISE = 8  # from so many numbers on numpy adds in another order than one by one
RowLink = Callable[[Sequence[float]], Sequence[float]]
TableLink = Callable[[Array], Array]


def row_link(link: Mapping[str, Any], bounds: Sequence[float] | None = None) -> RowLink:
    """The link for one row: raw scores in, probabilities or one value out.

    Examples
    --------
    >>> row_link({"kind": "sigmoid"})([0.0])
    (0.5, 0.5)
    """
    if link["kind"] == "sigmoid":
        return _sigmoid
    if link["kind"] == "softmax":
        return _softmax
    scale, shift = float(link.get("scale", 1.0)), float(link.get("shift", 0.0))
    grows = link.get("inverse", "none") == "expm1"
    if not grows and bounds is None:
        if scale == 1.0 and shift == 0.0:
            return lambda raw: raw
        return lambda raw: [x * scale + shift for x in raw]
    low, high = (-np.inf, np.inf) if bounds is None else bounds

    def run(raw: Sequence[float], expm1: Any = np.expm1) -> Sequence[float]:
        values = [x * scale + shift for x in raw]
        if grows:
            values = [float(expm1(HIGHEST if x > HIGHEST else x)) for x in values]
        return [low if x < low else high if x > high else x for x in values]

    return run


def _softmax(raw: Sequence[float], exp: Any = np.exp) -> Sequence[float]:
    top = max(raw)
    if len(raw) >= PAIRWISE:
        grown = np.exp(np.array(raw) - top)
        return (grown / grown.sum()).tolist()  # type: ignore[no-any-return]
    values = [float(exp(x - top)) for x in raw]
    total = 0.0
    for x in values:  # one by one as numpy does it: a later Python's sum is more exact
        total += x
    return [x / total for x in values]


def _sigmoid(raw: Sequence[float], exp: Any = np.exp) -> Sequence[float]:
    x = raw[0]
    if not -700.0 <= x <= 700.0:
        x = min(max(x, -700.0), 700.0)
    p = 1.0 / (1.0 + float(exp(-x)))
    return 1.0 - p, p


def table_link(link: Mapping[str, Any], bounds: Sequence[float] | None = None) -> TableLink:
    """The link for many rows: raw (n, k) in, answers (n, n_outputs) out."""
    kind = link["kind"]
    scale, shift = float(link.get("scale", 1.0)), float(link.get("shift", 0.0))

    def sigmoid(raw: Array) -> Array:
        p = 1.0 / (1.0 + np.exp(-np.clip(raw.reshape(-1), -700.0, 700.0)))
        return np.column_stack([1.0 - p, p])

    def softmax(raw: Array) -> Array:
        grown = np.exp(raw - raw.max(axis=1, keepdims=True))
        return np.asarray(grown / grown.sum(axis=1, keepdims=True))

    def identity(raw: Array) -> Array:
        values = raw * scale + shift
        if link.get("inverse") == "expm1":
            values = np.expm1(np.minimum(values, HIGHEST))
        return values if bounds is None else np.clip(values, bounds[0], bounds[1])

    return {"sigmoid": sigmoid, "softmax": softmax, "identity": identity}[kind]


def row_calibration(calibration: Mapping[str, float], n_outputs: int) -> RowLink | None:
    """:func:`calibrated` for the answer to one row, None when there is nothing to do.

    Examples
    --------
    >>> row_calibration({"temperature": 0.5}, 2)([0.5, 0.5])
    [0.5, 0.5]
    """
    if not calibration:
        return None
    if affine(calibration):
        scale, shift = line_of(calibration)
        return lambda values: [x * scale + shift for x in values]
    if n_outputs >= PAIRWISE:
        return lambda p: calibrated(np.array([p]), calibration)[0].tolist()
    temperature = float(calibration.get("temperature", 1.0))
    biases = [float(calibration.get(f"bias_{i}", 0.0)) for i in range(n_outputs)]
    log = np.log

    def run(p: Sequence[float]) -> Sequence[float]:
        grown = [
            float(log(max(x, 1e-15))) / temperature + bias
            for x, bias in zip(p, biases, strict=True)
        ]
        return _softmax(grown)

    return run


def calibrated(values: Array, calibration: Mapping[str, float]) -> Array:
    """Probabilities (n, k) with q proportional to ``exp(log(max(p, 1e-15)) / temperature + bias)``.

    ``bias_0``, ``bias_1``, ... are the biases of the classes, 0 where not given. Of numbers (n, 1),
    ``scale * value + shift``.
    """
    if not calibration:
        return values
    if affine(calibration):
        scale, shift = line_of(calibration)
        return np.asarray(values * scale + shift)
    grown = np.log(np.maximum(values, 1e-15)) / float(calibration.get("temperature", 1.0))
    if any(name.startswith("bias_") for name in calibration):
        grown = grown + np.array([calibration.get(f"bias_{i}", 0.0) for i in range(grown.shape[1])])
    grown = np.exp(grown - grown.max(axis=1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=1, keepdims=True))


def affine(calibration: Mapping[str, float]) -> bool:
    """Whether a calibration is that of numbers, and not of probabilities.

    Examples
    --------
    >>> affine({"scale": 1.1}), affine({"temperature": 2.0})
    (True, False)
    """
    return "scale" in calibration or "shift" in calibration


def line_of(calibration: Mapping[str, float]) -> tuple[float, float]:
    """The scale and the shift of a calibration of numbers."""
    return float(calibration.get("scale", 1.0)), float(calibration.get("shift", 0.0))
