"""Greedy blending of answers that were given out of fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from everfit.evidence.interval import mean_of
from everfit.records import Answers, Array, Truth
from everfit.tasks import Task

STEPS = 25  # TabRepo: more steps lead to no measurable improvement (automl anchors 2.1)
MAX_MEMBERS = 5  # each member costs latency and a refit
LEAST_SHARE = 0.05  # LightAutoML drops smaller weights: they cost as much as large ones
CLOSE = 1e-6  # relative; below it two losses are the same and a model already in use is preferred


@dataclass(frozen=True, slots=True)
class Blend:
    """Positions of the blended models and their shares, which sum to 1; and its mean loss."""

    members: tuple[int, ...]
    shares: tuple[float, ...]
    loss: float


def mean_loss(task: Task, metric: str, answers: Answers, truth: Truth) -> float:
    """The weighted mean of the losses per unit."""
    losses = task.losses(answers, truth, metric)
    return mean_of(losses.values, losses.weight)


def greedy(
    values: Sequence[Array], truth: Truth, task: Task, metric: str, *, steps: int = STEPS
) -> Blend:
    """Add, with replacement, the model that lowers the blend's loss most; keep the best prefix.

    ``values`` holds one (n, n_outputs) array a model, for the ids of ``truth`` in order.

    References
    ----------
    .. [1] Caruana et al. (2004), Ensemble selection from libraries of models, ICML.
    """
    counts = np.zeros(len(values), dtype=int)
    total = np.zeros_like(values[0])
    best = Blend((0,), (1.0,), float("inf"))
    for step in range(1, steps + 1):
        full = np.count_nonzero(counts) >= MAX_MEMBERS
        losses = np.array(
            [
                np.inf
                if full and counts[i] == 0
                else mean_loss(task, metric, Answers(truth.ids, (total + value) / step), truth)
                for i, value in enumerate(values)
            ]
        )
        chosen = int(np.argmin(losses))
        near = np.flatnonzero((losses <= losses[chosen] * (1 + CLOSE)) & (counts > 0))
        chosen = int(near[0]) if len(near) else chosen
        counts[chosen] += 1
        total += values[chosen]
        if losses[chosen] < best.loss * (1 - CLOSE):
            best = _shares(counts, float(losses[chosen]))
        elif step > 2 * len(best.members) + 5:
            break  # with replacement, a blend that has not gained for so long only wanders
    return _trimmed(best, values, truth, task, metric)


def blended(values: Sequence[Array], blend: Blend) -> Array:
    """The blend's values (n, n_outputs)."""
    parts = [values[m] * s for m, s in zip(blend.members, blend.shares, strict=True)]
    return np.asarray(sum(parts[1:], start=parts[0]))


def _shares(counts: Array, loss: float) -> Blend:
    members = np.flatnonzero(counts)
    shares = counts[members] / counts.sum()
    return Blend(tuple(int(m) for m in members), tuple(float(s) for s in shares), loss)


def _trimmed(blend: Blend, values: Sequence[Array], truth: Truth, task: Task, metric: str) -> Blend:
    kept = [(m, s) for m, s in zip(blend.members, blend.shares, strict=True) if s >= LEAST_SHARE]
    if len(kept) == len(blend.members):
        return blend
    total = sum(s for _, s in kept)
    smaller = Blend(tuple(m for m, _ in kept), tuple(s / total for _, s in kept), 0.0)
    loss = mean_loss(task, metric, Answers(truth.ids, blended(values, smaller)), truth)
    return Blend(smaller.members, smaller.shares, loss)
