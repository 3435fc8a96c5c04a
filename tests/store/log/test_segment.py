"""Segments: mapped or written, under way, cut off by a kill."""

from __future__ import annotations

import errno
import mmap
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from everfit.store.log import segment as segment_module
from everfit.store.log.segment import Segment
from everfit.store.log.spool import (
    START,
    Spool,
    behind,
    read_segment,
    segments,
    writer_lives,
)
from tests.store.log.appending import frame, frames, mapped
from tests.store.test_kill import Countdown, _around, quick_disk

__all__ = ["mapped", "quick_disk"]


def test_a_segment_under_way_ends_where_nothing_was_written(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    (path,) = segments(tmp_path)
    assert (list(read_segment(path, 0)), behind(path, 0)) == ([], 0)
    spool.append(frame(1))
    spool.append(frame(2))

    ((first, _), (last, _)) = read_segment(path, 0)

    assert [behind(path, at) for at in (0, first, last)] == [last - START, last - first, 0]
    spool.close()
    assert path.stat().st_size == last
    assert list(read_segment(path, last, ended=True)) == []


def test_a_mapped_segment_has_its_room_from_the_start(tmp_path: Path, mapped: bool) -> None:
    spool = Spool(tmp_path, limit_bytes=1 << 20)

    (path,) = segments(tmp_path)

    assert path.stat().st_size == (1 << 20 if mapped else START)
    assert (path.stat().st_blocks * 512 >= 1 << 20) == mapped
    spool.close()
    assert path.stat().st_size == START


@pytest.mark.parametrize("broken", ["posix_fallocate", "mmap"])
def test_where_a_file_cannot_be_mapped_frames_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def unable(*given: object) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os if broken == "posix_fallocate" else mmap, broken, unable)
    spool = Spool(tmp_path, mapped=True)
    spool.append(frame(1))
    spool.sync()

    (path,) = segments(tmp_path)
    assert path.stat().st_size == START + len(frame(1))
    assert frames(tmp_path) == [frame(1)]
    spool.close()


def test_only_file_systems_that_keep_room_are_mapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = subprocess.run(
        ["stat", "-f", "-c", "%T", str(tmp_path)], capture_output=True, text=True, check=True
    ).stdout.strip()
    known = {"ext2/ext3": "ext4", "xfs": "xfs", "tmpfs": "tmpfs"}.get(kind, kind)

    assert segment_module.reserves(tmp_path) == (known in {"ext4", "xfs", "tmpfs"})
    monkeypatch.setattr(segment_module, "RESERVING", frozenset((known,)))
    assert segment_module.reserves(tmp_path)
    monkeypatch.setattr(segment_module, "RESERVING", frozenset(("another",)))
    assert not segment_module.reserves(tmp_path)


def test_half_a_frame_that_was_never_published_is_left_out(tmp_path: Path) -> None:
    """What a kill between the stores of one frame leaves, at every point."""
    spool = Spool(tmp_path, mapped=True)
    spool.append(frame(1))
    (path,) = segments(tmp_path)
    at = START + len(frame(1))
    told: list[tuple[int, bytes]] = []
    for cut in range(1, len(frame(2)) + 1):
        with path.open("r+b") as file:
            file.seek(at)
            file.write(b"\0" + frame(2)[1:cut])
        for ended in (False, True):
            found = list(
                read_segment(path, 0, damaged=lambda *what: told.append(what), ended=ended)
            )
            assert [item for _, item in found] == [frame(1)]
    assert told == []
    spool.append(frame(3))

    assert frames(tmp_path) == [frame(1), frame(3)]
    spool.close()


