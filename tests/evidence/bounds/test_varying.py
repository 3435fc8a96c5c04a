"""Running means that move: e-values, ranges by inversion, and their error."""

from __future__ import annotations

import math

import numpy as np
import pytest

from everfit.errors import UsageError
from everfit.evidence.bounds.varying import N_BETS, varying_band, varying_log_e


def test_the_e_value_is_its_formula():
    d = np.random.default_rng(0).uniform(-1, 1, 40)
    guess = np.concatenate([[0.0], np.cumsum(d)[:-1] / np.arange(1, 40)])
    total, spread = (d - 0.1).sum(), ((d - guess) ** 2).sum()

    found = varying_log_e(d, 0.1)[-1]

    bets = np.geomspace(0.005, 0.45, N_BETS)
    psi = (-np.log(1 - 2 * bets) - 2 * bets) / 4
    assert found == pytest.approx(math.log(np.mean(np.exp(bets * total - psi * spread))))


def test_the_range_is_where_the_e_values_reach_their_level():
    d = np.random.default_rng(1).uniform(-0.5, 1, 300)

    low, high = varying_band(d).at().low, varying_band(d).at().high

    assert varying_log_e(d, low)[-1] == pytest.approx(math.log(40), abs=1e-6)
    assert varying_log_e(-d, -high)[-1] == pytest.approx(math.log(40), abs=1e-6)


def test_the_running_mean_is_held_at_every_look_though_it_moves():
    rng = np.random.default_rng(2)
    missed = 0
    chance = 0.5 + 0.4 * np.sin(np.arange(800) / 50)
    truth = np.cumsum(2 * chance - 1) / np.arange(1, 801)
    for _ in range(200):
        band = varying_band(np.where(rng.random(800) < chance, 1.0, -1.0))
        missed += bool(((band.low > truth) | (band.high < truth)).any())

    assert missed / 200 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 200)


def test_the_range_narrows():
    band = varying_band(
        np.random.default_rng(3).choice([-1.0, 0.0, 1.0], 2000, p=[0.03, 0.9, 0.07])
    )

    assert band.at().high - band.at().low < 0.06
    assert band.at().contains(0.04)
    assert (band.at(0).low, band.at(0).high) == (-1.0, 1.0)


def test_nothing_seen_and_bad_values():
    assert len(varying_band([])) == 0
    with pytest.raises(UsageError, match="must lie in"):
        varying_log_e([0.0, -1.5])
