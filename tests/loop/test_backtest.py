"""How a model ages, seen before it serves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from everfit.loop.backtest import as_windows, backtest
from everfit.loop.lineage import lineage_of
from tests.loop.conftest import Scene
from tests.loop.turning import turning

DAY_S = 86_400.0


def test_the_loss_of_what_turns_grows_with_age(scene: Scene) -> None:
    line = lineage_of(scene.store, scene.store.version("m", "v1"))

    aged = backtest(line, turning(scene, np.linspace(0, np.pi, 3_000)), seconds=30.0)

    assert len({one.cut for one in aged}) == 4
    first = [one for one in aged if one.cut == 0]
    assert first[0].ratio == 1.0
    assert first[-1].ratio > 1.5
    assert [one.start_s for one in first] == sorted(one.start_s for one in first)
    assert first[0].end_s == pytest.approx(10 * DAY_S, rel=0.01)


def test_the_loss_of_what_stays_does_not(scene: Scene) -> None:
    line = lineage_of(scene.store, scene.store.version("m", "v1"))

    aged = backtest(line, turning(scene, np.zeros(3_000)), seconds=30.0)

    assert np.mean([one.ratio for one in aged]) == pytest.approx(1.0, abs=0.25)  # 300 rows a block


def test_no_fit_is_begun_when_the_time_is_over(scene: Scene) -> None:
    line = lineage_of(scene.store, scene.store.version("m", "v1"))
    times = iter([0.0, 0.0, 5.0, 11.0, 12.0, 13.0])

    aged = backtest(line, turning(scene, np.zeros(3_000)), seconds=10.0, now=lambda: next(times))

    assert {one.cut for one in aged} == {0}


def test_without_times_nothing_is_known_of_age(scene: Scene) -> None:
    line = lineage_of(scene.store, scene.store.version("m", "v1"))
    rows = turning(scene, np.zeros(3_000))
    untimed = replace(rows, at=pl.Series("at", [None] * rows.at.len(), dtype=pl.Datetime("us")))

    assert backtest(line, untimed, seconds=10.0) == ()


def test_a_block_of_many_windows_counts_for_each_of_them(scene: Scene) -> None:
    line = lineage_of(scene.store, scene.store.version("m", "v1"))

    found = as_windows(
        backtest(line, turning(scene, np.linspace(0, np.pi, 3_000)), seconds=30.0), DAY_S
    )
    ages = [age for age, _ in found]

    assert ages[:3] == [0.5, 1.5, 2.5]
    assert len(found) > 100
    assert found[0][1] == found[8][1] == 1.0
