"""Forgetting one person, and letting go of old rows."""

from __future__ import annotations

import sqlite3

import polars as pl
import pytest

from everfit.errors import StoreBusy
from everfit.store import database
from everfit.store.log import tables
from everfit.store.log.forget import was_forgotten
from everfit.store.log.spool import segments
from tests.store.log.build import DAY_US, START_US, Scene

ANNA = "anna-7f3e"


def fill(scene: Scene) -> None:
    """Three days of two people, outcomes by id and by key, a shadow; two days are sealed."""
    spool = scene.spool()
    for day in range(3):
        scene.now_us = START_US + day * DAY_US
        for key in (ANNA, "bert"):
            name = scene.predict(spool, id=f"{key}-{day}", key=key, row={"who": key})
            scene.tell(spool, {"id": name, "outcome": f"said by {key}"})
            scene.tell(spool, {"key": key, "outcome": f"then by {key}"})
        scene.predict(spool, id=f"s{day}", arm="shadow", of=f"{ANNA}-{day}", row={"who": ANNA})
    spool.close()
    scene.drain()
    scene.now_us += 3_600_000_000
    assert len(scene.log.seal()) == 4


def everywhere(scene: Scene) -> bytes:
    """All that the log's folder and tables hold, as far as it can be read."""
    parts = [path.read_bytes() for path in scene.root.rglob("*") if path.is_file()]
    for path in scene.root.rglob("*.parquet"):
        parts.append(repr(pl.read_parquet(path).rows()).encode())
    with scene.log.place.database.read() as connection:
        for table in (tables.prediction, tables.outcome, tables.forgotten):
            parts.append(repr(connection.execute(table.select()).all()).encode())
    return b"".join(parts)


def test_nothing_of_a_person_is_left_anywhere(scene: Scene) -> None:
    fill(scene)
    assert ANNA.encode() in everywhere(scene)

    gone = scene.log.forget("churn", ANNA, by="privacy desk")

    assert ANNA.encode() not in everywhere(scene)
    # three predictions and three shadows; an outcome by id and one by key for each
    assert (gone.predictions, gone.outcomes, gone.files_rewritten) == (6, 6, 4)


def test_all_others_stay_with_their_outcomes(scene: Scene) -> None:
    fill(scene)

    scene.log.forget("churn", ANNA, by="privacy desk")

    names = [f"bert-{day}" for day in range(3)]
    assert scene.ids() == names
    assert scene.outcomes() == dict.fromkeys(names, "then by bert")
    assert scene.log.count("churn") == 3
    assert scene.log.history("churn", "bert", 5)["id"].to_list() == names
    spool = scene.spool()
    receipts = scene.tell(
        spool, {"id": "bert-0", "outcome": "x"}, {"id": f"{ANNA}-0", "outcome": "x"}
    )
    scene.drain()
    assert scene.states(receipts) == ["replaced", "unknown"]
    spool.close()


def test_a_marker_stays_that_tells_without_naming(scene: Scene) -> None:
    fill(scene)

    scene.log.forget("churn", ANNA, by="privacy desk")

    assert was_forgotten(scene.log.place, "churn", ANNA)
    assert not was_forgotten(scene.log.place, "churn", "bert")
    assert not was_forgotten(scene.log.place, "prices", ANNA)
    with scene.log.place.database.read() as connection:
        (marker,) = connection.execute(tables.forgotten.select()).all()
    assert (marker.by, marker.at_us, marker.predictions) == ("privacy desk", scene.now_us, 6)


def test_what_is_still_in_a_spool_is_forgotten_too_while_its_writer_lives(scene: Scene) -> None:
    spool = scene.spool()
    scene.predict(spool, key="bert", id="b1")
    scene.predict(spool, key=ANNA, row={"who": ANNA})

    gone = scene.log.forget("churn", ANNA, by="test", spools=scene.spools)

    assert gone.predictions == 1
    assert ANNA.encode() not in everywhere(scene)
    scene.predict(spool, key="bert", id="b2")
    scene.drain()
    assert scene.ids() == ["b1", "b2"]
    spool.close()
    drained = scene.drain()
    assert (drained.damaged, segments(scene.spools)) == ((), [])


def test_a_person_that_nobody_knows_is_forgotten_without_harm(scene: Scene) -> None:
    fill(scene)

    gone = scene.log.forget("churn", "nobody", by="test")
    other = scene.log.forget("prices", ANNA, by="test")

    assert (gone.predictions, gone.files_rewritten, other.predictions) == (0, 0, 0)
    assert scene.log.count("churn") == 9


def test_the_last_person_of_a_file_takes_the_file_along(scene: Scene) -> None:
    fill(scene)

    scene.log.forget("churn", ANNA, by="test")
    scene.log.forget("churn", "bert", by="test")

    assert list(scene.root.rglob("sealed/**/*.*")) == []
    assert scene.ids() == []


def test_a_key_that_is_a_number_is_the_same_key(scene: Scene) -> None:
    spool = scene.spool()
    scene.predict(spool, key="17")
    scene.tell(spool, {"key": 17, "outcome": 1})
    scene.drain()

    gone = scene.log.forget("churn", "17", by="test")

    assert (gone.predictions, gone.outcomes) == (1, 1)
    spool.close()


def test_damaged_pieces_that_nobody_can_search_are_told(file_scene: Scene) -> None:
    spool = file_scene.spool()
    spool.append(b"what is this")
    file_scene.predict(spool)
    file_scene.drain()

    assert file_scene.log.forget("churn", ANNA, by="test").damaged_files == 1
    spool.close()


def test_only_whole_days_that_are_too_old_go(scene: Scene) -> None:
    fill(scene)
    scene.now_us = START_US + 32 * DAY_US

    # 30 whole days before today: the first and the second day are older, the third is not
    assert scene.log.retain(31) == 7
    assert scene.ids() == [f"{key}-{day}" if key else f"s{day}" for day in (1, 2)
                           for key in (ANNA, "bert", "")]  # fmt: skip
    assert scene.log.retain(29) == 14
    assert scene.ids() == []
    assert list(scene.root.rglob("sealed/**/*.*")) == []


def test_a_reader_in_the_way_is_told_and_the_same_call_finishes(
    file_scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(file_scene)
    blocker = sqlite3.connect(file_scene.root / "log" / "log.db")
    blocker.execute("BEGIN")
    blocker.execute("SELECT * FROM log_state").fetchall()
    monkeypatch.setattr(database, "BUSY_MS", 50)

    with pytest.raises(StoreBusy, match="is busy"):
        file_scene.log.forget("churn", ANNA, by="test")
    blocker.close()
    file_scene.log.forget("churn", ANNA, by="test")

    assert ANNA.encode() not in everywhere(file_scene)
    assert file_scene.log.count("churn") == 3
