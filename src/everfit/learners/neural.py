"""A small neural network: layers of rectified units, trained by Adam, weights averaged."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from everfit.data.table import Table
from everfit.encoders.table import FeaturePlan
from everfit.errors import LearnerFailed
from everfit.learners.contract import FitBudget, History
from everfit.learners.link import Link, bounds_of, encode, link_of, smearing, to_answers, to_raw
from everfit.learners.rounds import Patience, Slot, check, held_back, refuse_few
from everfit.records import Array, Form

Weights = list[tuple[Array, Array]]
FEW_ROWS_EPOCHS = 60
MOST_EPOCHS = 300
FEWEST_EPOCHS = 4  # a network that time stops earlier has learnt too little to be a trial


class Neural:
    """scikit-learn's multi-layer perceptron on the dense view, an epoch at a time.

    The answers come from the weights averaged over epochs (decay 0.8 an epoch), which is steadier
    than the last epoch; the number of epochs is found on held-back rows.

    Parameters
    ----------
    layers : units of each hidden layer
    lr : Adam's step; l2 : penalty; batch : rows a step
    target, smear, inner : as for :class:`everfit.learners.boosted.Boosted`
    """

    name: str = "neural"
    engine: ClassVar[str] = "neural"
    forms: tuple[Form, ...] = ("probabilities", "values")

    def __init__(
        self,
        *,
        layers: tuple[int, ...] = (128, 64),
        lr: float = 2e-3,
        l2: float = 1e-3,
        batch: int = 128,
        target: str = "plain",
        smear: float | None = None,
        inner: str = "random",
    ) -> None:
        self.layers, self.lr, self.l2, self.batch = layers, lr, l2, batch
        self.target, self.smear, self.inner = target, smear, inner

    def fit(self, history: History, budget: FitBudget) -> Neural:
        """Find the epochs where they are not given, then train on all rows.

        Raises
        ------
        LearnerFailed : nothing can be learnt, or a fifth of the epochs do not fit the time
        """
        from threadpoolctl import threadpool_limits

        slot = Slot(budget)
        check(history)
        with threadpool_limits(budget.threads):
            self.plan_, matrix = encode(history, "dense")
            self.link_ = link_of(history, self.target)
            values = history.form == "values"
            self.bounds_ = bounds_of(history.target) if values else None
            work = _Work(self, history, matrix, self.link_, slot)
            epochs, stopped, smear = budget.rounds, "end", self.smear
            if epochs is None:
                pairs = held_back(matrix, history, which=self.inner)
                epochs, stopped = work.search(pairs[:1])
            if self.target == "log" and values and smear is None:
                smear = work.smear(self.link_)
            self.weights_, done = work.train(epochs)
        self.link_["shift"] += smear or 0.0
        self.facts_: Mapping[str, Any] = {
            "rounds": done,
            "stopped": "time" if done < epochs else stopped,
            "features": matrix.shape[1],
            "settings": {"smear": smear},
        }
        return self

    def answer(self, asks: Table) -> Array:
        """Answers for each row: float64 (n, n_outputs)."""
        return to_answers(
            forward(self.weights_, self.plan_.transform(asks)), self.link_, self.bounds_
        )

    def save(self, folder: Path) -> Mapping[str, Any]:
        """Write ``neural.npz`` (w0, b0, w1, b1, ...; relu between) and the feature plan."""
        self.plan_.save(folder)
        arrays = {f"w{i}": w for i, (w, _) in enumerate(self.weights_)}
        arrays |= {f"b{i}": b for i, (_, b) in enumerate(self.weights_)}
        np.savez(folder / "neural.npz", allow_pickle=False, **arrays)
        part: dict[str, Any] = {
            "engine": self.engine,
            "files": ["neural.npz"],
            "features": "features.json",
            "link": dict(self.link_),
        }
        return part if self.bounds_ is None else part | {"range": list(self.bounds_)}

    @classmethod
    def load(cls, folder: Path, part: Mapping[str, Any]) -> Neural:
        """The inverse of :meth:`save`."""
        learner = cls()
        with np.load(folder / "neural.npz", allow_pickle=False) as stored:
            arrays = dict(stored)
        learner.weights_ = [(arrays[f"w{i}"], arrays[f"b{i}"]) for i in range(len(arrays) // 2)]
        learner.plan_, learner.link_ = FeaturePlan.load(folder), dict(part["link"])
        learner.bounds_ = (part["range"][0], part["range"][1]) if "range" in part else None
        learner.facts_ = {}
        return learner


def forward(weights: Weights, matrix: Array) -> Array:
    """Raw scores (n, k) of ``matrix`` (n, d).

    Examples
    --------
    >>> forward([(np.eye(2), np.zeros(2)), (np.ones((2, 1)), np.zeros(1))], np.array([[-1.0, 2.0]]))
    array([[2.]])
    """
    hidden = matrix
    for i, (weight, bias) in enumerate(weights):
        hidden = hidden @ weight + bias
        if i + 1 < len(weights):
            hidden = np.maximum(hidden, 0.0)
    return hidden


class _Net:
    """One network in training, with the running average of its weights."""

    def __init__(self, learner: Neural, history: History, n_rows: int) -> None:
        from sklearn.neural_network import MLPClassifier, MLPRegressor

        self._classes = None if history.form == "values" else np.arange(history.n_outputs)
        kind = MLPRegressor if self._classes is None else MLPClassifier
        self._net = kind(
            hidden_layer_sizes=tuple(learner.layers),
            learning_rate_init=learner.lr,
            alpha=learner.l2,
            batch_size=max(min(learner.batch, n_rows // 10), 1),
            random_state=history.seed,
        )
        self.weights: Weights = []
        self.epochs = 0

    def epoch(self, matrix: Array, target: Array, weight: Array | None) -> None:
        options = {} if self._classes is None else {"classes": self._classes}
        with warnings.catch_warnings():
            # a batch larger than few rows is clipped, which needs no warning
            warnings.simplefilter("ignore")
            self._net.partial_fit(matrix, target, sample_weight=weight, **options)
        self.epochs += 1
        # a bias-free start of the average: its first epochs weigh what they can
        keep = min(0.8, (self.epochs - 1.0) / (self.epochs + 1.0))
        now = list(zip(self._net.coefs_, self._net.intercepts_, strict=True))
        self.weights = [
            (keep * w + (1.0 - keep) * new_w, keep * b + (1.0 - keep) * new_b)
            for (w, b), (new_w, new_b) in zip(self.weights or now, now, strict=True)
        ]


class _Work:
    """The networks of one fit, with what they cost."""

    def __init__(
        self, learner: Neural, history: History, matrix: Array, link: Link, slot: Slot
    ) -> None:
        values = history.form == "values"
        self.learner, self.history, self.matrix, self.slot = learner, history, matrix, slot
        self.link = dict(link)
        self.target = to_raw(history.target, link) if values else history.target.astype(np.int64)
        self.per_epoch = 0.0
        self._back, self._raw = np.zeros(0, dtype=np.int64), np.zeros(0)

    def search(self, pairs: list[tuple[Array, Array]]) -> tuple[int, str]:
        """The epochs with the smallest held-back loss, and what stopped the search."""
        if not pairs:
            return FEW_ROWS_EPOCHS, "end"
        fitted, back = pairs[0]
        net, patience = _Net(self.learner, self.history, fitted.size), Patience(least=15)
        began, stopped = self.slot.spent(), "end"
        for epoch in range(1, MOST_EPOCHS + 1):
            net.epoch(self.matrix[fitted], self.target[fitted], self._weight(fitted))
            self.per_epoch = (self.slot.spent() - began) / epoch * (1 + back.size / fitted.size)
            raw = forward(net.weights, self.matrix[back])
            stop = patience.stop(self._loss(raw, back))
            if patience.best_round == epoch:
                self._back, self._raw = back, raw
            if stop or self.slot.left() < 1.2 * self.per_epoch * (patience.best_round + 1):
                stopped = "early" if stop else "time"
                if not stop:
                    refuse_few(epoch, 5 * FEWEST_EPOCHS, self.slot, self.per_epoch)
                break
        return max(patience.best_round, 1), stopped

    def train(self, epochs: int) -> tuple[Weights, int]:
        """Train on all rows for ``epochs``, or as many as the time allows."""
        net, began = _Net(self.learner, self.history, self.target.size), self.slot.spent()
        weight = self.history.weight
        while net.epochs < epochs:
            if net.epochs and self.slot.left() < 1.3 * self.per_epoch:
                refuse_few(net.epochs, epochs, self.slot, self.per_epoch)
                break
            net.epoch(self.matrix, self.target, weight)
            self.per_epoch = (self.slot.spent() - began) / net.epochs
        if not all(np.isfinite(w).all() for w, _ in net.weights):
            raise LearnerFailed(
                "the network ran away",
                got="weights that are not finite",
                expected="finite weights",
                do="lower lr",
            )
        return net.weights, net.epochs

    def smear(self, link: Mapping[str, Any]) -> float:
        """See :func:`everfit.learners.link.smearing`; 0 without held-back rows."""
        if not self._back.size:
            return 0.0
        return smearing(self._raw, self.history.target[self._back], link, self._weight(self._back))

    def _weight(self, rows: Array) -> Array | None:
        return None if self.history.weight is None else self.history.weight[rows]

    def _loss(self, raw: Array, rows: Array) -> float:
        if self.history.form == "values":
            losses = (raw[:, 0] - self.target[rows]) ** 2
        else:
            p = to_answers(raw, self.link, None)
            losses = -np.log(np.maximum(p[np.arange(rows.size), self.target[rows]], 1e-15))
        return float(np.average(losses, weights=self._weight(rows)))
