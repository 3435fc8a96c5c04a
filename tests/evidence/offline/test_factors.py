"""Factor tests: means by hand, closed forms, what cannot be told apart, and the promised error."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from everfit.errors import UsageError
from everfit.evidence.offline.factors import factor_effects
from everfit.evidence.paired import corrected_gain

GRID = [
    {"learner": a, "features": b, "depth": c}
    for a, b, c in itertools.product("xy", "uvw", (2, 4))
]  # fmt: skip


def table(rng, n_folds: int = 30, noise: float = 0.02) -> np.ndarray:
    shared = rng.normal(0, 0.05, (n_folds, 1))
    return 0.5 + shared + rng.normal(0, noise, (n_folds, len(GRID)))


def column(name: str, level: object) -> np.ndarray:
    return np.array([s[name] == level for s in GRID])


def test_marginal_means_are_plain_means_in_a_full_design():
    losses = table(np.random.default_rng(0))

    found = {e.factors: e for e in factor_effects(GRID, losses, 0.1)}

    level = next(v for v in found["features",].levels if v.name == "v")
    by_fold = losses[:, column("features", "v")].mean(axis=1)
    assert level.loss.mid == pytest.approx(by_fold.mean())
    assert level.loss.high == pytest.approx(corrected_gain(by_fold, 0.1).gain.high)
    assert level.effect.mid == pytest.approx(by_fold.mean() - losses.mean())
    assert sum(v.effect.mid for v in found["features",].levels) == pytest.approx(0.0, abs=1e-12)


def test_a_factor_of_two_levels_is_the_corrected_t_of_its_difference():
    losses = table(np.random.default_rng(1))
    losses[:, column("learner", "y")] -= 0.01

    found = {e.factors: e for e in factor_effects(GRID, losses, 0.1)}

    d = losses[:, column("learner", "x")].mean(axis=1) - losses[:, column("learner", "y")].mean(1)
    one = corrected_gain(d, 0.1)
    assert found["learner",].f == pytest.approx(one.t**2)
    assert found["learner",].p == pytest.approx(2 * min(one.p, 1 - one.p))
    assert found["learner",].freedom == (1, 29)


def test_what_matters_is_found_with_its_interaction_and_nothing_else():
    losses = table(np.random.default_rng(2), n_folds=50)
    losses[:, column("learner", "y")] -= 0.05
    losses[:, column("learner", "y") & column("depth", 4)] += 0.04
    losses[:, column("learner", "x") & column("depth", 2)] += 0.04

    found = factor_effects(GRID, losses, 0.1, order=2)

    assert {e.factors for e in found if e.p_adjusted < 0.05} == {("learner",), ("learner", "depth")}
    assert len(found) == 6
    assert found[0].omega2 > 0.5
    assert found[-1].omega2 < 0.1
    assert found[0].p <= found[1].p <= found[2].p


def test_half_of_a_design_gives_the_same_means_when_effects_are_plain():
    settings = [{"a": a, "b": b, "c": a ^ b} for a in (0, 1) for b in (0, 1)]
    noise = np.random.default_rng(3).normal(0, 0.01, (25, 1))
    losses = noise + np.array([0.1 * s["a"] - 0.2 * s["b"] + 0.3 * s["c"] for s in settings])

    found = {e.factors[0]: e for e in factor_effects(settings, losses, 0.2)}

    spans = {name: e.levels[1].effect.mid - e.levels[0].effect.mid for name, e in found.items()}
    assert spans == pytest.approx({"a": 0.1, "b": -0.2, "c": 0.3})


def test_factors_that_change_together_are_refused_by_name():
    settings = [{"a": i, "b": i, "c": j} for i in (0, 1) for j in (0, 1)]

    with pytest.raises(UsageError, match="told apart") as caught:
        factor_effects(settings, np.random.default_rng(4).normal(size=(9, 4)), 0.2)

    assert "a, b change together" in caught.value.got


def test_interactions_of_half_a_design_are_refused():
    settings = [{"a": a, "b": b, "c": a ^ b} for a in (0, 1) for b in (0, 1)]

    with pytest.raises(UsageError, match="told apart") as caught:
        factor_effects(settings, np.ones((9, 4)), 0.2, order=2)

    assert "order=1" in caught.value.do


@pytest.mark.parametrize(
    "settings", [[{"a": 1}], [{"a": 1}, {"b": 2}, {"a": 1}], [{"a": 1, "b": 1}, {"a": 2}, {"a": 3}]]
)
def test_settings_that_do_not_fit_the_losses_are_refused(settings):
    with pytest.raises(UsageError, match="do not fit"):
        factor_effects(settings, np.ones((5, 3)), 0.2)


def test_a_factor_with_one_level_is_left_out_and_a_failed_fold_counts_as_worst():
    settings = [{"a": level, "same": 1} for level in (0, 1, 2)]
    losses = np.random.default_rng(5).normal(0.5, 0.01, (12, 3))
    losses[0, 2] = math.nan

    (found,) = factor_effects(settings, losses, 0.1)

    assert found.factors == ("a",)
    worst = np.nanmax(losses)
    assert found.levels[2].loss.mid == pytest.approx(
        np.where(np.isnan(losses[:, 2]), worst, losses[:, 2]).mean()
    )


def test_the_size_of_an_effect_is_near_the_true_share():
    # one contrast with mean 0.5 sd: 0.25 / 1.25 of the variance
    rng = np.random.default_rng(6)
    sizes = []
    for _ in range(200):
        d = rng.normal(0.5, 1.0, 100)
        (found,) = factor_effects([{"a": 0}, {"a": 1}], np.column_stack([0 * d, d]), 0.0)
        sizes.append(found.omega2)

    assert np.mean(sizes) == pytest.approx(0.2, abs=0.01)


def test_equal_levels_are_seldom_called_different_where_plain_folds_often_do():
    # three copies of a rule, each on an own feature of equal worth, 5 times 5 folds
    rng = np.random.default_rng(7)
    runs, rejected, naive = 300, 0, 0
    settings = [{"feature": k} for k in range(3)]
    for _ in range(runs):
        losses = _cross_validated(rng)
        rejected += factor_effects(settings, losses, 0.2)[0].p < 0.05
        c = losses[:, :2] - losses[:, 2:]
        t2 = 25 * c.mean(axis=0) @ np.linalg.solve(np.cov(c.T), c.mean(axis=0))
        naive += stats.f.sf(t2 * 23 / (24 * 2), 2, 23) < 0.05

    assert rejected / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)
    assert naive / runs > 0.25


def _cross_validated(rng) -> np.ndarray:
    y = rng.random(120) < 0.5
    x = rng.normal(size=(120, 3)) + 0.8 * y[:, None]
    losses = []
    for _ in range(5):
        fold = rng.permutation(120) % 5
        for k in range(5):
            inside, outside = fold != k, fold == k
            middle = (x[inside & y].mean(axis=0) + x[inside & ~y].mean(axis=0)) / 2
            losses.append(((x[outside] > middle) != y[outside, None]).mean(axis=0))
    return np.array(losses)
