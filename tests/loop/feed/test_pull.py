"""Feeds of a model in a turn: steps for what came, one row of the ledger for what was lost."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from everfit.errors import StoreBusy
from everfit.loop.feed import Feed, pull_feeds, pulled_files
from tests.loop.conftest import NOW, Scene

OLD = time.time() - 3_600


def dropped(scene: Scene, name: str, start: int, end: int) -> Path:
    path = scene.folder / "drops" / name
    path.parent.mkdir(exist_ok=True)
    scene.came[start:end].write_csv(path)
    os.utime(path, (OLD, OLD))
    return path


def turn(scene: Scene, *feeds: Feed, day: int = 0) -> tuple[str, ...]:
    hold = scene.store.hold("m", ttl_s=60.0)
    try:
        return pull_feeds("m", feeds, scene.store, hold, now=NOW + timedelta(days=day))
    finally:
        scene.store.let_go(hold)


@pytest.fixture
def feed(scene: Scene) -> Feed:
    dropped(scene, "a.csv", 0, 50)
    return Feed("drops", str(scene.folder / "drops"))


def test_what_came_is_a_step_and_a_line(scene: Scene, feed: Feed) -> None:
    lines = turn(scene, feed)

    (step,) = scene.store.steps("m", "pulled")
    assert lines == ("drops: 50 new rows",)
    assert (step.record["feed"], step.record["n"], step.at) == ("drops", 50, NOW)
    assert pulled_files(scene.store, "m") == tuple(step.record["files"])
    assert pl.read_parquet(scene.store.root / step.record["files"][0]).height == 50


def test_a_turn_without_news_writes_nothing(scene: Scene, feed: Feed) -> None:
    turn(scene, feed)

    assert turn(scene, feed, day=1) == ()
    assert len(scene.store.steps("m", "pulled")) == 1
    assert scene.kinds() == []


def test_the_next_turn_goes_on_where_the_last_one_was(scene: Scene, feed: Feed) -> None:
    turn(scene, feed)
    dropped(scene, "b.csv", 50, 80)

    assert turn(scene, feed, day=1) == ("drops: 30 new rows",)
    assert len(pulled_files(scene.store, "m")) == 2
    assert len(pulled_files(scene.store, "m", until=NOW + timedelta(hours=1))) == 1


def test_a_lost_feed_is_told_once_and_again_when_it_is_lost_anew(scene: Scene, feed: Feed) -> None:
    folder = scene.folder / "drops"
    turn(scene, feed)
    away = folder.rename(scene.folder / "away")
    lost = turn(scene, feed, day=1)
    still = turn(scene, feed, day=2)
    away.rename(folder)
    back = turn(scene, feed, day=3)
    quiet = turn(scene, feed, day=4)
    folder.rename(away)
    again = turn(scene, feed, day=5)

    assert lost == ("drops: the feed 'drops' has vanished",)
    assert (still, quiet) == ((), ())
    assert back == ("drops: it is back",)
    assert again == lost
    assert scene.kinds() == ["source_lost", "source_found", "source_lost"]
    assert "Rows are pulled from drops again" in scene.store.decisions("m")[1].headline
    row = scene.store.decisions("m")[0]
    assert row.headline == "Nothing was pulled from drops: the feed 'drops' has vanished"
    assert row.at == NOW + timedelta(days=5)
    assert "what was pulled before is kept" in row.not_done[0]


def test_another_trouble_with_a_lost_feed_is_told(scene: Scene, feed: Feed) -> None:
    folder = scene.folder / "drops"
    folder.rename(scene.folder / "away")
    turn(scene, feed)
    dropped(scene, "a.csv", 0, 50)
    frame = pl.read_csv(folder / "a.csv")
    frame.drop("mean radius").write_csv(folder / "a.csv")
    os.utime(folder / "a.csv", (OLD, OLD))

    lines = turn(scene, feed, day=1)

    assert lines == ("drops: the feed's a.csv lacks 'mean radius'",)
    assert scene.kinds() == ["source_lost", "source_lost"]


def test_one_lost_feed_does_not_keep_the_others_back(scene: Scene, feed: Feed) -> None:
    gone = Feed("another", str(scene.folder / "nowhere.csv"))

    lines = turn(scene, gone, feed)

    assert lines == ("another: the feed 'another' has vanished", "drops: 50 new rows")


def test_who_lost_the_model_writes_nothing(scene: Scene, feed: Feed) -> None:
    lost = scene.store.hold("m", ttl_s=60.0)
    scene.store.let_go(lost)
    scene.store.let_go(scene.store.hold("m", ttl_s=60.0))

    with pytest.raises(StoreBusy):
        pull_feeds("m", [feed], scene.store, lost, now=NOW)

    assert scene.store.steps("m", "pulled") == ()


def test_a_model_without_feeds_or_champion_pulls_nothing(scene: Scene, feed: Feed) -> None:
    hold = scene.store.hold("m", ttl_s=60.0)

    assert pull_feeds("m", [], scene.store, hold, now=NOW) == ()
    assert pull_feeds("other", [feed], scene.store, hold, now=NOW) == ()
    scene.store.let_go(hold)
