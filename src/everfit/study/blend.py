"""Greedy blending of answers that were given out of fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from everfit.evidence.interval import mean_of
from everfit.records import Answers, Array, Truth
from everfit.tasks import Task

STEPS = 25  # TabRepo: more steps lead to no measurable improvement (automl anchors 2.1)
MAX_MEMBERS = 5  # each member costs latency and a refit
LEAST_SHARE = 0.05  # LightAutoML drops smaller weights: they cost as much as large ones
MENU_FIELD, MENU_SHARES = 4, (0.25, 0.5, 0.75)  # of lists: who is mixed, and how
MENU_UNITS = 1_500  # of lists: to mix them costs 0.1 ms each, and there are 20 mixtures
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

    ``values`` holds one (n, n_outputs) array a model, for the ids of ``truth`` in order. Lists have
    no mean that could be taken step by step: there the best of a menu of mixtures is chosen.

    References
    ----------
    .. [1] Caruana et al. (2004), Ensemble selection from libraries of models, ICML.
    """
    if task.form == "lists":
        rows = np.unique(np.linspace(0, len(truth.ids) - 1, MENU_UNITS).astype(np.int64))
        weight = None if truth.weight is None else truth.weight[rows]
        some = Truth(truth.ids[rows], truth.values[rows], weight)
        return menu([value[rows] for value in values], some, task, metric).best()
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


def blended(values: Sequence[Array], blend: Blend, task: Task) -> Array:
    """The blend's values (n, n_outputs)."""
    if task.form == "lists":
        return _mixed(values, blend, task)
    parts = [values[m] * s for m, s in zip(blend.members, blend.shares, strict=True)]
    return np.asarray(sum(parts[1:], start=parts[0]))


@dataclass(frozen=True, slots=True)
class Menu:
    """Single models and mixtures of the best of them, with the loss of each on each unit.

    ``losses`` is (n_blends, n); ``weight`` is that of the units.
    """

    blends: tuple[Blend, ...]
    losses: Array
    weight: Array | None

    def best(self, rows: Array | None = None) -> Blend:
        """The blend with the least mean loss on ``rows``; the simpler one of equal ones."""
        picked = self.losses if rows is None else self.losses[:, rows]
        weight = self.weight if rows is None or self.weight is None else self.weight[rows]
        means = np.average(picked, axis=1, weights=weight)
        at = int(np.flatnonzero(means <= means.min() * (1 + CLOSE))[0])
        return replace(self.blends[at], loss=float(means[at]))


def menu(values: Sequence[Array], truth: Truth, task: Task, metric: str) -> Menu:
    """All models alone, the best in pairs at three shares, and the best few at equal shares.

    A mixture of lists is worth its cost only when its parts are good, so the others are not mixed.
    """
    blends = [Blend((i,), (1.0,), float("nan")) for i in range(len(values))]
    found = [task.losses(Answers(truth.ids, value), truth, metric) for value in values]
    order = np.argsort([mean_of(one.values, one.weight) for one in found], kind="stable")
    best = [int(i) for i in order[:MENU_FIELD]]
    for pair in combinations(sorted(best), 2):
        blends += [Blend(pair, (s, 1 - s), float("nan")) for s in MENU_SHARES]
    for n in range(3, len(best) + 1):
        blends.append(Blend(tuple(sorted(best[:n])), (1 / n,) * n, float("nan")))
    for blend in blends[len(values) :]:
        answers = Answers(truth.ids, _mixed(values, blend, task))
        found.append(task.losses(answers, truth, metric))
    return Menu(tuple(blends), np.stack([one.values for one in found]), found[0].weight)


def _mixed(values: Sequence[Array], blend: Blend, task: Task) -> Array:
    if len(blend.members) == 1:
        return values[blend.members[0]]
    ids = np.arange(len(values[blend.members[0]]))
    return task.blend([Answers(ids, values[m]) for m in blend.members], blend.shares).values


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
    loss = mean_loss(task, metric, Answers(truth.ids, blended(values, smaller, task)), truth)
    return Blend(smaller.members, smaller.shares, loss)
