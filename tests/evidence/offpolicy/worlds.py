"""A small world of contexts and actions, in which every policy's value is known."""

from __future__ import annotations

import itertools

import numpy as np

from everfit.evidence.offpolicy.logged import Logged

# three contexts of these shares, three actions; the mean reward of each
CONTEXTS = np.array([0.5, 0.25, 0.25])
MEANS = np.array([[0.1, 0.5, 0.9], [0.3, 0.2, 0.4], [0.8, 0.1, 0.2]])
LOGGING = np.array([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.25, 0.25, 0.5]])
TARGET = np.array([[0.0, 0.25, 0.75], [0.5, 0.0, 0.5], [1.0, 0.0, 0.0]])


def worth(policy: np.ndarray, means: np.ndarray = MEANS) -> float:
    """The true mean reward of a policy."""
    return float(CONTEXTS @ (policy * means).sum(axis=1))


def every(model: np.ndarray | None = None) -> Logged:
    """Each context and action as often as the logging policy meets it: 16 decisions."""
    rows = [
        (x, a)
        for x, a in itertools.product(range(3), range(3))
        for _ in range(round(16 * CONTEXTS[x] * LOGGING[x, a]))
    ]
    x, a = np.array(rows).T
    return log(x, a, MEANS[x, a], model)


def drawn(n: int, seed: int, model: np.ndarray | None = None) -> Logged:
    """``n`` decisions of the logging policy with rewards of 0 and 1."""
    rng = np.random.default_rng(seed)
    x = rng.choice(3, n, p=CONTEXTS)
    a = (rng.random(n)[:, None] > np.cumsum(LOGGING[x], axis=1)).sum(axis=1)
    return log(x, a, (rng.random(n) < MEANS[x, a]).astype(float), model)


def log(x: np.ndarray, a: np.ndarray, reward: np.ndarray, model: np.ndarray | None) -> Logged:
    if model is None:
        return Logged.of(reward, LOGGING[x, a], TARGET[x, a])
    return Logged.of(
        reward,
        LOGGING[x, a],
        TARGET[x, a],
        predicted=model[x, a],
        expected=(TARGET * model).sum(axis=1)[x],
    )
