"""A ratio of densities: against one that is known, and refitted by one step."""

from __future__ import annotations

import numpy as np
import pytest

from everfit.watch.estimate.ratio import density_ratio


def test_weights_follow_the_true_ratio():
    rng = np.random.default_rng(0)
    known, asked = rng.normal(0, 1, (4000, 1)), rng.normal(0.8, 1, (4000, 1))

    found = density_ratio(known, asked)

    true = np.exp(0.8 * known[:, 0] - 0.32)
    assert np.corrcoef(np.log(found.weights), np.log(true))[0, 1] > 0.999
    assert found.weights @ known[:, 0] / 4000 == pytest.approx(0.8, abs=0.06)


def test_the_same_rows_weigh_the_same():
    rng = np.random.default_rng(0)

    found = density_ratio(rng.normal(size=(1500, 5)), rng.normal(size=(1500, 5)))

    assert found.weights.mean() == pytest.approx(1)
    assert found.effective > 1400


def test_samples_that_do_not_meet_leave_few_rows():
    rng = np.random.default_rng(0)

    found = density_ratio(rng.normal(0, 1, (1000, 2)), rng.normal(5, 1, (1000, 2)))

    assert found.effective < 100
    assert np.isfinite(found.weights).all()


def test_samples_of_other_sizes_do_not_matter():
    rng = np.random.default_rng(0)
    known, asked = rng.normal(0, 1, (3000, 1)), rng.normal(0.5, 1, (300, 1))

    found = density_ratio(known, asked)

    assert found.weights.mean() == pytest.approx(1)
    assert found.weights @ known[:, 0] / 3000 == pytest.approx(0.5, abs=0.15)


def test_without_a_column_every_row_weighs_one():
    found = density_ratio(np.zeros((50, 0)), np.zeros((70, 0)))

    assert found.weights.tolist() == [1.0] * 50


def test_one_step_is_nearly_a_new_fit():
    rng = np.random.default_rng(0)
    known, asked = rng.normal(0, 1, (500, 2)), rng.normal(0.5, 1, (500, 2))
    rows = np.concatenate([rng.integers(0, 500, 500), 500 + rng.integers(0, 500, 500)])
    times = np.bincount(rows, minlength=1000).astype(float)

    stepped = density_ratio(known, asked).drawn(times)

    again = density_ratio(known[rows[:500]], asked[rows[500:] - 500])
    summed = np.bincount(rows[:500], weights=again.weights, minlength=500)
    drawn = times[:500] > 0
    assert np.corrcoef(stepped[drawn], summed[drawn])[0, 1] > 0.99
