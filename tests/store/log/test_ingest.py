"""Draining: each frame once, whatever stands in the spools."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy import event

from everfit.errors import StoreBusy
from everfit.store.log import ingest, tables
from everfit.store.log.frames import (
    HEAD,
    MARK,
    Logged,
    outcomes_frame,
    predictions_frame,
    row_frame,
)
from everfit.store.log.ingest import key_text
from everfit.store.log.spool import START, segments
from tests.store.log.build import Scene, encode, frame_of


def test_what_was_spooled_is_read_back_with_its_features(scene: Scene) -> None:
    spool = scene.spool()
    scene.predict(spool, key="anna", row={"age": 41, "plan": "trial", "_key": "anna"})
    spool.append(
        frame_of(["b", "c"], [{"age": 1.5}, {"new": True}], keys=[None, "carl"], arm="canary")
    )

    drained = scene.drain()

    (frame,) = scene.log.predictions("churn")
    assert (drained.predictions, drained.outcomes, drained.behind_bytes) == (3, 0, 0)
    assert frame.select("id", "arm", "key", "age", "plan", "new").rows() == [
        ("p1", "champion", "anna", 41.0, "trial", None),
        ("b", "canary", None, 1.5, None, None),
        ("c", "canary", "carl", None, None, True),
    ]
    assert frame["value"].to_list() == ["yes"] * 3
    assert frame["probabilities"].struct.field("yes").to_list() == [0.75] * 3
    assert "_key" not in frame.columns
    spool.close()


def test_a_name_that_a_row_has_twice_holds_what_the_scorer_saw(scene: Scene) -> None:
    spool = scene.spool()
    header = b'{"model":"churn","version":3,"arm":"champion","at_us":0}'
    request = b'{"age": 1,\n "age": 2, "plan": "\xc3\xa9\\u0000"}'
    spool.append(predictions_frame(header, request, b'{"id": "a", "prediction": 1}'))

    scene.drain()

    (frame,) = scene.log.predictions("churn", columns=["age", "plan"])
    assert frame.rows() == [(2, "é\x00")]
    spool.close()


def test_a_plain_row_is_taken_as_it_was_sent(scene: Scene) -> None:
    spool = scene.spool()
    header = encode(Logged("churn", 3, "holdout", 0))
    request, answer = b'{"age": 41,  "plan":"trial"}', b'{"id":"p-1","prediction":"yes"}'
    spool.append(row_frame(header, 1_763_600_000_000_000, request, answer, 3))
    (receipt,) = scene.tell(spool, {"id": "p-1", "outcome": "yes"})

    drained = scene.drain()

    (frame,) = scene.log.predictions("churn", columns=["id", "version", "arm", "age", "plan", "at"])
    (row,) = frame.rows()
    assert row[:5] == ("p-1", 3, "holdout", 41, "trial")
    assert int(row[5].timestamp()) == 1_763_600_000
    assert (drained.predictions, scene.states([receipt])) == (1, ["counted"])
    with scene.log.place.database.read() as connection:
        (kept,) = connection.execute(tables.prediction.select()).all()
    assert (bytes(kept.request), bytes(kept.answer)) == (request, answer)
    spool.close()


def test_draining_again_takes_nothing_twice(scene: Scene) -> None:
    spool = scene.spool()
    scene.predict(spool)
    assert scene.drain().predictions == 1
    assert scene.drain().predictions == 0

    scene.predict(spool)

    assert scene.drain().predictions == 1
    assert scene.ids() == ["p1", "p2"]
    spool.close()


def test_a_segment_goes_only_when_its_writer_is_gone(scene: Scene) -> None:
    spool = scene.spool()
    scene.predict(spool)

    assert scene.drain().segments_removed == 0
    spool.close()
    assert scene.drain().segments_removed == 1

    assert segments(scene.spools) == []
    assert scene.ids() == ["p1"]


def test_a_segment_that_comes_back_is_not_taken_again(scene: Scene) -> None:
    spool = scene.spool()
    scene.predict(spool)
    spool.close()
    (path,) = segments(scene.spools)
    shutil.copy(path, scene.root / "copy")
    scene.drain()

    shutil.copy(scene.root / "copy", path)

    drained = scene.drain()
    assert (drained.predictions, drained.segments_removed) == (0, 1)
    assert scene.ids() == ["p1"]


def test_many_workers_and_a_small_transaction(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "MOST_ROWS", 7)
    spools = [scene.spool(f"w{k}", limit_bytes=500) for k in range(3)]
    for n in range(60):
        scene.predict(spools[n % 3])

    assert scene.drain().predictions == 60

    assert sorted(scene.ids()) == sorted(f"p{n}" for n in range(1, 61))
    for spool in spools:
        spool.close()


def test_a_drain_without_time_goes_on_at_the_next_call(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "MOST_ROWS", 10)
    spool = scene.spool()
    for _ in range(35):
        scene.predict(spool)

    counts = [scene.log.drain(scene.spools, most_s=0.0) for _ in range(4)]

    assert [item.predictions for item in counts] == [10, 10, 10, 5]
    assert [item.behind_bytes > 0 for item in counts] == [True, True, True, False]
    spool.close()


def test_what_cannot_be_understood_is_kept_aside_and_the_rest_goes_on(scene: Scene) -> None:
    spool = scene.spool()
    scene.predict(spool)
    header = b'{"model":"churn","version":3,"arm":"champion","at_us":0}'
    body = b"\x63what a later release wrote"
    wrong = [
        predictions_frame(header, b'{"a":1', b'{"no id": 1}'),
        predictions_frame(header, b"[{}, {}]", b'{"predictions": [{"id": "only one"}]}'),
        predictions_frame(b"not JSON", b"{}", b'{"id": "x"}'),
        predictions_frame(header, b"[1]", b'{"id": "x"}'),
        predictions_frame(header, b"{}", b'{"id": "x", "version": "v99999999999"}'),
        row_frame(header, 0, b"{}", b'{"id": "blank before it"}', 5),
        row_frame(b"not JSON", 0, b"{}", b'{"id":"x"}', 1),
        outcomes_frame("churn", 0, b'[{"receipt": "r", "outcome": 1}]'),
        outcomes_frame("churn", 0, b'[{"receipt": "r", "id": "x", "outcome": 1, "at": "soon"}]'),
        HEAD.pack(MARK, len(body), ingest_sum(body)) + body,
    ]
    for frame in wrong:
        spool.append(frame)
    scene.predict(spool)

    drained = scene.drain()

    assert scene.ids() == ["p1", "p2"]
    assert [path.read_bytes() for path in drained.damaged] == wrong
    assert scene.drain().damaged == ()
    spool.close()


def ingest_sum(body: bytes) -> int:
    from binascii import crc32

    return crc32(body)


def test_damaged_bytes_in_a_spool_are_kept_aside(scene: Scene) -> None:
    spool = scene.spool()
    for _ in range(3):
        scene.predict(spool)
    spool.close()
    (path,) = segments(scene.spools)
    content = bytearray(path.read_bytes())
    content[START + 20] ^= 1
    path.write_bytes(content)

    drained = scene.drain()

    assert scene.ids() == ["p2", "p3"]
    (kept,) = drained.damaged
    assert kept.read_bytes() in bytes(content)
    assert segments(scene.spools) == []


def test_a_segment_with_a_damaged_head_is_kept_aside_whole(scene: Scene) -> None:
    spool = scene.spool()
    scene.predict(spool)
    spool.close()
    (path,) = segments(scene.spools)
    content = b"?" * 8 + path.read_bytes()[8:]
    path.write_bytes(content)

    drained = scene.drain()

    assert [kept.read_bytes() for kept in drained.damaged] == [content]
    assert segments(scene.spools) == []


def test_a_clock_that_was_set_back_loses_nothing(scene: Scene) -> None:
    spool = scene.spool()
    hours = [10, 11, 3, 4]
    for hour in hours:
        scene.predict(spool, at_us=scene.now_us + hour * 3_600_000_000)

    scene.drain()

    (frame,) = scene.log.predictions("churn", columns=["id", "at"])
    assert frame["id"].to_list() == ["p1", "p2", "p3", "p4"]
    assert frame["at"].dt.hour().to_list() == hours
    spool.close()


def test_a_look_at_spools_with_nothing_new_asks_no_database(scene: Scene) -> None:
    spool = scene.spool()
    name = scene.predict(spool)
    scene.drain()
    asked: list[str] = []
    event.listen(
        scene.log.place.database.engine,
        "before_cursor_execute",
        lambda *given: asked.append(given[2]),
    )

    assert scene.drain().predictions == 0
    assert asked == []
    (receipt,) = scene.tell(spool, {"id": name, "outcome": 1})
    assert scene.drain().outcomes == 1
    assert scene.states([receipt]) == ["counted"]
    scene.drain()
    spool.close()
    assert scene.drain().segments_removed == 1


def test_no_spools_are_nothing_to_drain(scene: Scene) -> None:
    assert scene.log.drain(scene.root / "none").predictions == 0


def test_odd_keys_and_ids_are_kept(scene: Scene) -> None:
    spool = scene.spool()
    for key in ("", "a\x00b", "é" * 5_000, "\U0001f600"):
        scene.predict(spool, key=key)
    (receipt,) = scene.tell(spool, {"key": "é" * 5_000, "outcome": "no"})

    scene.drain()

    assert scene.log.history("churn", "a\x00b", 5)["id"].to_list() == ["p2"]
    assert scene.states([receipt]) == ["counted"]
    assert scene.outcomes() == {"p3": "no"}
    assert len(key_text("é" * 5_000)) < 100
    spool.close()


def test_two_that_drain_the_same_spools_take_nothing_twice(scene: Scene) -> None:
    spool = scene.spool()
    scene.predict(spool)
    other = scene.open()

    assert scene.drain().predictions + other.drain(scene.spools).predictions == 1

    assert scene.ids() == ["p1"]
    other.close()
    spool.close()


def test_a_position_that_another_machine_moved_is_told(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = scene.spool()
    scene.predict(spool)
    other = scene.open()
    stale = ingest._positions(other.place)
    scene.drain()
    monkeypatch.setattr(ingest, "_positions", lambda place: stale)

    with pytest.raises(StoreBusy, match="another process drains the spools"):
        other.drain(scene.spools)

    assert scene.ids() == ["p1"]
    other.close()
    spool.close()


def test_a_segment_whose_making_was_cut_short_is_swept_away_later(
    file_scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file_scene.spools / "w1").mkdir(parents=True)
    left = file_scene.spools / "w1" / "1-2-3.spool.new"
    left.write_bytes(b"")
    file_scene.drain()
    assert left.exists()

    monkeypatch.setattr(ingest, "NEW_S", -1.0)
    file_scene.drain()

    assert not left.exists()


def test_the_file_of_damage_survives_the_same_damage_again(tmp_path: Path) -> None:
    ingest.write_safely(tmp_path / "x", b"one")
    ingest.write_safely(tmp_path / "x", b"one")

    assert [path.name for path in tmp_path.iterdir()] == ["x"]
