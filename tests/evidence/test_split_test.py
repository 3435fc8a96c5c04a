"""Is a structured split needed? Found where rows leak, and not where they do not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from everfit.evidence.paired import corrected_gain
from everfit.evidence.split_test import split_gap, split_gap_rows


def _out_of_fold(group_effect: float, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Losses of a group-mean model (100 rows, 20 groups) under random and grouped folds."""
    group = np.repeat(np.arange(20), 5)
    y = group_effect * rng.normal(size=20)[group] + rng.normal(size=100)
    folds = {
        "random": rng.permutation(100) % 5,
        "grouped": (rng.permutation(20) % 5)[group],
    }
    losses: dict[str, np.ndarray] = {"group": group}
    for name, fold in folds.items():
        answer = np.zeros(100)
        for k in range(5):
            seen = fold != k
            sums = np.bincount(group[seen], weights=y[seen], minlength=20)
            counts = np.bincount(group[seen], minlength=20)
            overall = y[seen].mean()
            answer[fold == k] = ((sums + 2 * overall) / (counts + 2))[group[fold == k]]
        losses[name] = (y - answer) ** 2
        losses[name + "_folds"] = np.array([losses[name][fold == k].mean() for k in range(5)])
    return losses


def test_the_fold_test_is_the_corrected_t_of_structured_less_random():
    random, structured = [0.2, 0.25, 0.21, 0.3, 0.2], [0.3, 0.28, 0.25, 0.33, 0.31]

    found = split_gap(random, structured, test_share=0.2)

    expected = corrected_gain(np.subtract(structured, random), 0.2)
    assert (found.gap, found.p) == (expected.gain, expected.p)


def test_a_leak_through_groups_is_found():
    rng = np.random.default_rng(0)
    leaks = [_out_of_fold(2.0, rng) for _ in range(50)]

    by_rows = [_rows(leak).matters for leak in leaks]

    assert np.mean(by_rows) > 0.9
    assert np.mean([_folds(leak).matters for leak in leaks]) > 0.25
    assert all(_rows(leak).gap.mid > 0 for leak in leaks)


def test_without_a_leak_the_error_is_kept():
    rng = np.random.default_rng(1)
    clean = [_out_of_fold(0.0, rng) for _ in range(400)]

    limit = 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)
    assert np.mean([_rows(c).matters for c in clean]) <= limit
    assert np.mean([_folds(c).matters for c in clean]) <= limit


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_folds_or_groups_never_matter(n):
    assert not split_gap([0.1] * n, [0.9] * n, test_share=0.2).matters
    assert not split_gap_rows([0.1] * n, [0.9] * n, np.zeros(n), test_share=0.2).matters


def test_unequal_numbers_of_folds_are_cut_to_the_shorter():
    assert split_gap([0.1, 0.2, 0.1], [0.5, 0.6], test_share=0.2).n == 2


def _rows(losses: dict[str, np.ndarray]):
    return split_gap_rows(losses["random"], losses["grouped"], losses["group"], test_share=0.2)


def _folds(losses: dict[str, np.ndarray]):
    return split_gap(losses["random_folds"], losses["grouped_folds"], test_share=0.2)
