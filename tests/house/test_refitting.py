"""A member is fitted again: alike twice, and at earlier times; what cannot be is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from everfit.data.read import read
from everfit.errors import ArtefactRefused
from everfit.executors import InlineExecutor
from everfit.house import House
from everfit.house.refitting import Refit, refitted
from everfit.loop.lineage import Lineage
from tests.loop.turn.world import MODEL, Small, small

FIT_S = 60.0
ROWS = 1_500


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Small:
    folder = tmp_path_factory.mktemp("world")
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, ROWS)).round(4)
    said = np.where(a + 0.5 * b + rng.normal(size=ROWS) > 0, "yes", "no")
    path = folder / "rows.csv"
    pl.DataFrame({"a": a, "b": b, "said": said}).write_csv(path)
    made = small(folder / "small", read(str(path)), "said", acts=(), first=0.3)
    for _ in range(6):
        made.live()
    return made


@pytest.fixture
def line(world: Small) -> Callable[[], Lineage]:
    house = House("here", lambda create: world.store, InlineExecutor, 1)
    return lambda: house.lineage(house.version(MODEL))


def test_two_fits_alike_lose_the_same_and_earlier_ones_show_ageing(
    world: Small, line: Callable[[], Lineage]
) -> None:
    found = refitted(line, Refit(MODEL, world.clock.now, world.upkeep, FIT_S), world.record)

    assert (found.error, found.equal) == ("", True)
    assert found.n >= 30
    assert found.fits >= 1
    assert min(age for age, _ in found.ages) >= 0.0


def test_rows_without_times_say_nothing_about_ageing(
    world: Small, line: Callable[[], Lineage]
) -> None:
    found = refitted(line, Refit(MODEL, world.clock.now, world.upkeep, FIT_S), None)

    assert (found.equal, found.ages, found.fits) == (True, (), 0)


def test_a_source_that_is_gone_is_told(world: Small, line: Callable[[], Lineage]) -> None:
    source = Path(str(line().spec["source"]))
    aside = source.with_name("aside.parquet")
    source.rename(aside)
    try:
        found = refitted(line, Refit(MODEL, world.clock.now, world.upkeep, FIT_S), world.record)
    finally:
        aside.rename(source)

    assert found.equal is None
    assert source.name in found.error


def test_a_version_whose_run_is_not_known_is_told(world: Small, tmp_path: Path) -> None:
    def gone() -> Lineage:
        raise ArtefactRefused("nothing is left of the run", got="", expected="", do="")

    found = refitted(gone, Refit(MODEL, world.clock.now, world.upkeep, FIT_S), world.record)

    assert found.error == "nothing is left of the run"
