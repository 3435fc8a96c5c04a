"""One weight a feature: logistic regression for probabilities, ridge for numbers."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from everfit.data.table import Table
from everfit.encoders.table import FeaturePlan
from everfit.learners.contract import FitBudget, History
from everfit.learners.link import bounds_of, encode, link_of, smearing, to_answers, to_raw
from everfit.learners.rounds import Slot, check, held_back
from everfit.records import Array, Form

# scikit-learn's C, strong penalty first
STRENGTHS = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0)
CHUNK = 30  # steps of the optimiser between two looks at the clock; each look costs its memory
MOST_STEPS = 150  # five looks; a line that has not settled by then is too wide for its rows
SEARCH_ROWS = 4_000  # rows on which penalties are compared: the loss is flat around the best one


class Linear:
    """A penalised line on the dense view, its penalty found inside the history.

    Ridge: the penalty with the smallest generalised cross-validation error, in closed form
    (Golub, Heath and Wahba 1979). Logistic: a path of penalties on held-back rows.

    Parameters
    ----------
    strength : C of scikit-learn (logistic) or ridge's penalty a row; None finds it
    target : "log" learns log1p of a number
    """

    name: str = "linear"
    engine: ClassVar[str] = "linear"
    forms: tuple[Form, ...] = ("probabilities", "values")

    def __init__(self, *, strength: float | None = None, target: str = "plain") -> None:
        self.strength, self.target = strength, target

    def fit(self, history: History, budget: FitBudget) -> Linear:
        """Find the penalty, then fit all rows.

        Raises
        ------
        LearnerFailed : nothing can be learnt, or a single pass does not fit the time
        """
        from threadpoolctl import threadpool_limits

        slot = Slot(budget)
        check(history)
        with threadpool_limits(budget.threads):
            self.plan_, matrix = encode(history, "dense")
            self.link_ = link_of(history, self.target)
            if history.form == "values":
                self._fit_ridge(history, matrix, slot)
            else:
                self._fit_logistic(history, matrix, slot)
        return self

    def _fit_ridge(self, history: History, matrix: Array, slot: Slot) -> None:
        n, d = matrix.shape
        slot.need(3e-10 * n * d * d + 1e-9 * d**3, f"an equation of {d} features")
        raw = to_raw(history.target, self.link_)
        coef, intercept, strength = ridge(matrix, raw, history.weight, self.strength)
        self.coef_, self.intercept_ = coef[:, None], np.array([intercept])
        self.bounds_: tuple[float, float] | None = bounds_of(history.target)
        if self.target == "log":
            # in-sample residuals are near enough: the penalty keeps a line from fitting noise
            scores = matrix @ coef + intercept
            self.link_["shift"] += smearing(scores, history.target, self.link_, history.weight)
        self.facts_: Mapping[str, Any] = {
            "stopped": "end",
            "features": d,
            "strength": strength,
            "settings": {},
        }

    def _fit_logistic(self, history: History, matrix: Array, slot: Slot) -> None:
        k, n = history.n_outputs, matrix.shape[0]
        slot.need(1e-8 * CHUNK * matrix.size * (1 if k == 2 else k), "ten steps")
        target, weight = history.target.astype(np.int64), history.weight
        strength, stopped = self.strength, "end"
        if strength is None:
            pairs = held_back(matrix, history)
            strength = _search(matrix, history, pairs[0], slot) if pairs else 1.0
        path = _Path(k, slot)
        if not path.fit(matrix, target, weight, strength, until=0.0):
            stopped = "time"
        self.coef_, self.intercept_ = path.coef, path.intercept
        _add_absent(self.intercept_, matrix @ self.coef_, target, k)
        self.bounds_ = None
        self.facts_ = {
            "stopped": stopped,
            "features": matrix.shape[1],
            "strength": strength,
            "rows": n,
            "settings": {"strength": strength},
        }

    def answer(self, asks: Table) -> Array:
        """Answers for each row: float64 (n, n_outputs)."""
        raw = self.plan_.transform(asks) @ self.coef_ + self.intercept_
        return to_answers(raw, self.link_, self.bounds_)

    def save(self, folder: Path) -> Mapping[str, Any]:
        """Write ``linear.npz`` (coef (d, k), intercept (k,)) and the feature plan."""
        self.plan_.save(folder)
        np.savez(folder / "linear.npz", coef=self.coef_, intercept=self.intercept_)
        part: dict[str, Any] = {
            "engine": self.engine,
            "files": ["linear.npz"],
            "features": "features.json",
            "link": dict(self.link_),
        }
        return part if self.bounds_ is None else part | {"range": list(self.bounds_)}

    @classmethod
    def load(cls, folder: Path, part: Mapping[str, Any]) -> Linear:
        """The inverse of :meth:`save`."""
        learner = cls()
        with np.load(folder / "linear.npz", allow_pickle=False) as stored:
            learner.coef_, learner.intercept_ = stored["coef"], stored["intercept"]
        learner.plan_, learner.link_ = FeaturePlan.load(folder), dict(part["link"])
        learner.bounds_ = (part["range"][0], part["range"][1]) if "range" in part else None
        learner.facts_ = {}
        return learner


def ridge(
    matrix: Array, raw: Array, weight: Array | None, strength: float | None = None
) -> tuple[Array, float, float]:
    """Ridge with its penalty by generalised cross-validation: coefficients, intercept, penalty.

    With X = U S V', the penalty a row l minimises n RSS(l) / (n - 1 - sum s^2 / (s^2 + n l))^2.
    Only X'X is decomposed, so the cost is n d^2 + d^3.

    Examples
    --------
    >>> x = np.arange(20.0)[:, None]
    >>> coef, intercept, _ = ridge(x, 3.0 * x[:, 0] + 1.0, None)
    >>> round(float(coef[0]), 3), round(intercept, 2)
    (3.0, 1.0)
    """
    n = raw.size
    w = np.ones(n) if weight is None else weight * n / weight.sum()
    centre, middle = np.average(matrix, axis=0, weights=w), float(np.average(raw, weights=w))
    x, y = matrix - centre, raw - middle
    gram = x.T @ (x * w[:, None])
    along, vectors = np.linalg.eigh(gram)
    along = np.maximum(along, 0.0)
    moment = vectors.T @ (x.T @ (w * y))
    total = float(np.sum(w * y * y))

    def error(penalty: float) -> float:
        shrunk = moment / (along + n * penalty)
        rss = total - 2 * float(shrunk @ moment) + float(shrunk**2 @ along)
        free = n - 1.0 - float(np.sum(along / (along + n * penalty)))
        return max(rss, 0.0) / max(free, 1e-3) ** 2

    grid = np.logspace(-7, 2, 28)
    best = strength or float(min(grid[::-1], key=error))
    coef = vectors @ (moment / (along + n * best))
    return coef, middle - float(centre @ coef), best


class _Path:
    """Logistic fits along a path of penalties, each started from the last, in small steps."""

    def __init__(self, k: int, slot: Slot) -> None:
        self._k, self._slot = k, slot
        self._model: Any = None
        self.coef, self.intercept = np.zeros((0, 0)), np.zeros(0)

    def fit(
        self, matrix: Array, target: Array, weight: Array | None, strength: float, *, until: float
    ) -> bool:
        """Fit one penalty until ``until`` seconds are left; whether it converged."""
        from sklearn.linear_model import LogisticRegression

        if self._model is None:
            self._model = LogisticRegression(max_iter=CHUNK, warm_start=True, tol=1e-4)
        self._model.C = strength
        slot, done = self._slot, False
        with warnings.catch_warnings():
            # a chunk that ends before convergence is the plan, not news
            warnings.simplefilter("ignore")
            for _ in range(MOST_STEPS // CHUNK):
                began = slot.spent()
                self._model.fit(matrix, target, sample_weight=weight)
                done = bool(np.max(self._model.n_iter_) < CHUNK)
                if done or slot.left() - until < 1.2 * (slot.spent() - began):
                    break
        self._spread()
        return done

    def _spread(self) -> None:
        """Coefficients for all k classes, also those that these rows lack."""
        found, coef = self._model.classes_, self._model.coef_
        intercept = self._model.intercept_
        if self._k == 2:
            self.coef, self.intercept = coef.T.copy(), intercept.copy()
            return
        if found.size == 2:
            # sigmoid(z) equals a softmax over (0, z)
            coef = np.vstack([np.zeros_like(coef), coef])
            intercept = np.append(0.0, intercept)
        self.coef, self.intercept = np.zeros((coef.shape[1], self._k)), np.full(self._k, -np.inf)
        self.coef[:, found], self.intercept[found] = coef.T, intercept


def _search(matrix: Array, history: History, pair: tuple[Array, Array], slot: Slot) -> float:
    """The penalty with the smallest log loss on held-back rows."""
    (fitted, back), k = pair, history.n_outputs
    target, weight = history.target.astype(np.int64), history.weight
    rng = np.random.default_rng(history.seed)
    fitted = rng.permutation(fitted)[:SEARCH_ROWS]
    path, share = _Path(k, slot), 0.6 * slot.left()
    best, best_loss, worse = 1.0, np.inf, 0
    until = slot.left() - share
    link = {"kind": "sigmoid" if k == 2 else "softmax"}
    for strength in STRENGTHS:
        part = None if weight is None else weight[fitted]
        path.fit(matrix[fitted], target[fitted], part, strength, until=until)
        p = to_answers(matrix[back] @ path.coef + path.intercept, link, None)
        losses = -np.log(np.maximum(p[np.arange(back.size), target[back]], 1e-15))
        loss = float(np.average(losses, weights=None if weight is None else weight[back]))
        best, best_loss, worse = (
            (strength, loss, 0) if loss < best_loss else (best, best_loss, worse + 1)
        )
        if worse == 2 or slot.left() <= until:
            break
    return best


def _add_absent(intercept: Array, scores: Array, target: Array, k: int) -> None:
    """Give classes that no row had half a row's worth of probability, in place."""
    absent = np.isneginf(intercept)
    if absent.any():
        raw = scores[:, ~absent] + intercept[~absent]
        top = raw.max(axis=1)
        total = top + np.log(np.exp(raw - top[:, None]).sum(axis=1))
        intercept[absent] = float(np.median(total)) + np.log(0.5 / target.size / absent.sum())
