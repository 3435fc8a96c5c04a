"""Spools: what is appended is there, and what cannot be appended leaves nothing."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from everfit.errors import StoreFailed
from everfit.store.log import spool as module
from everfit.store.log.spool import (
    START,
    Spool,
    read_segment,
    segment_id,
    segments,
    writer_lives,
)
from tests.store.log.appending import frame, frames, mapped
from tests.store.test_kill import in_child

__all__ = ["mapped"]
fallocate = os.posix_fallocate


def test_frames_come_back_in_order_over_segments(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit_bytes=200)
    sent = [frame(n) for n in range(20)]

    for item in sent:
        spool.append(item)
    spool.close()

    assert frames(tmp_path) == sent
    assert len(segments(tmp_path)) > 3
    assert len({segment_id(path) for path in segments(tmp_path)}) == len(segments(tmp_path))


def test_reading_goes_on_where_it_was(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append(frame(1))
    (path,) = segments(tmp_path)
    ((offset, first),) = read_segment(path, 0)
    spool.append(frame(2))

    assert first == frame(1)
    assert [item for _, item in read_segment(path, offset)] == [frame(2)]


def test_threads_do_not_mix_their_frames(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit_bytes=5_000)

    def work(start: int) -> None:
        for n in range(start, start + 200):
            spool.append(frame(n, size=n % 50))
            if n % 40 == 0:
                spool.sync()

    threads = [threading.Thread(target=work, args=(k * 200,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spool.close()

    assert sorted(frames(tmp_path)) == sorted(frame(n, size=n % 50) for n in range(800))


def test_a_segment_is_free_when_its_writer_was_killed(tmp_path: Path) -> None:
    def doomed() -> None:
        spool = Spool(tmp_path)
        spool.append(frame(1))
        os.kill(os.getpid(), signal.SIGKILL)

    alive = Spool(tmp_path)
    assert in_child(doomed) == -signal.SIGKILL

    assert [writer_lives(path) for path in segments(tmp_path)] == [True, False]
    assert frames(tmp_path) == [frame(1)]
    alive.close()


@pytest.mark.parametrize("cut", range(1, len(frame(2))))
def test_half_a_frame_at_the_end_is_left_out(tmp_path: Path, cut: int) -> None:
    spool = Spool(tmp_path)
    spool.append(frame(1))
    spool.append(frame(2))
    spool.close()
    (path,) = segments(tmp_path)
    os.truncate(path, path.stat().st_size - cut)
    told: list[tuple[int, bytes]] = []

    found = list(read_segment(path, 0, damaged=lambda *what: told.append(what), ended=True))

    assert [item for _, item in found] == [frame(1)]
    assert told == []


def test_damage_between_frames_is_told_and_passed_over(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for n in range(3):
        spool.append(frame(n))
    spool.close()
    (path,) = segments(tmp_path)
    at = START + len(frame(0))
    content = bytearray(path.read_bytes())
    content[at + 15] ^= 0xFF
    path.write_bytes(content)
    told: list[tuple[int, bytes]] = []

    found = list(read_segment(path, 0, damaged=lambda *what: told.append(what)))

    assert [item for _, item in found] == [frame(0), frame(2)]
    assert told == [(at, bytes(content[at : at + len(frame(1))]))]


def test_a_whole_frame_with_a_wrong_sum_at_the_end_is_told_only_when_it_ended(
    tmp_path: Path,
) -> None:
    spool = Spool(tmp_path)
    spool.append(frame(0))
    spool.close()
    (path,) = segments(tmp_path)
    path.write_bytes(path.read_bytes()[:-1] + b"X")
    told: list[tuple[int, bytes]] = []

    assert not list(read_segment(path, 0, damaged=lambda *what: told.append(what)))
    assert told == []
    assert not list(read_segment(path, 0, damaged=lambda *what: told.append(what), ended=True))
    assert told == [(START, frame(0)[:-1] + b"X")]


def test_a_full_disk_leaves_nothing_and_is_told_and_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mapped: bool
) -> None:
    # room for one frame: the second needs a new segment when the first is mapped
    spool = Spool(tmp_path, limit_bytes=START + len(frame(1)) if mapped else 1 << 20)
    spool.append(frame(1))
    write = os.write

    def half(fd: int, data: bytes) -> int:
        return write(fd, data[: len(data) // 2])

    def full(*given: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    ways = [(os, "write", half), (os, "write", full)]
    for target, name, broken in [*ways, *[(os, "posix_fallocate", full)] * mapped]:
        monkeypatch.setattr(target, name, broken)
        with pytest.raises(StoreFailed, match="(?s)could not be written.*make room on the disk"):
            spool.append(frame(2))
        monkeypatch.setattr(os, name, {"write": write}.get(name, fallocate))
    spool.append(frame(3))
    spool.close()

    assert frames(tmp_path) == [frame(1), frame(3)]
    assert not list(tmp_path.glob("*.new"))
    assert sum(path.stat().st_size - START for path in segments(tmp_path)) == 2 * len(frame(1))


def test_a_limit_on_the_size_of_files_is_a_full_disk(tmp_path: Path, mapped: bool) -> None:
    code = f"""
