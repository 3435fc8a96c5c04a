"""What is logged reaches the database once, also when the database is away for a while."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from everfit.errors import StoreFailed, Unreachable
from everfit.live.ingest import Ingest
from everfit.store.log import Log
from everfit.store.log.frames import Logged, predictions_frame
from everfit.store.log.spool import Spool
from tests.live.coins import wait

# today: older days would be sealed
HEADER = b'{"model":"churn","version":1,"arm":"champion","at_us":%d}' % (time.time_ns() // 1000)


@pytest.fixture
def said() -> list[tuple[str, dict[str, Any]]]:
    return []


def ingest(root: Path, said: list, **changes: Any) -> Ingest:
    given: dict[str, Any] = {
        "open_log": lambda: Log.open(root),
        "spools": root / "spool",
        "keep_days": None,
        "say": lambda event, facts: said.append((event, dict(facts))),
    }
    given |= changes
    return Ingest(
        given["open_log"], given["spools"], keep_days=given["keep_days"], say=given["say"]
    )


def append(root: Path, n: int, worker: str = "w1") -> None:
    spool = Spool(root / "spool" / worker)
    for i in range(n):
        answer = b'{"id":"%s-%d","prediction":"yes","range":null,"warnings":[]}' % (
            worker.encode(),
            i,
        )
        spool.append(predictions_frame(HEADER, b'{"age":41}', answer))
    spool.close()


def count(root: Path) -> int:
    log = Log.open(root)
    try:
        return log.count("churn")
    finally:
        log.close()


def test_the_header_of_these_tests_is_one_of_a_frame():
    import msgspec

    assert msgspec.json.decode(HEADER, type=Logged).arm == "champion"


def test_what_workers_log_is_in_the_database_soon(tmp_path, said):
    made = ingest(tmp_path, said)
    made.open()
    append(tmp_path, 30)
    append(tmp_path, 12, "w2")

    assert wait(lambda: made.reaches and made.caught_up_at > 0 and count(tmp_path) == 42)
    assert made.close(5.0)
    assert said == []


def test_under_steady_traffic_it_has_caught_up_with_what_was_there_before(tmp_path, said):
    made = ingest(tmp_path, said)
    stop = threading.Event()

    def keep_on() -> None:
        for i in range(100_000):
            if stop.is_set():
                return
            append(tmp_path, 5, f"w{i % 3}")
            time.sleep(0.002)

    traffic = threading.Thread(target=keep_on)
    traffic.start()
    made.open()
    began = time.monotonic()

    assert wait(lambda: made.caught_up_at > began)
    assert traffic.is_alive()
    stop.set()
    traffic.join()
    assert made.close(5.0)


def test_closing_takes_in_what_was_logged_last(tmp_path, said):
    append(tmp_path, 25)
    made = ingest(tmp_path, said)

    assert made.close(5.0)
    assert count(tmp_path) == 25


@pytest.mark.parametrize(
    "error", [Unreachable("it does not answer", do="start it"), RuntimeError("it does not answer")]
)
def test_a_database_that_is_away_is_told_once_and_nothing_is_lost(tmp_path, said, error):
    away = [True]

    def open_log() -> Log:
        if away[0]:
            raise error
        return Log.open(tmp_path)

    made = ingest(tmp_path, said, open_log=open_log)
    made.open()
    append(tmp_path, 5)
    assert wait(lambda: said != [])
    time.sleep(0.3)  # several tries
    assert [event for event, _ in said] == ["log_lost"]
    assert not made.reaches
    assert made.log is None

    away[0] = False

    assert wait(lambda: len(said) == 2)
    assert said[1][0] == "log_back"
    assert said[0][1]["message"] == "it does not answer"
    assert made.close(5.0)
    assert count(tmp_path) == 5


def test_a_disk_that_is_full_at_the_end_is_told_by_the_result(tmp_path, said):
    def full() -> Log:
        raise StoreFailed("the disk is full")

    made = ingest(tmp_path, said, open_log=full)
    append(tmp_path, 3)

    assert not made.close(0.3)
    append_more = count(tmp_path)
    assert append_more == 0
    assert ingest(tmp_path, said).close(5.0)
    assert count(tmp_path) == 3


def test_damaged_spools_are_kept_aside_and_told(tmp_path, said):
    append(tmp_path, 3)
    (segment,) = (tmp_path / "spool" / "w1").glob("*.spool")
    with segment.open("ab") as file:
        file.write(b"noise that is no frame at all" * 10)
    made = ingest(tmp_path, said)

    assert made.close(5.0)
    assert [event for event, _ in said] == ["spool_damaged"]
    assert Path(said[0][1]["kept"]).exists()
    assert count(tmp_path) == 3


def test_whole_days_are_sealed_and_old_ones_dropped(tmp_path, said):
    calls: list[tuple[str, Any]] = []
    idle = SimpleNamespace(whole=True, behind_bytes=0, damaged=(), predictions=0)
    log = SimpleNamespace(
        drain=lambda spools: idle,
        seal=lambda before: calls.append(("seal", before)) or [Path("day.parquet")],
        retain=lambda days: calls.append(("retain", days)) or 7,
        close=lambda: calls.append(("close", None)),
    )
    made = ingest(tmp_path, said, open_log=lambda: log, keep_days=90)
    made.open()

    assert wait(lambda: len(said) == 2)
    assert made.close(5.0)
    assert [name for name, _ in calls] == ["seal", "retain", "close"]
    assert calls[1] == ("retain", 90)
    assert [event for event, _ in said] == ["day_sealed", "days_dropped"]


def test_a_day_that_cannot_be_sealed_is_told_and_tried_again_later(tmp_path, said):
    def seal(before: Any) -> list[Path]:
        raise StoreFailed("the disk is full")

    idle = SimpleNamespace(whole=True, behind_bytes=0, damaged=(), predictions=0)
    log = SimpleNamespace(drain=lambda spools: idle, seal=seal, close=lambda: None)
    made = ingest(tmp_path, said, open_log=lambda: log)
    made.open()

    assert wait(lambda: said != [])
    assert made.close(5.0)
    assert [event for event, _ in said] == ["sealing_failed"]
