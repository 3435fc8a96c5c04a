"""How often do the 95% ranges of Everfit hold the true value? Simulations, larger than the tests.

    python bench/coverage.py                 all parts, about 10 minutes on one core
    python bench/coverage.py picked --runs 200
    python bench/coverage.py --seed 7 --runs 1000

Parts: ``picked`` (best of K models with known true losses), ``fitted`` (scikit-learn models over
feature subsets, true risk of the refitted winner from 100,000 fresh rows), ``folds``
(cross-validated mean loss against the true risk of the refitted model), ``looks`` (false promotions
over the years).
The share to expect is 0.95; a run count of N has a binomial error of sqrt(0.95*0.05/N).
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from everfit.evidence.interval import Interval
from everfit.evidence.paired import cv_interval
from everfit.evidence.promotion import loss_bound, verdict
from everfit.evidence.selection import selected_score

Array = NDArray[Any]
FOLDS = 5


def picked(runs: int, seed: int) -> Iterator[str]:
    """Best of K by its mean out-of-fold loss; the truth is the mean it was drawn with."""
    for n, k, spread, shared in (
        (300, 20, 0.0, 0.8), (300, 20, 1.0, 0.8), (300, 100, 1.0, 0.8), (300, 20, 3.0, 0.8),
        (300, 20, 0.0, 0.0), (300, 20, 1.0, 0.0), (300, 20, 3.0, 0.0), (1000, 50, 1.0, 0.9),
    ):  # fmt: skip
        held, naive, off = [], [], []
        for run in range(runs):
            rng = np.random.default_rng([seed, run])
            truth = 1 + spread * rng.standard_normal(k) / math.sqrt(n)
            noise = math.sqrt(shared) * rng.standard_normal((n, 1))
            losses = truth + noise + math.sqrt(1 - shared) * rng.standard_normal((n, k))
            choose, score = _by_mean(losses)
            found = selected_score(n, choose, score, n_boot=100, seed=run, test_share=0.0)
            best = int(losses.mean(axis=0).argmin())
            reach = 1.96 * losses[:, best].std(ddof=1) / math.sqrt(n)
            held.append(found.interval.contains(truth[best]))
            naive.append(abs(losses[:, best].mean() - truth[best]) <= reach)
            off.append((found.interval.mid - truth[best]) * math.sqrt(n))
        yield (
            f"picked  n {n:5} models {k:4} spread {spread:g} shared {shared:g}: "
            f"held {np.mean(held):.3f}, uncorrected {np.mean(naive):.3f}, "
            f"centre off by {np.mean(off):+.2f} standard errors"
        )


def _by_mean(losses: Array) -> tuple[Callable[[Array], int], Callable[[int, Array], float]]:
    def choose(rows: Array) -> int:
        return int(losses[rows].mean(axis=0).argmin())

    def score(j: int, rows: Array) -> float:
        return float(losses[rows, j].mean())

    return choose, score


def fitted(runs: int, seed: int) -> Iterator[str]:
    """scikit-learn models over random feature subsets, picked by log loss, AUC or root error."""
    for name, n, kind in (
        ("log loss", 200, "logistic"), ("log loss", 500, "logistic"), ("auc", 300, "logistic"),
        ("rmse", 300, "ridge"), ("log loss", 400, "trees"),
    ):  # fmt: skip
        count = max(20, runs // 4) if kind == "trees" else runs
        rows = [_fitted_once(name, n, kind, [seed, run]) for run in range(count)]
        held, naive, wide, off = (np.mean([row[i] for row in rows]) for i in range(4))
        yield (
            f"fitted  {kind:8} {name:8} n {n:4}: held {held:.3f}, uncorrected {naive:.3f}, "
            f"half-width {wide:.4f}, centre off by {off:+.4f} ({count} runs)"
        )


def _fitted_once(name: str, n: int, kind: str, seeds: list[int]) -> tuple[bool, bool, float, float]:
    rng, run = np.random.default_rng(seeds), seeds[-1]
    x, y = _table(n, rng, kind)
    fresh_x, fresh_y = _table(100_000, rng, kind)
    subsets = [np.sort(rng.choice(20, rng.integers(2, 12), replace=False)) for _ in range(20)]
    fold = rng.permutation(n) % FOLDS
    oof = np.zeros((n, len(subsets)))
    for j, columns in enumerate(subsets):
        for f in range(FOLDS):
            inside, outside = fold != f, fold == f
            model = _model(kind, run).fit(x[inside][:, columns], y[inside])
            oof[outside, j] = _answer(model, x[outside][:, columns])
    score = _scores()[name]
    better = 1.0 if name == "auc" else -1.0

    def choose(rows: Array) -> int:
        return int(np.argmax([better * score(oof[rows, j], y[rows]) for j in range(len(subsets))]))

    found = selected_score(
        n, choose, lambda j, rows: score(oof[rows, j], y[rows]), n_boot=60, seed=run,
        test_share=1 / FOLDS, strata=None if kind == "ridge" else y,
    )  # fmt: skip
    best = choose(np.arange(n))
    model = _model(kind, run).fit(x[:, subsets[best]], y)
    truth = score(_answer(model, fresh_x[:, subsets[best]]), fresh_y)
    boot = [score(oof[r, best], y[r]) for r in rng.integers(0, n, (60, n))]
    naive = abs(found.apparent - truth) <= 1.96 * float(np.std(boot))
    half = (found.interval.high - found.interval.low) / 2
    return found.interval.contains(truth), naive, half, found.interval.mid - truth


def folds(runs: int, seed: int) -> Iterator[str]:
    """The range of a cross-validated mean loss against the true risk of the model fitted on all."""
    for kind, n, done in (
        ("logistic", 100, 5), ("logistic", 200, 5), ("logistic", 500, 5), ("logistic", 500, 1),
        ("logistic", 500, 2), ("ridge", 100, 5), ("ridge", 300, 5), ("trees", 300, 5),
    ):  # fmt: skip
        count = max(20, runs // 2) if kind == "trees" else runs
        ours, rows_only, fold_t = [], [], []
        for run in range(count):
            rng = np.random.default_rng([seed, run])
            x, y = _table(n, rng, kind)
            fresh_x, fresh_y = _table(100_000, rng, kind)
            fold = rng.permutation(n) % FOLDS
            parts = []
            for f in range(done):
                model = _model(kind, run).fit(x[fold != f], y[fold != f])
                parts.append(_loss(kind, _answer(model, x[fold == f]), y[fold == f]))
            truth = float(
                _loss(kind, _answer(_model(kind, run).fit(x, y), fresh_x), fresh_y).mean()
            )
            ours.append(cv_interval(parts, n - n // FOLDS, n // FOLDS).contains(truth))
            rows_only.append(cv_interval(parts, n, 0).contains(truth))
            fold_t.append(_nadeau_bengio([float(p.mean()) for p in parts]).contains(truth))
        yield (
            f"folds   {kind:8} n {n:4} folds done {done}: held {np.mean(ours):.3f}, "
            f"rows only {np.mean(rows_only):.3f}, Nadeau-Bengio on fold means {np.mean(fold_t):.3f}"
        )


def looks(runs: int, seed: int) -> Iterator[str]:
    """P(any false promotion) over 10 challengers, each looked at 10 times, none of them better."""
    for loss, draw in (("0-1 loss", _discordant), ("squared error, heavy tails", _heavy)):
        ours, peeked = 0, 0
        for run in range(runs):
            rng = np.random.default_rng([seed, run])
            any_ours = any_t = False
            for k in range(1, 11):
                before = draw(500, rng)[1]
                new, old = draw(2000, rng)
                for seen in range(200, 2001, 200):
                    found = verdict(
                        new[:seen], old[:seen], alpha=0.05, looks=k, bound=loss_bound(before)
                    )
                    any_ours |= found.answer == "better"
                    gain = old[:seen] - new[:seen]
                    any_t |= gain.mean() > 1.96 * gain.std(ddof=1) / math.sqrt(seen)
            ours += any_ours
            peeked += any_t
        yield (
            f"looks   {loss}: any false promotion {ours / runs:.3f} (limit 0.05), "
            f"peeked t-test {peeked / runs:.3f}"
        )


def _discordant(n: int, rng: np.random.Generator) -> tuple[Array, Array]:
    old = (rng.random(n) < 0.2).astype(float)
    new = np.where(rng.random(n) < 0.4, rng.random(n) < 0.2, old).astype(float)
    return new, old


def _heavy(n: int, rng: np.random.Generator) -> tuple[Array, Array]:
    shared = rng.standard_t(4, n)
    both = [(shared + 0.3 * rng.standard_normal(n)) ** 2 for _ in range(2)]
    return both[0], both[1]


def _nadeau_bengio(means: list[float]) -> Interval:
    from scipy.stats import t as student

    count = len(means)
    if count < 2:
        return Interval(-math.inf, means[0], math.inf)
    error = float(np.std(means, ddof=1)) * math.sqrt(1 / count + 1 / (FOLDS - 1))
    reach = float(student.ppf(0.975, count - 1)) * error
    middle = float(np.mean(means))
    return Interval(middle - reach, middle, middle + reach)


def _table(n: int, rng: np.random.Generator, kind: str) -> tuple[Array, Array]:
    x = rng.standard_normal((n, 20))
    signal = x[:, :8] @ np.array([1.0, -0.8, 0.6, 0.5, -0.4, 0.3, 0.2, 0.2])
    if kind == "ridge":
        return x, signal + 1.5 * rng.standard_normal(n)
    return x, (rng.random(n) < 1 / (1 + np.exp(-signal + 0.5))).astype(float)


def _model(kind: str, seed: int) -> Any:
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.linear_model import LogisticRegression, Ridge

    if kind == "ridge":
        return Ridge(alpha=1.0)
    if kind == "trees":
        return ExtraTreesClassifier(30, min_samples_leaf=3, random_state=seed)
    return LogisticRegression(C=10.0)


def _answer(model: Any, x: Array) -> Array:
    if hasattr(model, "predict_proba"):
        return np.asarray(model.predict_proba(x)[:, 1])
    return np.asarray(model.predict(x))


def _loss(kind: str, answer: Array, y: Array) -> Array:
    if kind == "ridge":
        return (answer - y) ** 2
    p = np.clip(np.where(y > 0.5, answer, 1 - answer), 1e-4, 1)
    return np.asarray(-np.log(p))


def _scores() -> dict[str, Callable[[Array, Array], float]]:
    from everfit.evidence.auc import auc

    return {
        "log loss": lambda a, y: float(_loss("logistic", a, y).mean()),
        "auc": lambda a, y: auc(a, y > 0.5),
        "rmse": lambda a, y: math.sqrt(float(((a - y) ** 2).mean())),
    }


PARTS = {"picked": picked, "fitted": fitted, "folds": folds, "looks": looks}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("part", nargs="?", choices=[*PARTS, "all"], default="all")
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for name in PARTS if given.part == "all" else [given.part]:
        for line in PARTS[name](given.runs, given.seed):
            print(line, flush=True)


if __name__ == "__main__":
    main()
