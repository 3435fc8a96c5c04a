"""Areas of two models over windows: errors of windows, ranges for people, blocks for decisions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from everfit.errors import UsageError
from everfit.evidence.auc import auc
from everfit.evidence.bounds.area import area_band, area_blocks, area_window
from everfit.evidence.trial.verdict import trial_verdict

Window = tuple[np.ndarray, np.ndarray, np.ndarray]


def _window(rng: np.random.Generator, better: float = 0.0, rows: int = 200) -> Window:
    up = rng.random(rows) < 0.1
    signal = rng.normal(size=rows) + 1.2 * up
    new = signal + (0.5 - better) * rng.normal(size=rows)
    old = signal + 0.5 * rng.normal(size=rows)
    return new, old, up


def test_a_window_is_the_difference_of_areas_with_the_variance_of_delong():
    new, old, up = _window(np.random.default_rng(0))

    found = area_window(new, old, up)

    def placements(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        wins = (scores[up][:, None] > scores[~up]).astype(float)
        return wins.mean(axis=1), wins.mean(axis=0)

    (a, b), (c, d) = placements(new), placements(old)
    expected = np.var(a - c, ddof=1) / up.sum() + np.var(b - d, ddof=1) / (~up).sum()
    assert found.gain == pytest.approx(auc(new, up) - auc(old, up))
    assert found.squared_error == pytest.approx(expected)
    assert found.n == 200


def test_a_window_of_one_class_tells_nothing_and_stops_nothing():
    alone = area_window([0.1, 0.2, 0.3], [0.1, 0.2, 0.3], [1, 1, 1])

    assert math.isnan(alone.gain)
    assert area_band([alone, alone]).at().high == math.inf
    assert area_blocks([([0.1, 0.2], [0.1, 0.2], [1, 1])], 0)[0].n == 0


def test_equal_areas_are_seldom_told_apart_and_a_z_test_at_every_window_does():
    rng = np.random.default_rng(1)
    missed = peeked = promoted = 0
    for _ in range(60):
        windows = [_window(rng) for _ in range(60)]
        told = [area_window(*window) for window in windows]
        band = area_band(told)
        missed += bool(((band.low > 0) | (band.high < 0))[5:].any())
        mean = np.cumsum([w.gain for w in told])
        error = np.sqrt(np.cumsum([w.squared_error for w in told]))
        peeked += bool((np.abs(mean / error) > 1.96).any())
        blocks = area_blocks(windows, seed=7)
        found = trial_verdict(blocks, level_promote=0.05, level_futile=0.05)
        promoted += found.kind == "better"

    allowed = 0.05 + 3 * math.sqrt(0.05 * 0.95 / 60)
    assert missed / 60 <= allowed
    assert promoted / 60 <= allowed
    assert peeked / 60 > allowed


def test_a_larger_area_is_shown_and_decided():
    rng = np.random.default_rng(2)
    windows = [_window(rng, better=0.5) for _ in range(60)]

    band = area_band([area_window(*window) for window in windows])
    blocks = area_blocks(windows, seed=7)

    assert band.at().low > 0
    assert trial_verdict(blocks, level_promote=0.05, level_futile=0.05).kind == "better"


def test_blocks_are_dealt_out_again_the_same_way():
    windows = [_window(np.random.default_rng(3)) for _ in range(3)]

    assert area_blocks(windows, 1) == area_blocks(windows, 1)
    assert area_blocks(windows, 1)[:2] == area_blocks(windows[:2], 1)
    assert area_blocks(windows, 1) != area_blocks(windows, 2)


def test_scores_of_other_rows_are_refused():
    with pytest.raises(UsageError, match="same rows"):
        area_window([0.1], [0.1, 0.2], [0, 1])
