"""Areas under the curve, against scikit-learn, the pairwise definition and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from everfit.evidence.auc import auc, auc_differences, auc_gain, auc_interval


def _scores(n: int, shift: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    y = np.arange(n) % 3 == 0
    return rng.normal(size=n) + shift * y, y


@pytest.mark.parametrize("decimals", [0, 1, 8])
def test_the_area_is_that_of_scikit_learn_with_and_without_ties(decimals):
    scores, y = _scores(300, 0.8, np.random.default_rng(0))

    assert auc(scores.round(decimals), y) == pytest.approx(roc_auc_score(y, scores.round(decimals)))


def test_delong_is_the_variance_of_placements_by_hand():
    scores, y = _scores(60, 0.8, np.random.default_rng(1))
    won = (scores[y][:, None] > scores[~y]) + 0.5 * (scores[y][:, None] == scores[~y])

    found = auc_interval(scores, y)

    area = won.mean()
    variance = won.mean(axis=1).var(ddof=1) / y.sum() + won.mean(axis=0).var(ddof=1) / (~y).sum()
    reach = 1.959964 * math.sqrt(variance) / (area * (1 - area))
    assert math.log(found.high / (1 - found.high)) - math.log(area / (1 - area)) == pytest.approx(
        reach, rel=1e-5
    )


def test_turning_the_scores_round_mirrors_the_area_and_its_range():
    scores, y = _scores(100, 0.5, np.random.default_rng(2))

    up, down = auc_interval(scores, y), auc_interval(-scores, y)

    assert (up.low, up.mid, up.high) == pytest.approx((1 - down.high, 1 - down.mid, 1 - down.low))


def test_the_range_holds_the_true_area():
    rng = np.random.default_rng(3)
    truth = 0.5 * (1 + math.erf(1.5 / 2))  # P(N(1.5, 2) > 0)

    held = [auc_interval(*_scores(90, 1.5, rng)).contains(truth) for _ in range(1000)]

    assert abs(np.mean(held) - 0.95) < 3 * math.sqrt(0.95 * 0.05 / 1000) + 0.005


def test_the_paired_gain_holds_no_difference_as_often_as_it_says():
    rng = np.random.default_rng(4)
    held = []
    for _ in range(1000):
        base, y = _scores(120, 1.0, rng)
        a, b = (base + rng.normal(0, 0.7, 120) for _ in range(2))
        held.append(auc_gain(a, b, y).contains(0.0))

    assert abs(np.mean(held) - 0.95) < 3 * math.sqrt(0.95 * 0.05 / 1000) + 0.005


def test_pairing_narrows_the_range_of_the_gain():
    rng = np.random.default_rng(5)
    base, y = _scores(400, 1.0, rng)
    a, b = (base + rng.normal(0, 0.1, 400) for _ in range(2))

    gain, alone = auc_gain(a, b, y), auc_interval(a, y)

    assert gain.high - gain.low < 0.5 * (alone.high - alone.low)
    assert gain.mid == pytest.approx(auc(a, y) - auc(b, y))


def test_perfect_separation_keeps_an_open_end():
    found = auc_interval([1, 2, 3, 4, 5, 6], [0, 0, 0, 1, 1, 1])

    assert (found.mid, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.025 ** (1 / 3))


def test_scores_that_rank_nothing_say_one_half():
    found = auc_interval([1.0] * 10, [0, 1] * 5)

    assert found.mid == 0.5
    assert found.low < 0.5 < found.high


@pytest.mark.parametrize("y", [[0, 0, 0], [1, 1, 1], []])
def test_one_class_has_no_area(y):
    scores = list(range(len(y)))

    assert math.isnan(auc(scores, y))
    assert auc_interval(scores, y).high == math.inf
    assert auc_gain(scores, scores, y).high == math.inf
    assert len(auc_differences(scores, scores, y, np.random.default_rng(0))) == 0


def test_one_positive_has_an_area_but_no_spread():
    found = auc_interval([1, 3, 2], [0, 0, 1])

    assert (found.low, found.mid, found.high) == (0.0, 0.5, 1.0)


@pytest.mark.parametrize("y_share", [3, 2])
def test_differences_per_positive_have_the_gain_as_their_mean(y_share):
    rng = np.random.default_rng(6)
    y = np.arange(300) % y_share == 0
    base = rng.normal(size=300)
    new, old = base + 1.5 * y, base + 0.5 * y

    draws = [auc_differences(new, old, y, np.random.default_rng(s)) for s in range(200)]

    assert np.mean([d.mean() for d in draws]) == pytest.approx(auc(new, y) - auc(old, y), abs=0.01)
    assert all((np.abs(d) <= 1).all() for d in draws)


def test_more_positives_than_negatives_leave_some_out():
    d = auc_differences([3, 4, 5, 1], [1, 1, 1, 1], [1, 1, 1, 0], np.random.default_rng(0))

    assert d.tolist() == [0.5]


def test_weights_count_as_they_do_in_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    positive = rng.random(300) < 0.4
    scores = np.round(rng.normal(size=300) + positive, 1)
    weight = rng.random(300)

    found = auc(scores, positive, weight=weight)

    assert found == pytest.approx(roc_auc_score(positive, scores, sample_weight=weight))