import resource, signal
from pathlib import Path
from everfit.errors import StoreFailed
from everfit.store.log.spool import Spool
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
spool = Spool(Path({str(tmp_path)!r}), mapped={mapped}, limit_bytes={1000 if mapped else 1 << 20})
resource.setrlimit(resource.RLIMIT_FSIZE, (999, 999) if {mapped} else (1000, 1000))
done = 0
try:
    while True:
        spool.append({frame(7, size=50)!r})
        done += 1
except StoreFailed:
    print(done)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    found = frames(tmp_path)

    assert found == [frame(7, size=50)] * int(said.stdout)
    assert len(found) == (1000 - START) // len(frame(7, size=50))


def test_a_folder_that_vanished_is_told_until_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_S", -1.0)
    spool = Spool(tmp_path / "w1")
    spool.append(frame(1))
    shutil.rmtree(tmp_path / "w1")

    for _ in range(2):
        with pytest.raises(StoreFailed, match="(?s)could not be written.*put the folder back"):
            spool.append(frame(2))
    (tmp_path / "w1").mkdir()
    spool.append(frame(3))

    assert frames(tmp_path) == [frame(3)]
    spool.close()


@pytest.mark.parametrize("away", ["moved", "removed"])
def test_a_folder_that_went_away_is_told_at_the_sync(tmp_path: Path, away: str) -> None:
    spool = Spool(tmp_path / "w1")
    spool.append(frame(1))
    if away == "moved":
        (tmp_path / "w1").rename(tmp_path / "elsewhere")
    else:
        shutil.rmtree(tmp_path / "w1")

    with pytest.raises(StoreFailed, match="could not be written"):
        spool.sync()
    with pytest.raises(StoreFailed, match="could not be written"):
        spool.append(frame(2))


def test_a_file_that_went_away_is_told_at_the_sync_also_after_its_end(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit_bytes=START + len(frame(1)))
    spool.append(frame(1))
    for path in segments(tmp_path):
        path.unlink()
    spool.append(frame(2))

    with pytest.raises(StoreFailed, match="could not be written"):
        spool.sync()

    spool.append(frame(3))
    spool.sync()
    assert frames(tmp_path) == [frame(2), frame(3)]
    spool.close()


def test_a_disk_that_fails_to_sync_is_told_and_its_segment_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path)
    spool.append(frame(1))

    def broken(fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", broken)
    with pytest.raises(StoreFailed, match="Input/output error"):
        spool.sync()
    monkeypatch.undo()
    spool.append(frame(2))
    spool.sync()

    assert len(segments(tmp_path)) == 2
    spool.close()


def test_a_place_that_cannot_be_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreFailed, match="could not be written"):
        Spool(tmp_path / "file" / "spool")


def test_rotating_ends_a_segment_that_holds_something(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.rotate()
    assert len(segments(tmp_path)) == 1

    spool.append(frame(1))
    spool.rotate()

    assert [writer_lives(path) for path in segments(tmp_path)] == [False, True]
    spool.close()


def test_a_process_that_only_appends_loads_no_database_library() -> None:
    code = (
        "import sys; from everfit.store.log.spool import Spool; "
        "print({'sqlalchemy', 'polars', 'numpy', 'sqlite3'} & set(sys.modules))"
    )

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert said.stdout.strip() == "set()"


def test_the_next_segment_is_ready_before_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path, limit_bytes=START + 10 * len(frame(0)))
    for n in range(6):
        spool.append(frame(n))
    spool.sync()
    (spare,) = tmp_path.glob("*.new")
    assert writer_lives(spare)

    def slow(*given: object) -> None:
        raise AssertionError("a request waited for the disk")

    with monkeypatch.context() as patch:
        for name in ("posix_fallocate", "fdatasync", "fsync", "open", "ftruncate"):
            patch.setattr(os, name, slow)
        for n in range(6, 15):
            spool.append(frame(n))

    first, second = segments(tmp_path)
    assert frames(tmp_path) == [frame(n) for n in range(15)]
    assert writer_lives(first)
    spool.sync()
    assert [writer_lives(path) for path in (first, second)] == [False, True]
    assert first.stat().st_size == START + 10 * len(frame(0))
    spool.close()
    assert not list(tmp_path.glob("*.new"))


def test_a_disk_that_is_full_when_the_next_segment_is_made_is_told_when_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path, limit_bytes=START + 3 * len(frame(0)))

    def full(*given: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for n in range(2):
        spool.append(frame(n))
    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", full)
        spool.sync()
        spool.append(frame(2))
        with pytest.raises(StoreFailed, match="make room on the disk"):
            spool.append(frame(3))
    spool.append(frame(4))

    assert frames(tmp_path) == [frame(0), frame(1), frame(2), frame(4)]
    spool.close()


def test_frames_appended_while_a_sync_failed_are_told_at_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path)
    spool.append(frame(1))

    def broken(fd: int) -> None:
        spool.append(frame(2))  # as another thread would
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", broken)
    with pytest.raises(StoreFailed, match="Input/output error"):
        spool.sync()
    monkeypatch.undo()

    with pytest.raises(StoreFailed, match="Input/output error"):
        spool.sync()
    spool.sync()
    spool.close()
