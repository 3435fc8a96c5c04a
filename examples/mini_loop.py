"""The whole loop of Everfit in about a hundred lines: read this before ``src/everfit/loop/run.py``.

Everything is here in small: a task that knows how wrong an answer is, learners that know no task,
evidence that sees only losses per row, stages that are plain functions, a ledger that only the loop
writes, and a release that needs a test to pass. Run it: ``python examples/mini_loop.py``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

Answer = Callable[[np.ndarray], np.ndarray]  # rows (n, d) -> probabilities of class 1 (n,)
Learner = Callable[[np.ndarray, np.ndarray], Answer]  # a history -> something that answers


# --- a task: how wrong is an answer, one loss per row, lower is better
def losses(p: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return -np.log(np.clip(np.where(truth == 1, p, 1 - p), 1e-15, 1.0))


# --- learners: the floor first, then a simple one, then a strong one; none knows the task's loss
def prior(x: np.ndarray, y: np.ndarray) -> Answer:
    share = float(y.mean())
    return lambda asks: np.full(len(asks), share)


def linear(x: np.ndarray, y: np.ndarray) -> Answer:
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)
    return lambda asks: fitted.predict_proba(asks)[:, 1]


def forest(x: np.ndarray, y: np.ndarray) -> Answer:
    fitted = ExtraTreesClassifier(100, min_samples_leaf=2, random_state=0).fit(x, y)
    return lambda asks: fitted.predict_proba(asks)[:, 1]


LEARNERS: dict[str, Learner] = {"prior": prior, "linear": linear, "forest": forest}


# --- evidence: arrays in, a range out; it has never heard of models
def paired_gain(new: np.ndarray, old: np.ndarray) -> tuple[float, float, float]:
    saved = old - new
    half = 1.96 * saved.std(ddof=1) / math.sqrt(len(saved))
    return saved.mean() - half, saved.mean(), saved.mean() + half


# --- records that travel between the stages
@dataclass(frozen=True)
class Assessment:
    folds: list[np.ndarray]
    findings: list[str]


@dataclass(frozen=True)
class Study:
    loss: dict[str, np.ndarray]  # out of fold, per row, in the same order for every learner
    winner: str


@dataclass(frozen=True)
class Decision:
    kind: str
    because: str


# --- the stages: plain functions of records
def assess(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> Assessment:
    constant = int((x.std(axis=0) == 0).sum())
    findings = [f"{constant} constant columns", f"{100 * y.mean():.0f}% of the rows are class 1"]
    return Assessment(np.array_split(rng.permutation(len(y)), 5), findings)


def study(x: np.ndarray, y: np.ndarray, assessment: Assessment) -> Study:
    loss = {name: np.zeros(len(y)) for name in LEARNERS}
    for asked in assessment.folds:  # fold by fold, so that it could stop after any of them
        history = np.setdiff1d(np.arange(len(y)), asked)
        for name, learner in LEARNERS.items():
            loss[name][asked] = losses(learner(x[history], y[history])(x[asked]), y[asked])
    return Study(loss, min(loss, key=lambda name: loss[name].mean()))


def release(found: Study) -> Decision:
    low, mid, high = paired_gain(found.loss[found.winner], found.loss["prior"])
    gain = f"{found.winner} saves {mid:.3f} (95% range {low:.3f} to {high:.3f}) per row"
    if low > 0:
        return Decision("released", f"{gain} against the floor; the limit is 0")
    return Decision("kept", f"{gain} against the floor; the range must lie above 0")


# --- the loop: calls the stages in order and writes the ledger; nobody else writes
def loop(x: np.ndarray, y: np.ndarray, seed: int = 0) -> tuple[Answer | None, list[str]]:
    ledger: list[str] = []
    assessment = assess(x, y, np.random.default_rng(seed))
    ledger.append("assessed: " + "; ".join(assessment.findings))
    found = study(x, y, assessment)
    ranked = sorted((float(v.mean()), name) for name, v in found.loss.items())
    ledger.append("studied: " + ", ".join(f"{name} {loss:.3f}" for loss, name in ranked))
    decision = release(found)
    ledger.append(f"{decision.kind}: {decision.because}")
    return (LEARNERS[found.winner](x, y) if decision.kind == "released" else None), ledger


if __name__ == "__main__":
    features, target = load_breast_cancer(return_X_y=True)
    model, story = loop(features, target)
    print(*story, sep="\n")
    if model is not None:
        print(f"the first row is class 1 with probability {model(features[:1])[0]:.3f}")
