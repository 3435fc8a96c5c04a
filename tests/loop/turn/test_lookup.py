"""Logged features are looked up again at a registered source: train-serve skew is found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from everfit.data.read import read
from everfit.executors import InlineExecutor
from everfit.house import House
from everfit.house.scoring import Asked, scored_now
from everfit.live.sources import Registered, Sources
from everfit.loop.tick import tick
from tests.loop.turn.world import MODEL, Small, small
from tests.real import cancer

FEATURE = "mean radius"


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path, target = cancer(tmp_path_factory.mktemp("cancer"))
    return read(str(path)), target


class Keyed:
    """The record of a world whose requests have keys."""

    def __init__(self, world: Small) -> None:
        self._record = world.record

    def __getattr__(self, name):
        return getattr(self._record, name)

    def joined(self, model, *, columns=None, **wanted):
        for frame in self._record.joined(model, **wanted):
            keyed = frame.with_columns(key=pl.lit("k") + pl.col("id"))
            yield (
                keyed
                if columns is None
                else keyed.select(name for name in columns if name in keyed.columns)
            )


def lived(folder: Path, table, change) -> tuple[Small, Keyed]:
    """A window of traffic, and a turn with a source of the same rows, changed in one column."""
    one = small(folder / "small", *table, acts=())
    asked = one.stream.window(0)
    when = f"{one.start:%Y-%m-%dT%H:%M:%S}"  # written before anything was asked
    source = asked.with_columns(
        change(pl.col(FEATURE)).alias(FEATURE),
        pl.format("k0-{}", pl.int_range(asked.height)).alias("who"),
        pl.lit(when).alias("when"),
    )
    source.write_csv(folder / "crm.csv")
    sources = Sources({MODEL: [Registered("crm", str(folder / "crm.csv"), "who", "when")]})
    one.live()
    record = Keyed(one)
    hold = one.store.hold(MODEL, ttl_s=600.0)
    tick(MODEL, replace(one.hands(), record=record, lookup_of=sources.lookup_of), hold)
    one.store.let_go(hold)
    return one, record


def looked_up(one: Small) -> dict:
    return one.store.steps(MODEL, "asked")[0].record["facts"]["recomputed"]


def test_features_that_the_source_has_as_they_were_sent_are_whole_in_the_score(tmp_path, table):
    one, record = lived(tmp_path, table, lambda column: column)

    assert looked_up(one) == {"n": 150, "absent": 0, "differ": {}, "examples": {}}
    house = House("here", lambda create: one.store, InlineExecutor, 1)
    found = scored_now(house, Asked(MODEL, one.clock.now, upkeep=one.upkeep, record=record))
    skew = next(test for test in found.tests if test.code == "O3")
    assert (skew.grade, "150 rows looked up again: all equal" in skew.checked) == (1.0, True)


def test_a_feature_that_is_made_otherwise_at_the_source_is_told_of(tmp_path, table):
    one, _ = lived(tmp_path, table, lambda column: column * 1.1)

    assert looked_up(one)["differ"] == {FEATURE: 150}
    health = one.store.steps(MODEL, "health")[0].record
    (finding,) = [f for f in health["findings"] if f["columns"] == [FEATURE]
                  and f["evidence"]["test"] == "recomputed features"]  # fmt: skip
    assert finding["severity"] == "warn"
    assert f"`{FEATURE}` differs from the source in 150 of 150 rows" in finding["headline"]


def test_without_a_source_nothing_is_looked_up(tmp_path, table):
    one = small(tmp_path, *table, acts=())
    one.live()
    one.turn()

    assert "recomputed" not in one.store.steps(MODEL, "asked")[0].record["facts"]