def test_a_lost_page_before_whole_frames_is_told_once_its_writer_is_gone(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for n in range(3):
        spool.append(frame(n))
    (path,) = segments(tmp_path)
    at, size = START + len(frame(0)), len(frame(1))
    with path.open("r+b") as file:
        file.seek(at)
        file.write(bytes(size))
    told: list[tuple[int, bytes]] = []

    def read(ended: bool) -> list[bytes]:
        found = read_segment(path, 0, damaged=lambda *what: told.append(what), ended=ended)
        return [item for _, item in found]

    assert (read(ended=False), told) == ([frame(0)], [])
    assert (read(ended=True), told) == ([frame(0), frame(2)], [(at, bytes(size))])
    spool.close()


def test_a_frame_that_was_under_way_at_the_first_look_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader may see a later frame whole and the one before it not yet."""
    spool = Spool(tmp_path)
    spool.append(frame(0))
    spool.append(frame(1))
    (path,) = segments(tmp_path)
    pread = os.pread
    looks: list[int] = []

    def early(fd: int, n: int, at: int) -> bytes:
        data = bytearray(pread(fd, n, at))
        if not looks and at == START:
            data[len(frame(0)) - 1] = 0
        looks.append(at)
        return bytes(data)

    monkeypatch.setattr(os, "pread", early)
    told: list[tuple[int, bytes]] = []

    found = list(read_segment(path, 0, damaged=lambda *what: told.append(what)))

    assert ([item for _, item in found], told) == ([frame(0), frame(1)], [])
    spool.close()


def test_a_frame_larger_than_a_segment_and_than_a_piece_of_reading(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit_bytes=100_000)
    sent = [frame(1), frame(2, size=300_000), frame(3, size=70_000), frame(4, size=70_000)]
    for item in sent:
        spool.append(item)

    assert frames(tmp_path) == sent
    spool.close()


def test_written_pages_do_not_stay_in_the_memory_of_the_process(tmp_path: Path) -> None:
    code = f"""
import os
from pathlib import Path
from typing import Any
from everfit.store.log.spool import Spool
from everfit.store.log.frames import outcomes_frame
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
spool = Spool(Path({str(tmp_path)!r}), mapped=True, limit_bytes=32 << 20)
frame = outcomes_frame("churn", 0, bytes(700))
before = resident()
for _ in range(40_000):
    spool.append(frame)
print((resident() - before) >> 20, os.stat(spool._segment.path).st_blocks >> 11)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    grown, size = map(int, said.stdout.split())
    assert size == 32
    assert grown <= 3
    assert len(frames(tmp_path)) == 40_000


def test_a_reader_beside_the_writer_gets_each_frame_once(tmp_path: Path) -> None:
    n_frames = 50_000

    def write() -> None:
        spool = Spool(tmp_path, limit_bytes=400_000)
        for n in range(n_frames):
            spool.append(frame(n, size=n * 7919 % 200))
            if n % 500 == 0:
                spool.sync()
        spool.close()

    writer = os.fork()
    if writer == 0:
        code = 1
        try:
            write()
            code = 0
        finally:
            os._exit(code)
    positions: dict[Path, int] = {}
    found: list[bytes] = []
    told: list[tuple[int, bytes]] = []
    looks, over = 0, False
    while not over:
        over = os.waitpid(writer, os.WNOHANG)[0] != 0
        for path in segments(tmp_path):
            ended = not writer_lives(path)
            for end, item in read_segment(
                path, positions.get(path, 0), damaged=lambda *what: told.append(what), ended=ended
            ):
                found.append(item)
                positions[path] = end
        looks += 1

    assert told == []
    assert len(found) == n_frames
    assert found == [frame(n, size=n * 7919 % 200) for n in range(n_frames)]
    assert looks > 20


def written_until_killed(tmp_path: Path, write: Callable[[int], None]) -> tuple[int, int]:
    """Let a child write until it dies; its exit status, and how many frames it had appended."""
    read, told = os.pipe()
    writer = os.fork()
    if writer == 0:
        code = 1
        try:
            write(told)
            code = 0
        finally:
            os._exit(code)
    os.close(told)
    with os.fdopen(read, "rb") as pipe:
        appended = len(pipe.read())
    status = os.waitstatus_to_exitcode(os.waitpid(writer, 0)[1])
    damage: list[tuple[int, bytes]] = []
    assert not any(writer_lives(path) for path in segments(tmp_path))
    found = [
        item
        for path in segments(tmp_path)
        for _, item in read_segment(path, 0, damaged=lambda *w: damage.append(w), ended=True)
    ]
    # the last one may have been appended and not told
    assert appended <= len(found) <= appended + 1
    assert found == [frame(n, size=n % 300) for n in range(len(found))]
    assert damage == []
    return status, appended


@pytest.mark.parametrize("seed", range(8))
def test_what_was_appended_before_a_kill_at_any_moment_is_read(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)

    def write(told: int) -> None:
        spool = Spool(tmp_path, limit_bytes=20_000)
        doom = threading.Timer(rng.uniform(0.001, 0.03), os.kill, (os.getpid(), signal.SIGKILL))
        doom.start()
        for n in count():
            spool.append(frame(n, size=n % 300))
            os.write(told, b".")
            if n % 50 == 49:
                spool.sync()

    status, _ = written_until_killed(tmp_path, write)

    assert status == -signal.SIGKILL


def test_a_kill_before_any_call_leaves_what_was_appended(quick_disk: Path) -> None:
    def write(told: int, point: int, folder: Path) -> None:
        countdown = Countdown(point)
        for name in ("open", "rename", "fdatasync", "fsync", "posix_fallocate", "ftruncate",
                     "close", "unlink"):  # fmt: skip
            setattr(os, name, _around(getattr(os, name), countdown))
        spool = Spool(folder, limit_bytes=200)
        for n in range(40):
            spool.append(frame(n, size=n % 300))
            os.write(told, b".")
            if 10 < n < 30 and n % 2 == 0:
                spool.sync()
        spool.rotate()
        spool.close()

    seen = set()
    for point in count(1):
        folder = quick_disk / str(point)
        folder.mkdir(parents=True)
        status, appended = written_until_killed(folder, partial(write, point=point, folder=folder))
        seen.add(appended)
        shutil.rmtree(folder)
        if status == 0:
            break
        assert status == -signal.SIGKILL

    assert point > 100
    assert len(seen) > 15


def test_the_first_byte_of_a_frame_is_stored_last(tmp_path: Path) -> None:
    class Stores(bytearray):
        """What a reader would find after each store."""

        seen: list[bytes]

        def __setitem__(self, where: Any, what: Any) -> None:
            super().__setitem__(where, what)
            self.seen.append(bytes(self))

    segment = Segment(str(tmp_path / "x.new"), 200, mapped=False)
    stores = Stores(200)
    stores.seen = []
    segment._mapping = stores  # type: ignore[assignment]
    segment.put(frame(1))

    *before, last = stores.seen
    assert before
    assert all(data[START] == 0 for data in before)
    assert last[START:].rstrip(b"\0") == frame(1)
    segment._mapping = None
    segment.discard()
