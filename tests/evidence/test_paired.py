"""Paired gains and cross-validated ranges, against scipy, closed forms and known true risks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from everfit.errors import UsageError
from everfit.evidence.paired import (
    corrected_gain,
    cv_interval,
    differences,
    finite_losses,
    paired_gain,
    paired_p,
    share_to_ratio,
    training_inflation,
)

NAN = float("nan")


def test_the_paired_gain_is_scipys_paired_t():
    rng = np.random.default_rng(0)
    old, new = rng.gamma(2.0, size=50), rng.gamma(1.8, size=50)

    gain = paired_gain(new, old, alpha=0.1)

    expected = stats.ttest_rel(old, new)
    low, high = expected.confidence_interval(0.9)
    assert (gain.low, gain.high) == pytest.approx((low, high))
    greater = stats.ttest_rel(old, new, alternative="greater").pvalue
    assert paired_p(new, old) == pytest.approx(greater)


def test_swapping_the_models_mirrors_the_gain():
    rng = np.random.default_rng(1)
    a, b = rng.random(30), rng.random(30)

    there, back = paired_gain(a, b), paired_gain(b, a)

    assert (there.low, there.mid, there.high) == pytest.approx((-back.high, -back.mid, -back.low))


def test_a_missing_loss_counts_as_the_worst_for_the_model_that_failed():
    new, old = [0.1, NAN, math.inf, 0.1], [0.2, 0.3, 0.9, NAN]

    found = differences(new, old)

    assert found.tolist() == pytest.approx([0.1, 0.3 - 0.9, 0.0, 0.8])


def test_the_worst_loss_has_a_floor_when_every_finite_loss_is_small():
    (found,) = finite_losses([0.0, NAN], worst=1.0)

    assert found.tolist() == [0.0, 1.0]


def test_losses_of_other_units_are_refused():
    with pytest.raises(UsageError, match="same units"):
        paired_gain([0.1, 0.2], [0.1])


def test_groups_widen_the_range_when_rows_hang_together():
    rng = np.random.default_rng(2)
    group = np.repeat(np.arange(20), 10)
    old = rng.random(200)
    new = old - 0.1 - 0.2 * rng.normal(size=20)[group]

    alone, together = paired_gain(new, old), paired_gain(new, old, groups=group)

    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_the_corrected_t_is_its_formula():
    d = np.array([0.02, 0.03, -0.01, 0.02, 0.04])

    found = corrected_gain(d, 0.2)

    error = d.std(ddof=1) * math.sqrt(1 / 5 + 0.25)
    assert found.t == pytest.approx(d.mean() / error)
    assert found.p == pytest.approx(stats.t.sf(d.mean() / error, 4))
    assert found.gain.high - found.gain.mid == pytest.approx(stats.t.ppf(0.975, 4) * error)
    assert found.freedom == 4


@pytest.mark.parametrize(
    ("d", "p", "t"),
    [([], 1.0, 0.0), ([0.1], 1.0, 0.0), ([0.0] * 5, 1.0, 0.0), ([0.1] * 5, 0.0, math.inf),
     ([-0.1] * 5, 1.0, -math.inf)],
)  # fmt: skip
def test_few_or_equal_fold_differences_have_a_defined_answer(d, p, t):
    found = corrected_gain(d, 0.2)

    assert (found.p, found.t) == (p, t)


def test_the_corrected_t_keeps_its_error_on_repeated_cross_validation_and_the_naive_does_not():
    # two learners of equal true risk: each predicts the mean of one of two exchangeable halves
    rng = np.random.default_rng(3)
    corrected, naive = 0, 0
    for _ in range(400):
        data = rng.normal(size=(80, 2))
        d = []
        for _repeat in range(4):
            fold = rng.permutation(80) % 5
            for k in range(5):
                centre = data[fold != k].mean(axis=0)
                loss = (data[fold == k] - centre) ** 2
                d.append(loss[:, 0].mean() - loss[:, 1].mean())
        corrected += corrected_gain(d, 0.2).p < 0.05
        naive += stats.ttest_1samp(d, 0, alternative="greater").pvalue < 0.05

    assert corrected / 400 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)
    assert naive / 400 > 0.12


def test_share_and_ratio():
    assert share_to_ratio(0.2) == pytest.approx(0.25)
    with pytest.raises(UsageError, match="test share"):
        share_to_ratio(1.0)


def test_models_that_ship_as_judged_need_no_inflation():
    assert training_inflation(0.0, 50) == 1.0
    assert training_inflation(0.25, 10**9) == pytest.approx(1.25)


def test_the_cross_validated_range_is_centred_on_the_mean_of_all_rows():
    parts = [np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.5]), np.array([])]

    found = cv_interval(parts, 4, 2)

    assert found.mid == pytest.approx(np.mean([1, 2, 3, 2, 2.5]))
    assert found.n == 5


def test_fewer_finished_folds_only_widen_the_range():
    rng = np.random.default_rng(4)
    parts = [rng.gamma(2.0, size=200) for _ in range(5)]

    widths = [cv_interval(parts[:k], 800, 200) for k in (1, 2, 5)]

    wide = [w.high - w.low for w in widths]
    assert wide[0] > wide[1] > wide[2]
    assert wide[0] / wide[2] < 3


def test_folds_that_really_differ_widen_the_range():
    rng = np.random.default_rng(5)
    alike = [rng.normal(1.0, 0.1, 100) for _ in range(5)]
    apart = [part + shift for part, shift in zip(alike, (-0.4, 0.3, 0.0, 0.5, -0.4), strict=True)]

    one, other = cv_interval(alike, 400, 100), cv_interval(apart, 400, 100)

    assert other.high - other.low > 5 * (one.high - one.low)


def test_no_rows_or_one_row_leave_the_range_open():
    assert cv_interval([], 4, 1).n == 0
    assert math.isnan(cv_interval([[], []], 4, 1).mid)
    assert cv_interval([[0.5]], 4, 1).high == math.inf


@pytest.mark.parametrize(("n", "features", "folds"), [(150, 5, 5), (300, 15, 5), (300, 5, 1)])
def test_the_cross_validated_range_holds_the_risk_of_the_refitted_model(n, features, folds):
    held = _coverage(n, features, folds, runs=500)

    assert held + 2 * math.sqrt(0.05 * 0.95 / 500) >= 0.93
    assert held >= 0.92
    assert held <= 0.995


def test_rows_alone_are_too_narrow_for_small_data():
    # the mutation: without the inflation the simulation above has to fail
    assert _coverage(60, 12, 5, runs=400, plain=True) < 0.91
    assert _coverage(60, 12, 5, runs=400) > 0.92


def _coverage(n: int, features: int, folds: int, *, runs: int, plain: bool = False) -> float:
    """Least squares on normal data, whose true risk is 1 + |coefficients off|^2."""
    rng = np.random.default_rng(6)
    held = 0
    for _ in range(runs):
        x = rng.normal(size=(n, features))
        y = rng.normal(size=n)
        fold = rng.permutation(n) % 5
        parts = []
        for k in range(folds):
            inside, outside = fold != k, fold == k
            b = _fit(x[inside], y[inside])
            parts.append((y[outside] - x[outside] @ b) ** 2)
        truth = 1 + float((_fit(x, y) ** 2).sum())
        shares = (n, 0) if plain else (n - n // 5, n // 5)
        held += cv_interval(parts, *shares).contains(truth)
    return held / runs


def _fit(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.linalg.solve(x.T @ x, x.T @ y)
