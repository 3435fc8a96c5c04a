"""Which outcomes to ask for: where they tell most, with chances that keep them speaking for all."""

from __future__ import annotations

import numpy as np
import pytest

from everfit.maintain.labels import chances_of, draw, worth


@pytest.mark.parametrize("wanted", [1, 10, 50, 99, 100, 500])
def test_chances_add_up_to_what_is_wanted_and_none_is_above_one(wanted):
    value = np.random.default_rng(0).random(100) ** 4

    found = chances_of(value, wanted)

    assert found.sum() == pytest.approx(min(wanted, 100))
    assert (found > 0).all()
    assert (found <= 1 + 1e-12).all()


def test_rows_are_drawn_as_often_as_their_chance_says():
    value = np.linspace(0, 1, 40)
    chance = chances_of(value, 10)
    counts = np.zeros(40)

    for seed in range(3000):
        counts[draw(value, 10, seed=seed).rows] += 1

    error = np.sqrt(chance * (1 - chance) / 3000)
    assert (np.abs(counts / 3000 - chance) < 4.5 * error + 1e-9).all()


def test_weighted_by_their_chance_the_drawn_rows_speak_for_all():
    rng = np.random.default_rng(1)
    truth = rng.random(400)
    value = np.clip(1 - truth, 0.01, 1)  # asks mostly where the truth is low
    means = []

    for seed in range(400):
        drawn = draw(value, 60, seed=seed)
        means.append((truth[drawn.rows] / drawn.chance).sum() / 400)

    plain = np.mean([truth[draw(value, 60, seed=s).rows].mean() for s in range(400)])
    assert np.mean(means) == pytest.approx(truth.mean(), abs=0.01)
    assert plain < truth.mean() - 0.05


def test_the_same_seed_draws_the_same_and_nothing_is_drawn_from_nothing():
    value = worth([0.2, 0.9, 0.4], disagreement=[0.0, 1.0, 0.2], known=[0.0, 0.5, 1.0])

    assert draw(value, 2, seed=3).rows.tolist() == draw(value, 2, seed=3).rows.tolist()
    assert len(draw(np.empty(0), 5, seed=0).rows) == 0
    assert value[2] == 0.0
