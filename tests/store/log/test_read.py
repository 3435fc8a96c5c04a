"""Reading: what was asked for, the same from tables and from files."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from everfit.errors import StoreFailed
from everfit.store.log import read
from everfit.store.log.sealed import pack
from tests.store.log.build import DAY_US, START_US, Scene

START = datetime(2025, 11, 20, tzinfo=UTC)
HOUR = 3_600_000_000


def fill(scene: Scene, n: int = 30) -> None:
    """Predictions, one an hour, of three arms and ten keys; every third has an outcome."""
    spool = scene.spool()
    arms = ("champion", "champion", "canary")
    for i in range(n):
        scene.now_us = START_US + i * HOUR
        name = scene.predict(
            spool, id=f"p{i}", key=f"k{i % 10}", arm=arms[i % 3], row={"age": i, "id": str(i)}
        )
        if i % 3 == 0:
            scene.now_us += 60_000_000
            scene.tell(spool, {"id": name, "outcome": i % 2 == 0})
    spool.close()
    scene.drain()


def half_sealed(scene: Scene) -> None:
    scene.log.seal(before=datetime.fromtimestamp((START_US + DAY_US) / 1e6, UTC).date())


def all_sealed(scene: Scene) -> None:
    scene.now_us += 10 * DAY_US
    assert len(scene.log.seal()) >= 3


def not_sealed(scene: Scene) -> None: ...


@pytest.fixture(params=[not_sealed, half_sealed, all_sealed], ids=lambda f: f.__name__)
def filled(request: pytest.FixtureRequest, scene: Scene) -> Scene:
    fill(scene)
    request.param(scene)
    return scene


def test_everything_is_read_in_order(filled: Scene) -> None:
    table = filled.table()

    assert table["id"].to_list() == [f"p{i}" for i in range(30)]
    assert table["age"].to_list() == list(range(30))
    assert table["feature.id"].to_list() == [str(i) for i in range(30)]
    assert table["outcome"].to_list() == [i % 2 == 0 if i % 3 == 0 else None for i in range(30)]
    assert table["lateness"].drop_nulls().unique().to_list() == [timedelta(minutes=1)]
    assert table["at"].to_list() == [START + timedelta(hours=i) for i in range(30)]


def test_a_window_of_time_an_arm_and_some_columns_are_read_alone(filled: Scene) -> None:
    frames = filled.log.joined(
        "churn",
        since=START + timedelta(hours=3),
        until=START + timedelta(hours=27),
        arm="champion",
        columns=["age", "outcome", "nowhere"],
    )

    found = pl.concat(frames, how="diagonal_relaxed")

    ages = [i for i in range(3, 27) if i % 3 != 2]
    assert found.rows() == [(i, i % 2 == 0 if i % 3 == 0 else None, None) for i in ages]


def test_predictions_are_counted_by_arm(filled: Scene) -> None:
    assert filled.log.arms("churn") == {"canary": 10, "champion": 20}
    assert filled.log.arms("churn", since=START + timedelta(hours=26)) == {
        "canary": 2,
        "champion": 2,
    }
    assert filled.log.count("churn", until=START + timedelta(hours=4)) == 4
    assert filled.log.count("churn", version=3, arm="canary") == 10
    assert filled.log.count("churn", version=4) == 0


def test_the_history_of_a_key_is_its_last_predictions_with_outcomes(filled: Scene) -> None:
    last = filled.log.history("churn", "k4", 2)

    assert last.select("id", "age", "outcome").rows() == [("p14", 14, None), ("p24", 24, True)]
    assert filled.log.history("churn", "k4", 9)["id"].to_list() == ["p4", "p14", "p24"]
    assert filled.log.history("churn", "nobody", 9).is_empty()


def test_a_model_without_traffic_has_no_rows(filled: Scene) -> None:
    assert list(filled.log.predictions("prices")) == []
    assert list(filled.log.joined("prices")) == []
    assert filled.log.arms("prices") == {}
    assert filled.log.history("prices", "k4", 2).is_empty()


def test_a_late_outcome_finds_a_prediction_that_was_sealed(scene: Scene) -> None:
    fill(scene)
    all_sealed(scene)
    spool = scene.spool()
    receipts = scene.tell(
        spool,
        {"id": "p1", "outcome": True},
        {"id": "p0", "outcome": True},
        {"id": "p3", "outcome": True},
        {"key": "k4", "outcome": False, "at": "2025-11-20T16:00:00Z"},
        {"key": "k4", "outcome": False, "at": "2025-11-20T03:59:59Z"},
        {"id": "p99", "outcome": False},
    )

    scene.drain()

    assert scene.states(receipts) == [
        "counted", "repeated", "replaced", "counted", "unknown", "unknown",
    ]  # fmt: skip
    found = scene.outcomes()
    assert (found["p1"], found["p3"], found["p14"]) == (True, True, False)
    spool.close()


def test_a_reader_that_rests_while_rows_are_sealed_reads_each_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "STEP", 7)
    fill(scene)
    batches = scene.log.predictions("churn", columns=["id"])
    found = next(batches)["id"].to_list()

    all_sealed(scene)

    found += [name for frame in batches for name in frame["id"]]
    assert found == [f"p{i}" for i in range(30)]


def test_a_reader_that_rests_while_somebody_is_forgotten_goes_on(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pack, "CHUNK", 5)
    fill(scene)
    all_sealed(scene)
    batches = scene.log.joined("churn", columns=["id"])
    found = next(batches)["id"].to_list()

    scene.log.forget("churn", "k7", by="test")

    found += [name for frame in batches for name in frame["id"]]
    gone = [f"p{i}" for i in range(30) if i % 10 == 7]
    assert [name for name in found if name not in gone] == [
        f"p{i}" for i in range(30) if i % 10 != 7
    ]
    # one batch of five was read, and one more may have been under way
    assert {name for name in found if name in gone} <= {"p7"}


@pytest.mark.parametrize(
    "act",
    [
        lambda scene: scene.table(),
        lambda scene: scene.log.count("churn", version=3),
        lambda scene: scene.log.history("churn", "k4", 3),
    ],
    ids=["read", "count", "history"],
)
def test_a_sealed_file_that_is_gone_is_told(
    file_scene: Scene, act: Callable[[Scene], object]
) -> None:
    fill(file_scene)
    all_sealed(file_scene)
    for path in file_scene.root.rglob("predictions/*.parquet"):
        path.unlink()

    with pytest.raises(StoreFailed, match="(?s)sealed file of the log is gone.*put the file back"):
        act(file_scene)


def test_batches_are_bounded(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "STEP", 4)
    monkeypatch.setattr(read, "JOIN_ROWS", 3)
    fill(scene)

    sizes = [frame.height for frame in scene.log.joined("churn")]

    assert sizes == [4] * 7 + [2]
    assert scene.table()["outcome"].drop_nulls().len() == 10
