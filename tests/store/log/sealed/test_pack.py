"""Sealing: which rows go into which file, and that the file holds them."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest

from everfit.errors import StoreBusy, StoreFailed
from everfit.store.log import tables
from everfit.store.log.sealed import pack
from tests.store.log.build import DAY_US, START_US, Scene

HOUR = 3_600_000_000
NEXT = date(2025, 11, 21)


def hourly(scene: Scene, hours: list[int], model: str = "churn") -> None:
    spool = scene.spool()
    for hour in hours:
        scene.now_us = START_US + hour * HOUR
        scene.predict(spool, model=model, id=f"{model}-{scene.n}-{hour}h", row={"hour": hour})
    spool.close()
    scene.drain()


def held(path: Path) -> list[int]:
    return pl.read_parquet(path)["x:hour"].to_list()


def test_whole_days_are_sealed_and_the_day_that_runs_is_not(scene: Scene) -> None:
    hourly(scene, [1, 5, 23, 24, 30, 49])

    made = scene.log.seal()

    assert [held(path) for path in made] == [[1, 5, 23], [24, 30]]
    assert [path.name[:10] for path in made] == ["2025-11-20", "2025-11-21"]
    assert scene.log.seal() == []
    assert [hour for frame in scene.log.predictions("churn") for hour in frame["hour"]] == [
        1, 5, 23, 24, 30, 49,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ([1, 2.5, None], [1.0, 2.5, None]),
        ([True, 1, None], ["true", "1", None]),
        ([None, "a", 3], [None, "a", "3"]),
        ([None, None, 7], [None, None, 7]),
    ],
)
def test_a_file_holds_what_its_rows_had_however_they_are_taken_out(
    file_scene: Scene, monkeypatch: pytest.MonkeyPatch, values: list[object], kept: list[object]
) -> None:
    spool = file_scene.spool()
    for value in values:
        file_scene.predict(spool, row={"x": value})
    spool.close()
    file_scene.drain()
    monkeypatch.setattr(pack, "STEP", 1)

    (path,) = file_scene.log.seal(before=NEXT)

    assert pl.read_parquet(path)["x:x"].to_list() == kept


def test_a_busy_day_is_sealed_in_parts_before_it_is_over(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pack, "CHUNK", 4)
    hourly(scene, list(range(10)))

    made = scene.log.seal(before=date(2025, 11, 20))

    assert [held(path) for path in made] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert scene.log.count("churn") == 10


@pytest.mark.parametrize(
    ("hours", "files"),
    [
        ([23, 24, 23, 25], [[23]]),  # two workers around midnight
        ([30, 2, 3], []),  # set back by more than a day
        ([2, 3, 1], [[2, 3, 1]]),
    ],
)
def test_a_clock_that_goes_back_keeps_every_row_in_order(
    scene: Scene, hours: list[int], files: list[list[int]]
) -> None:
    hourly(scene, hours)

    made = scene.log.seal(before=NEXT)

    assert [held(path) for path in made] == files
    scene.log.seal(before=NEXT + timedelta(days=3))
    assert [hour for frame in scene.log.predictions("churn") for hour in frame["hour"]] == hours


def test_each_model_has_its_own_files_and_columns(scene: Scene) -> None:
    hourly(scene, [1, 3])
    hourly(scene, [2], model="../../etc")

    made = scene.log.seal(before=NEXT)

    folders = {path.parent.parent.name for path in made}
    assert len(folders) == 2
    assert all(path.is_relative_to(scene.root / "log" / "sealed") for path in made)
    assert scene.log.count("../../etc") == 1


def test_outcomes_are_sealed_when_their_state_was_long_enough_to_be_asked(scene: Scene) -> None:
    spool = scene.spool()
    name = scene.predict(spool)
    receipts = scene.tell(
        spool, {"id": name, "outcome": 1}, {"id": name, "outcome": 1}, {"id": "?", "outcome": 1}
    )
    scene.drain()
    assert scene.states(receipts) == ["counted", "repeated", "unknown"]

    scene.now_us += DAY_US
    made = scene.log.seal()

    told = [path for path in made if path.parent.name == "outcomes"]
    assert [pl.read_parquet(path).height for path in told] == [1]
    # what nobody knows yet stays where it can be joined
    assert scene.states(receipts) == ["-", "-", "unknown"]
    assert scene.outcomes() == {name: 1}
    scene.tell(spool, {"id": name, "outcome": 1})
    scene.drain()
    scene.now_us += DAY_US
    assert scene.log.seal() == []
    spool.close()


def test_a_sealed_file_can_be_read_by_others(scene: Scene) -> None:
    hourly(scene, [1, 5])
    (path,) = scene.log.seal(before=NEXT)

    query = f"""SELECT version, "x:hour", epoch_us("at") FROM '{path}' ORDER BY seq"""
    found = duckdb.sql(query).fetchall()

    assert found == [(3, 1, START_US + HOUR), (3, 5, START_US + 5 * HOUR)]


def test_rows_that_another_machine_took_meanwhile_are_not_sealed_twice(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    hourly(scene, [1, 5])
    write = pack.write_predictions

    def slow(*given: object) -> object:
        made = write(*given)  # type: ignore[arg-type]
        with scene.log.place.database.write() as connection:
            first = tables.prediction.c.seq == 1
            connection.execute(tables.prediction.delete().where(first))
        return made

    monkeypatch.setattr(pack, "write_predictions", slow)
    with pytest.raises(StoreBusy, match="another process sealed"):
        scene.log.seal(before=NEXT)
    monkeypatch.undo()

    monkeypatch.setattr(pack, "ORPHAN_S", -1.0)
    (path,) = scene.log.seal(before=NEXT)
    assert held(path) == [5]
    assert len(list(scene.root.rglob("sealed/**/*.parquet"))) == 1


def test_a_disk_that_is_full_leaves_the_rows_in_the_tables(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    hourly(scene, [1, 5])

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(pl.DataFrame, "write_parquet", full)
        with pytest.raises(StoreFailed, match="No space left"):
            scene.log.seal(before=NEXT)

    assert scene.log.count("churn") == 2
    assert len(scene.log.seal(before=NEXT)) == 1
    assert scene.log.count("churn") == 2


def test_files_of_a_seal_that_may_be_under_way_elsewhere_are_left(scene: Scene) -> None:
    hourly(scene, [1])
    strangers = scene.root / "log" / "sealed" / "1-churn" / "predictions" / "2025-11-20-9.parquet"
    strangers.parent.mkdir(parents=True)
    strangers.write_bytes(b"")

    scene.log.seal(before=NEXT)

    # only a server is shared by machines that cannot see each other's turn
    assert strangers.exists() == scene.log.place.database.is_server
