"""Nested folds: by brute force, and the coverage of the true risk that plain folds miss."""

from __future__ import annotations

import math

import numpy as np
import pytest

from everfit.errors import UsageError
from everfit.evidence.offline.nested import nested_interval


def test_one_split_is_what_the_definition_says():
    # refits for every outer and inner fold by themselves, twice as many as are needed
    rng = np.random.default_rng(0)
    y = rng.gamma(2.0, size=47)

    def losses_of(train, test):
        return (y[test] - y[train].mean()) ** 2

    found = nested_interval(47, losses_of, n_folds=5, repeats=1, seed=3)

    fold = np.random.default_rng(3).permutation(47) % 5
    gap, noise, inner, plain = [], [], [], np.zeros(47)
    for k in range(5):
        outside = np.flatnonzero(fold == k)
        plain[outside] = losses_of(np.flatnonzero(fold != k), outside)
        inside = [
            losses_of(np.flatnonzero((fold != k) & (fold != j)), np.flatnonzero(fold == j))
            for j in range(5)
            if j != k
        ]
        inner.append(np.concatenate(inside).mean())
        gap.append((inner[-1] - plain[outside].mean()) ** 2)
        noise.append(plain[outside].var(ddof=1) / len(outside))
    error = plain.std(ddof=1) / math.sqrt(47)
    inflation = math.sqrt(max(np.mean(gap) - np.mean(noise), 0) * 4 / 5) / error
    inflation = max(1.0, min(inflation, math.sqrt(5)))
    bias = 1.6 * (np.mean(inner) - plain.mean())
    assert found.inflation == pytest.approx(inflation)
    assert found.bias == pytest.approx(bias)
    assert found.interval.mid == pytest.approx(np.mean(inner) - bias)
    reach = 1.959963984540054 * error * inflation
    assert found.interval.high - found.interval.mid == pytest.approx(reach)
    assert found.plain.mid == pytest.approx(plain.mean())


def test_the_range_is_never_narrower_than_the_plain_one_nor_wider_than_sqrt_of_folds():
    rng = np.random.default_rng(1)
    for seed in range(20):
        y = rng.normal(size=40)
        found = nested_interval(
            40, lambda a, b, y=y: (y[b] - y[a].mean()) ** 2, n_folds=4, repeats=1, seed=seed
        )
        wide = found.interval.high - found.interval.low
        plain = found.plain.high - found.plain.low
        assert plain * (1 - 1e-9) <= wide <= plain * 2 * (1 + 1e-9)


def test_a_loss_that_is_always_the_same_gives_a_point():
    found = nested_interval(20, lambda train, test: np.full(len(test), 0.5), n_folds=4, repeats=2)

    assert (found.interval.low, found.interval.high, found.inflation) == (0.5, 0.5, 1.0)


@pytest.mark.parametrize(("n", "n_folds"), [(20, 2), (5, 4), (0, 10)])
def test_folds_that_cannot_be_nested_are_refused(n, n_folds):
    with pytest.raises(UsageError, match="nested folds"):
        nested_interval(n, lambda train, test: np.zeros(len(test)), n_folds=n_folds)


def test_every_row_is_asked_about_by_fits_that_did_not_see_it():
    def losses_of(train, test):
        assert not set(train) & set(test)
        return np.ones(len(test))

    assert nested_interval(30, losses_of, n_folds=3, repeats=1).interval.mid == 1.0


def test_the_range_holds_the_risk_of_the_refitted_model_where_the_plain_one_is_too_narrow():
    # least squares with 12 features on 40 rows; the true risk of a fit b is 1 + |b|^2
    rng = np.random.default_rng(2)
    held = plain = 0
    runs = 150
    for run in range(runs):
        x, y = rng.normal(size=(40, 12)), rng.normal(size=40)
        found = nested_interval(
            40, lambda a, b, x=x, y=y: (y[b] - x[b] @ _fit(x[a], y[a])) ** 2,
            n_folds=5, repeats=6, seed=run, level=0.9,
        )  # fmt: skip
        truth = 1 + float((_fit(x, y) ** 2).sum())
        held += found.interval.contains(truth)
        plain += found.plain.contains(truth)

    assert plain / runs < 0.84
    assert held / runs >= 0.9 - 3 * math.sqrt(0.9 * 0.1 / runs)
    assert held > plain


def _fit(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.linalg.solve(x.T @ x, x.T @ y)
