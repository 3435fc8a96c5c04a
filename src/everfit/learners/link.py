"""Both ends of a learner: a history as a matrix, and raw scores as answers.

The link says how raw scores become answers, as data that travels with the model files:

``{"kind": "softmax"|"sigmoid"|"identity", "scale": s, "shift": c, "inverse": "none"|"expm1"}``.
A sigmoid turns one raw score into (1 - p, p); a softmax turns k scores into k probabilities;
an identity gives ``inverse(raw * scale + shift)``, clipped to a range where one is given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from everfit.encoders.table import FeaturePlan, fit_transform_features
from everfit.errors import LearnerFailed
from everfit.learners.contract import History
from everfit.records import Array

TargetView = Literal["plain", "log"]
Link = dict[str, Any]


def encode(history: History, view: str) -> tuple[FeaturePlan, Array]:
    """The feature plan of a history, and the features (n, d) of its own rows."""
    return fit_transform_features(
        history.table,
        history.target,
        history.form,
        history.n_outputs,
        view=view,
        seed=history.seed,
    )


def link_of(history: History, target: str = "plain") -> Link:
    """The link for the answers that ``history`` asks for.

    Numbers are learnt standardised (weighted mean 0, deviation 1), after log1p when ``target`` is
    ``"log"``, so that no learner depends on the unit of the target.

    Raises
    ------
    LearnerFailed : the log of a target with values of -1 or less, or an unknown ``target``
    """
    if history.form == "probabilities":
        kind = "sigmoid" if history.n_outputs == 2 else "softmax"
        return {"kind": kind, "scale": 1.0, "shift": 0.0, "inverse": "none"}
    if target not in ("plain", "log"):
        raise LearnerFailed(
            "the target cannot be changed that way",
            got=repr(target),
            expected="'plain' or 'log'",
            do="give one of these",
        )
    if target == "log" and float(np.min(history.target)) <= -1.0:
        raise LearnerFailed(
            "the log of this target cannot be taken",
            got=f"a smallest value of {float(np.min(history.target)):g}",
            expected="values above -1",
            do="leave target at 'plain'",
        )
    y = np.log1p(history.target) if target == "log" else history.target
    shift = float(np.average(y, weights=history.weight))
    scale = float(np.sqrt(np.average((y - shift) ** 2, weights=history.weight)))
    return {
        "kind": "identity",
        "scale": scale if scale > 0 else 1.0,
        "shift": shift,
        "inverse": "expm1" if target == "log" else "none",
    }


def to_raw(target: Array, link: Mapping[str, Any]) -> Array:
    """Known numbers (n,) as raw scores (n,); the inverse of :func:`to_answers` for an identity."""
    y = np.log1p(target) if link["inverse"] == "expm1" else target
    return np.asarray((y - link["shift"]) / link["scale"], dtype=np.float64)


def to_answers(raw: Array, link: Mapping[str, Any], bounds: tuple[float, float] | None) -> Array:
    """Raw scores (n,) or (n, k) as answers, float64 (n, n_outputs).

    Examples
    --------
    >>> to_answers(np.zeros(1), {"kind": "sigmoid"}, None).tolist()
    [[0.5, 0.5]]
    """
    if link["kind"] == "sigmoid":
        p = 1.0 / (1.0 + np.exp(-np.clip(raw.reshape(-1), -700.0, 700.0)))
        return np.column_stack([1.0 - p, p])
    if link["kind"] == "softmax":
        grown = np.exp(raw - raw.max(axis=1, keepdims=True))
        return np.asarray(grown / grown.sum(axis=1, keepdims=True))
    values = raw.reshape(-1, raw.shape[1] if raw.ndim == 2 else 1) * link["scale"] + link["shift"]
    if link["inverse"] == "expm1":
        # above e^700 a float64 overflows; such an answer is clipped by its bounds anyway
        values = np.expm1(np.minimum(values, 700.0))
    return np.asarray(values if bounds is None else np.clip(values, bounds[0], bounds[1]))


def bounds_of(target: Array) -> tuple[float, float]:
    """Where an answer may lie: half the known span beyond what was seen, never across zero.

    A line or a network can run away far from its data; a price that was never negative should not
    become negative.
    """
    low, high = float(np.min(target)), float(np.max(target))
    margin = 0.5 * (high - low)
    return (
        max(low - margin, 0.0) if low >= 0 else low - margin,
        min(high + margin, 0.0) if high <= 0 else high + margin,
    )


def smearing(raw: Array, target: Array, link: Mapping[str, Any], weight: Array | None) -> float:
    """What to add to a log-scale shift so that squared error in the plain unit is smallest.

    The expm1 of a mean of logs is nearer the median than the mean. With m = exp(raw score in logs),
    the best factor is c = sum(w y m) / sum(w m^2) (Duan 1983's idea, fitted by least squares);
    log c is kept within 0.5, since few rows may carry it. ``raw`` must come from rows not fitted.
    """
    grown = np.exp(np.minimum(raw.reshape(-1) * link["scale"] + link["shift"], 700.0))
    w = np.ones_like(grown) if weight is None else weight
    factor = float(np.sum(w * (target + 1.0) * grown) / max(float(np.sum(w * grown**2)), 1e-300))
    return float(np.clip(np.log(max(factor, 1e-12)), -0.5, 0.5))
