"""What answers are expected to lose, given how often known rows like them were right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from everfit.evidence.calibration import apply_calibration, least_loss_calibration
from everfit.records import Answers, Array, Problem, Truth
from everfit.tasks import Task

BINS = 20  # of the expected size of an error
DRAWS = 3  # errors drawn for each answer, to read a metric off
BIAS_STEPS = 5
RIDGE = 5.0
SEED = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """Known rows with their answers (n, k) and truth (n,), and answers (m, k) without outcomes.

    ``known`` (n, p) and ``asked`` (m, p) are their designs.
    """

    answers: Array
    truth: Array
    said: Array
    known: Array
    asked: Array


class Expected(NamedTuple):
    """The mean loss, the variance of one loss around what is expected of it, and of the latter."""

    mean: float
    chance: float
    between: float


class Expectation(Protocol):
    """What a form of answers needs for its expected losses; weights are of the known rows."""

    def loss(self, weight: Array) -> Expected:
        """The expected loss under weights (n,)."""
        ...

    def drawn(self, weight: Array, fitted: Array) -> float:
        """The mean under the weights of a draw; ``fitted`` are those of the estimate itself."""
        ...

    def score(self, weight: Array) -> float:
        """The metric that people read."""
        ...


def expectation(sample: Sample, problem: Problem, task: Task) -> Expectation:
    """Of probabilities by recalibration, of numbers by the size of errors."""
    kind = OfLabels if problem.form == "probabilities" else OfNumbers
    return kind(sample, problem, task)


class OfLabels:
    """Probabilities are recalibrated on known rows as they are weighted now.

    Then each label counts as true with its probability: CBPE, and PAPE with weights.
    """

    def __init__(self, sample: Sample, problem: Problem, task: Task) -> None:
        self._sample, self._problem, self._task = sample, problem, task
        m, k = sample.said.shape
        self._repeated = np.repeat(sample.said, k, axis=0)  # (m k, k)
        self._codes = np.tile(np.arange(k, dtype=np.float64), m)
        ids = np.arange(m * k)
        lost = task.losses(
            Answers(ids, self._repeated), Truth(ids, self._codes), problem.metric
        ).values
        self._lost = lost.reshape(m, k)

    def loss(self, weight: Array) -> Expected:
        """The expected loss under weights (n,)."""
        chance = self.chances(weight)
        mean = (chance * self._lost).sum(axis=1)
        square = (chance * self._lost**2).sum(axis=1)
        return _expected(mean, square)

    def drawn(self, weight: Array, fitted: Array) -> float:
        """The mean with the calibration fitted again."""
        return self.loss(weight).mean

    def score(self, weight: Array) -> float:
        """The metric with each label as true as its probability says."""
        chance = self.chances(weight).ravel()
        return self._task.shown(self._problem.metric, self._repeated, self._codes, chance)

    def chances(self, weight: Array) -> Array:
        """Recalibrated probabilities (m, k)."""
        s = self._sample
        codes = s.truth.astype(np.int64)
        fitted = least_loss_calibration(s.answers, codes, weight=weight)
        k = s.answers.shape[1]
        if k == 2 or not fitted:
            return apply_calibration(s.said, fitted)
        bias = np.zeros(k)  # a temperature cannot move the shares of labels, biases can
        share = weight / weight.sum()
        true = np.bincount(codes, weights=share, minlength=k)
        for _ in range(BIAS_STEPS):
            settings = fitted | {f"bias_{i}": float(b) for i, b in enumerate(bias)}
            now = share @ apply_calibration(s.answers, settings)
            bias += np.log((true + 1e-3) / (now + 1e-3))
        settings = fitted | {f"bias_{i}": float(b) for i, b in enumerate(bias)}
        return apply_calibration(s.said, settings)


class OfNumbers:
    """The size of each error is foretold from the row; known errors of that size stand for it.

    A direct estimate of the loss (DLE), weighted where PAPE would recalibrate.
    """

    def __init__(self, sample: Sample, problem: Problem, task: Task) -> None:
        self._sample, self._problem, self._task = sample, problem, task
        self._errors = sample.truth - sample.answers[:, 0]
        self._binned: tuple[Array, tuple[Array, Array]] | None = None
        ids = np.arange(len(sample.truth))
        truth = Truth(ids, sample.truth)
        self._lost = task.losses(Answers(ids, sample.answers), truth, problem.metric).values

    def loss(self, weight: Array) -> Expected:
        """The expected loss under weights (n,)."""
        known, asked = self._bins(weight)
        mean, square = self._moments(weight, known)
        return _expected(mean[asked], square[asked])

    def drawn(self, weight: Array, fitted: Array) -> float:
        """The mean with other rows in the same bins; where bins end adds little to its error."""
        known, asked = self._bins(fitted)
        return float(self._moments(weight, known)[0][asked].mean())

    def _moments(self, weight: Array, known: Array) -> tuple[Array, Array]:
        """The mean loss and its square in each bin."""
        mass = np.bincount(known, weights=weight, minlength=BINS)
        whole = (
            float(weight @ self._lost / weight.sum()),
            float(weight @ self._lost**2 / weight.sum()),
        )
        # a bin counts as one row more that is like all rows: a draw may leave it empty
        mean = np.bincount(known, weights=weight * self._lost, minlength=BINS) + whole[0]
        square = np.bincount(known, weights=weight * self._lost**2, minlength=BINS) + whole[1]
        return mean / (mass + 1), square / (mass + 1)

    def score(self, weight: Array) -> float:
        """The metric with errors drawn from known rows of the same expected size."""
        known, asked = self._bins(weight)
        rng = np.random.default_rng(SEED)
        truth = np.empty((len(asked), DRAWS))
        for place in range(BINS):
            here = np.flatnonzero(asked == place)
            pool = np.flatnonzero(known == place)
            if len(here):
                pool = pool if len(pool) else np.arange(len(known))
                reached = np.cumsum(weight[pool])
                at = np.searchsorted(reached, rng.random((len(here), DRAWS)) * reached[-1])
                truth[here] = self._sample.said[here] + self._errors[pool[at]]
        said = np.repeat(self._sample.said, DRAWS, axis=0)
        return self._task.shown(self._problem.metric, said, truth.ravel(), None)

    def _bins(self, weight: Array) -> tuple[Array, Array]:
        """By the expected size of the error, the bin of each known and each asked row."""
        if self._binned is None or self._binned[0] is not weight:
            self._binned = weight, self._cut(weight)
        return self._binned[1]

    def _cut(self, weight: Array) -> tuple[Array, Array]:
        s = self._sample
        size = np.abs(self._errors)
        top = np.quantile(size, 0.99)
        x = np.column_stack([np.ones(len(s.known)), s.known])
        curve = (x * weight[:, None]).T @ x
        curve[np.diag_indices_from(curve)] += np.r_[1e-6, np.full(x.shape[1] - 1, RIDGE)]
        found = np.linalg.solve(curve, x.T @ (weight * np.minimum(size, top)))
        known, asked = x @ found, found[0] + s.asked @ found[1:]
        order = np.argsort(known, kind="stable")
        # edges that leave the same weight in each bin, so that none is empty
        reached = np.cumsum(weight[order]) / weight.sum()
        at = np.searchsorted(reached, np.arange(1, BINS) / BINS)
        edges = known[order][np.minimum(at, len(known) - 1)]
        codes = np.searchsorted(edges, known, side="left")
        return codes, np.searchsorted(edges, asked, side="left")


def _expected(mean: Array, square: Array) -> Expected:
    """From the first two moments of each loss (m,)."""
    inner = np.maximum(square - mean**2, 0.0)
    return Expected(float(mean.mean()), float(inner.mean()), float(mean.var()))
