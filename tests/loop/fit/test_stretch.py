"""Old rows are left out where they mislead, and only there."""

from __future__ import annotations

import numpy as np
import polars as pl

from everfit.loop.fit.stretch import newest
from everfit.loop.lineage import lineage_of
from tests.loop.conftest import Scene
from tests.loop.turning import turning

N = 4_000


def test_after_a_turn_of_the_world_old_rows_are_left_out(scene: Scene) -> None:
    line = lineage_of(scene.store, scene.store.version("m", "v1"))
    angle = np.where(np.arange(N) < 0.6 * N, np.pi, 0.0)

    found, notes = newest(line, turning(scene, angle), seconds=30.0, seed=0)

    assert found.table.n_rows <= N / 2
    assert found.at.len() == found.table.n_rows
    assert found.at.is_sorted()
    assert "rows were left out: on the newest" in notes[0]


def test_in_a_world_that_stays_all_rows_count(scene: Scene) -> None:
    line = lineage_of(scene.store, scene.store.version("m", "v1"))
    rows = turning(scene, np.zeros(N))

    found, notes = newest(line, rows, seconds=30.0, seed=0)

    assert found is rows
    assert notes == ()


def test_without_time_for_it_all_rows_count(scene: Scene) -> None:
    line = lineage_of(scene.store, scene.store.version("m", "v1"))
    rows = turning(scene, np.where(np.arange(N) < 0.6 * N, np.pi, 0.0))

    assert newest(line, rows, seconds=0.0, seed=0)[0] is rows


def test_rows_whose_time_nobody_knows_are_all_taken(scene: Scene) -> None:
    from dataclasses import replace

    line = lineage_of(scene.store, scene.store.version("m", "v1"))
    rows = turning(scene, np.zeros(N))
    untimed = replace(rows, at=pl.Series("at", [None] * N, dtype=pl.Datetime("us")))

    assert newest(line, untimed, seconds=30.0, seed=0) == (untimed, ())


def test_a_retrained_version_says_that_it_left_old_rows_out(scene: Scene) -> None:
    # the source names the labels the wrong way round, and what came since the right one
    frame = pl.read_csv(scene.source)
    other = {"benign": "malignant", "malignant": "benign"}
    turned = frame.with_columns(pl.col(scene.target).replace_strict(other))
    pl.concat([turned, turned.with_columns(pl.col("mean radius") * 1.0001)]).write_csv(scene.source)
    rng = np.random.default_rng(0)
    numbers = [c for c in scene.came.columns if c != scene.target]
    scene.came = pl.concat(
        scene.came.with_columns(pl.col(c) * (1 + 0.001 * rng.normal()) for c in numbers)
        for _ in range(4)
    )

    made = scene.fit()

    assert made.decision.kind == "retrained"
    assert any("rows were left out: on the newest" in line for line in made.decision.not_done)
