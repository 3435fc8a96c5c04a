"""Extremely randomised trees: many deep trees whose split places are drawn at random."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from everfit.data.table import Table
from everfit.encoders.table import FeaturePlan
from everfit.learners.contract import FitBudget, History
from everfit.learners.link import encode
from everfit.learners.rounds import Slot, check
from everfit.records import Array, Form

PROBE = 4  # trees after which the cost of a tree is known
FEWEST = 20  # fewer trees than this answer too unevenly to be worth a trial


class Forest:
    """scikit-learn's extra trees without bootstrap, kept as flat arrays.

    Each leaf of n rows answers (n * mean + smooth * prior) / (n + smooth), so that a leaf of one
    row is never certain: log loss would punish it without limit.

    Parameters
    ----------
    trees : wished number of trees; fewer when the time asks for it
    columns : share of the features tried at each split, or "sqrt"
    leaf_rows : rows a leaf at least
    smooth : rows of the prior in each leaf, for probabilities
    """

    name: str = "forest"
    engine: ClassVar[str] = "forest"
    forms: tuple[Form, ...] = ("probabilities", "values")

    def __init__(
        self,
        *,
        trees: int = 150,
        columns: float | str = "sqrt",
        leaf_rows: int = 2,
        smooth: float = 0.5,
    ) -> None:
        self.trees, self.columns, self.leaf_rows, self.smooth = trees, columns, leaf_rows, smooth

    def fit(self, history: History, budget: FitBudget) -> Forest:
        """Grow trees until there are enough or the time ends.

        Raises
        ------
        LearnerFailed : nothing can be learnt, or fewer than 20 trees fit the time
        """
        slot = Slot(budget)
        check(history)
        self.plan_, matrix = encode(history, "dense")
        grown, classes, stopped = self._grow(history, matrix.astype(np.float32), budget, slot)
        self.arrays_ = _flatten(grown, history, classes, self.smooth)
        self.grown_ = grown
        self.facts_: Mapping[str, Any] = {
            "rounds": len(grown),
            "stopped": stopped,
            "features": matrix.shape[1],
            "nodes": int(self.arrays_["feature"].size),
            "settings": {},
        }
        return self

    def _grow(
        self, history: History, matrix: Array, budget: FitBudget, slot: Slot
    ) -> tuple[list[Any], Array, str]:
        from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

        n, values = matrix.shape[0], history.form == "values"
        kind = ExtraTreesRegressor if values else ExtraTreesClassifier
        options: dict[str, Any] = {} if values else {"criterion": "log_loss"}
        # a leaf grows with the rows, so that a tree has some 5,000 leaves and the file stays small
        forest = kind(
            n_estimators=PROBE,
            max_features=self.columns,
            bootstrap=False,
            warm_start=True,
            min_samples_leaf=max(self.leaf_rows, -(-n // 5_000)),
            random_state=history.seed,
            n_jobs=budget.threads,
            **options,
        )
        wished = budget.rounds or self.trees
        target = history.target if values else history.target.astype(np.int64)
        done, stopped, per_tree = 0, "end", 0.0
        while done < wished:
            step = PROBE if not done else max(min(wished // 10, wished - done), 1)
            if done:
                step = min(step, int(slot.left() / (1.2 * per_tree)))
                if step < 1:
                    stopped = "time"
                    break
            began = slot.spent()
            forest.n_estimators = done + step
            forest.fit(matrix, target, sample_weight=history.weight)
            done += step
            per_tree = (slot.spent() - began) / step
            if done == PROBE:
                slot.need(per_tree * (min(FEWEST, wished) - PROBE), f"{FEWEST} trees")
        classes = np.zeros(1) if values else forest.classes_
        return [tree.tree_ for tree in forest.estimators_], classes, stopped

    def answer(self, asks: Table) -> Array:
        """Answers for each row: float64 (n, n_outputs)."""
        matrix = self.plan_.transform(asks).astype(np.float32)
        value, offsets = self.arrays_["value"], self.arrays_["offsets"]
        total = np.zeros((matrix.shape[0], value.shape[1]))
        for number, offset in enumerate(offsets[:-1]):
            if self.grown_:
                leaf = self.grown_[number].apply(matrix) + offset
            else:
                leaf = _descend(self.arrays_, int(offset), matrix)
            total += value[leaf]
        return np.asarray(total / (offsets.size - 1))

    def save(self, folder: Path) -> Mapping[str, Any]:
        """Write ``forest.npz`` and the feature plan.

        Arrays over the nodes of all trees: ``feature`` (-1 at a leaf), ``threshold`` (left when
        float32(x) <= threshold), ``left`` and ``right`` (places in these arrays), ``value``
        (n_nodes, k); tree t starts at ``offsets[t]``.
        """
        self.plan_.save(folder)
        np.savez(folder / "forest.npz", allow_pickle=False, **self.arrays_)
        return {
            "engine": self.engine,
            "files": ["forest.npz"],
            "features": "features.json",
            "link": {"kind": "identity", "scale": 1.0, "shift": 0.0, "inverse": "none"},
        }

    @classmethod
    def load(cls, folder: Path, part: Mapping[str, Any]) -> Forest:
        """The inverse of :meth:`save`."""
        learner = cls()
        learner.plan_ = FeaturePlan.load(folder)
        with np.load(folder / "forest.npz", allow_pickle=False) as stored:
            learner.arrays_ = dict(stored)
        learner.grown_, learner.facts_ = [], {}
        return learner


def _flatten(grown: list[Any], history: History, classes: Array, smooth: float) -> dict[str, Array]:
    offsets = np.cumsum([0, *(tree.node_count for tree in grown)])
    k, n = history.n_outputs, history.target.size
    prior = np.full(k, 0.0)
    if history.form == "probabilities":
        counts = np.bincount(history.target.astype(np.int64), weights=history.weight, minlength=k)
        prior = (counts / counts.sum() * n + 1.0 / k) / (n + 1.0)
    per_row = 1.0 if history.weight is None else n / float(history.weight.sum())
    value = np.zeros((offsets[-1], k))
    for tree, offset in zip(grown, offsets[:-1], strict=True):
        leaves = np.flatnonzero(tree.children_left < 0)
        mean = tree.value[leaves, 0, :]
        if history.form == "values":
            value[offset + leaves] = mean
            continue
        full = np.zeros((leaves.size, k))
        full[:, classes.astype(np.int64)] = mean / mean.sum(axis=1, keepdims=True)
        rows = tree.weighted_n_node_samples[leaves, None] * per_row
        value[offset + leaves] = (rows * full + smooth * prior) / (rows + smooth)

    def joined(name: str) -> Array:
        parts = [getattr(tree, name) for tree in grown]
        moved = [np.where(p < 0, -1, p + o) for p, o in zip(parts, offsets[:-1], strict=True)]
        return np.concatenate(moved).astype(np.int32)

    feature = np.concatenate([tree.feature for tree in grown])
    return {
        "offsets": offsets.astype(np.int64),
        "feature": np.where(feature < 0, -1, feature).astype(np.int32),
        "threshold": np.concatenate([tree.threshold for tree in grown]),
        "left": joined("children_left"),
        "right": joined("children_right"),
        "value": value,
    }


def _descend(arrays: Mapping[str, Array], root: int, matrix: Array) -> Array:
    """The leaf of each row of ``matrix`` (n, d) in the tree that starts at ``root``."""
    at = np.full(matrix.shape[0], root, dtype=np.int64)
    moving = np.arange(at.size)
    while moving.size:
        node = at[moving]
        feature = arrays["feature"][node]
        moving, node, feature = (a[feature >= 0] for a in (moving, node, feature))
        left = matrix[moving, feature] <= arrays["threshold"][node]
        at[moving] = np.where(left, arrays["left"][node], arrays["right"][node])
    return at
