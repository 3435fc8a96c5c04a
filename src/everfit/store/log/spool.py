"""Spools: files to which one process appends frames, so that they survive its death.

A segment is made under another name, locked, and only then given its own: whoever can lock
``*.spool`` knows that its writer is gone. It starts with a head that holds a random identity, by
which a reader remembers how far it came. The next segment is made, and the last one ended, where
somebody waits for the disk anyway: in :meth:`Spool.sync`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from binascii import crc32
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

from everfit.errors import StoreFailed
from everfit.store.log.frames import HEAD, MARK, MOST_BYTES
from everfit.store.log.segment import MAGIC, START, Segment, reserves

__all__ = [
    "START", "Spool", "behind", "read_segment", "segment_id", "segments", "writer_lives",
]  # fmt: skip
LOOK_S = 0.05  # how often the folder is asked whether it still holds our file
PIECE = 1 << 16  # bytes that are read at once
WINDOW = 32  # no frame has so many zeros in a row


class Spool:
    """Appends frames to segments in ``folder``; for one process and all of its threads.

    Parameters
    ----------
    folder : made when it is not there
    limit_bytes : the size of a segment; a larger frame gets one of its own
    mapped : copy frames into mapped files instead of writing them; None: where that is safe

    Raises
    ------
    StoreFailed : the folder cannot be made or written

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> from everfit.store.log.frames import outcomes_frame
    >>> spool = Spool(Path(mkdtemp()))
    >>> spool.append(outcomes_frame("churn", 0, b"[]"))
    >>> spool.close()
    """

    def __init__(
        self, folder: Path, *, limit_bytes: int = 4 << 20, mapped: bool | None = None
    ) -> None:
        self.folder = folder
        self.limit_bytes = limit_bytes
        self._name = f"{os.getpid()}-{time.time_ns():x}"
        self._number = 0
        self._hidden = count(1)
        self._turn = threading.Lock()  # for the segment; whoever holds it waits for no disk
        self._syncing = threading.Lock()  # taken before the other: a sync waits for the one before
        self._segment: Segment | None = None
        self._spare: Segment | None = None
        self._ended: list[Segment] = []
        self._lost: OSError | None = None
        self._look_at = 0.0
        try:
            os.makedirs(folder, exist_ok=True)
            self._mapped = reserves(folder) if mapped is None else mapped
            with self._turn:
                self._begin(0)
        except OSError as error:
            raise _failed(folder, error) from error

    def append(self, frame: bytes) -> None:
        """Hand one frame to the operating system: from then on it survives this process.

        Raises
        ------
        StoreFailed : disk full, folder gone or disk broken; nothing of the frame is kept
        """
        with self._turn:
            segment = self._segment
            try:
                if segment is None or segment.used + len(frame) > segment.n_bytes:
                    segment = self._begin(len(frame))
                if (now := time.monotonic()) > self._look_at:
                    segment.look()
                    self._look_at = now + LOOK_S
                segment.put(frame)
            except OSError as error:
                if segment is not None and segment is self._segment:
                    self._give_up(segment)
                raise _failed(self.folder, error) from error

    def sync(self) -> None:
        """Return when all that was appended before survives a power cut too.

        Raises
        ------
        StoreFailed : the disk did not take it, or the file is gone
        """
        with self._syncing:
            with self._turn:
                ended, self._ended = self._ended, []
                error, self._lost = self._lost, None
                current = [] if self._segment is None else [self._segment]
                work = [(item, item.used) for item in (*ended, *current)]
            for segment, used in work:
                if segment.synced < used:
                    error = self._write_out(segment, used) or error
            for segment in ended:
                segment.end()
            if error is not None:
                raise _failed(self.folder, error) from error
            self._prepare()

    def rotate(self) -> None:
        """End the segment, unless it is empty, so that a reader can take it away.

        Raises
        ------
        StoreFailed : as :meth:`append`
        """
        with self._syncing, self._turn:
            try:
                if self._segment is None or self._segment.used > START:
                    self._begin(0)
                self._finish()
            except OSError as error:
                raise _failed(self.folder, error) from error

    def close(self) -> None:
        """Sync and end the segment; a later append would begin another.

        Raises
        ------
        StoreFailed : the disk did not take the last frames
        """
        with self._syncing, self._turn:
            if self._segment is not None:
                self._ended.append(self._segment)
                self._segment = None
            if self._spare is not None:
                self._spare.discard()
                self._spare = None
            try:
                self._finish()
            except OSError as error:
                raise _failed(self.folder, error) from error

    def _begin(self, n_bytes: int) -> Segment:
        """A segment with room for a frame; the one before waits in ``_ended`` for its end."""
        path = os.path.join(self.folder, f"{self._name}-{self._number + 1:06d}.spool")
        segment, (spare, self._spare) = None, (self._spare, None)
        if spare is not None and START + n_bytes > spare.n_bytes:
            spare.discard()
        elif spare is not None:
            with suppress(OSError):  # another folder is in its place: a new one may be made there
                segment = spare.named(path)
        if segment is None:
            segment = self._made(n_bytes).named(path)
        if self._segment is not None:
            self._ended.append(self._segment)
        self._segment, self._number = segment, self._number + 1
        self._look_at = time.monotonic() + LOOK_S
        if len(self._ended) > 1 and self._syncing.acquire(blocking=False):
            try:
                self._finish()  # nobody syncs
            finally:
                self._syncing.release()
        return segment

    def _made(self, n_bytes: int) -> Segment:
        hidden = os.path.join(self.folder, f"{self._name}-n{next(self._hidden)}.spool.new")
        n_bytes = max(self.limit_bytes, START + n_bytes)
        return Segment(hidden, n_bytes, mapped=self._mapped)

    def _prepare(self) -> None:
        """Have the next segment ready before it is needed."""
        segment = self._segment
        if segment is None or self._spare is not None or segment.used * 2 < segment.n_bytes:
            return
        try:
            spare = self._made(0)
        except OSError:
            return  # who needs it will try again and tell
        with self._turn:
            self._spare = spare

    def _write_out(self, segment: Segment, used: int) -> OSError | None:
        """Wait for the disk; only who has ``_syncing`` ends segments meanwhile."""
        try:
            segment.sync(used)
        except OSError as error:
            with self._turn:
                if segment.used > used:
                    self._lost = error  # whoever appended meanwhile is told too
                if segment is self._segment:
                    self._segment = None
                    segment.end()
            return error
        self._look_at = time.monotonic() + LOOK_S
        return None

    def _finish(self) -> None:
        """Sync and end what waits for it."""
        ended, self._ended = self._ended, []
        failed: OSError | None = None
        for segment in ended:
            try:
                if segment.synced < segment.used:
                    os.fdatasync(segment.fd)
            except OSError as error:
                failed = error
            finally:
                segment.end()
        if failed is not None:
            self._lost = failed
            raise failed

    def _give_up(self, segment: Segment) -> None:
        """Leave nothing half-written, and never write behind it."""
        segment.cut()
        self._segment = None
        self._ended.append(segment)


def segments(folder: Path) -> list[Path]:
    """The segments in ``folder`` and in the folders within it, oldest first."""
    found = [*folder.glob("*.spool"), *folder.glob("*/*.spool")]
    return sorted(found, key=_age)


def segment_id(path: Path) -> str:
    """The identity of a segment, 32 hexadecimal digits; empty when its head is damaged."""
    with path.open("rb") as file:
        head = file.read(START)
    if len(head) < START or not head.startswith(MAGIC):
        return ""
    return head[len(MAGIC) :].hex()


def writer_lives(path: Path) -> bool:
    """Whether the process that writes this segment is alive and may append to it."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(fd)


def behind(path: Path, offset: int) -> int:
    """About how many bytes of frames stand behind ``offset``; 0 only when there are none.

    Frames have no long runs of zeros, and room that is not used yet has nothing else.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        low, high = max(offset, START), os.fstat(fd).st_size
        start = low
        if not os.pread(fd, 1, low).strip(b"\0"):
            return 0
        while low < high:
            middle = (low + high) // 2
            if os.pread(fd, WINDOW, middle).strip(b"\0"):
                low = middle + 1
            else:
                high = middle
        return low - start
    finally:
        os.close(fd)


def read_segment(
    path: Path,
    offset: int,
    *,
    damaged: Callable[[int, bytes], None] | None = None,
    ended: bool = False,
) -> Iterator[tuple[int, bytes]]:
    """Each whole frame from ``offset`` on, with the offset behind it.

    Bytes that are no frame but stand before one are passed over. What stands at the end may be
    a frame under way: it is left, unless the segment is ``ended``.

    Parameters
    ----------
    offset : 0, or what came with an earlier frame
    damaged : told of bytes that were passed over, and where; half a frame at the very end of an
        ended segment was never acknowledged and is not told
    """
    at = max(offset, START)
    with path.open("rb", buffering=0) as file:
        while data := _piece(file.fileno(), at):
            start, view = at, memoryview(data)
            while end := _end_of_frame(view, at - start):
                yield start + end, data[at - start : end]
                at = start + end
            if at > start:
                continue
            if data[0] == 0 and not ended:
                return
            # read anew: it was under way, perhaps, when what stands behind it was there already
            data = os.pread(file.fileno(), os.fstat(file.fileno()).st_size - at, at)
            if end := _end_of_frame(memoryview(data), 0):
                yield at + end, data[:end]
                at += end
            elif follows := _next_frame(data, 1):
                if damaged:
                    damaged(at, data[:follows])
                at += follows
            else:
                if ended and damaged and not _is_torn(data):
                    damaged(at, data.rstrip(b"\0"))
                return


def _piece(fd: int, at: int) -> bytes:
    """Bytes from ``at`` on; all of the frame that begins there, if one does."""
    data = os.pread(fd, PIECE, at)
    if len(data) == PIECE:
        mark, length, _ = HEAD.unpack_from(data)
        if mark == MARK and HEAD.size + length > PIECE:
            data = os.pread(fd, min(HEAD.size + length, os.fstat(fd).st_size - at), at)
    return data


def _end_of_frame(data: memoryview, at: int) -> int:
    """Where the frame at ``at`` ends; 0 when there is no whole frame."""
    if len(data) - at < HEAD.size:
        return 0
    mark, length, check = HEAD.unpack_from(data, at)
    start = at + HEAD.size
    end = int(start + length)
    if mark != MARK or length > MOST_BYTES or end > len(data):
        return 0
    return end if crc32(data[start:end]) == check else 0


def _next_frame(data: bytes, at: int) -> int:
    view = memoryview(data)
    while (at := data.find(MARK, at)) >= 0:
        if _end_of_frame(view, at):
            return at
        at += 1
    return 0


def _is_torn(data: bytes) -> bool:
    """Whether what stands at the end is half a frame: cut short, or its first byte not stored."""
    if len(data) < HEAD.size:
        return data[:1] == b"\0" or MARK.startswith(data[: len(MARK)])
    mark, length, _ = HEAD.unpack_from(data)
    return data[0] == 0 or bool(mark == MARK and HEAD.size + length > len(data))


def _age(path: Path) -> tuple[int, str, str]:
    start = path.name.split("-")[1] if path.name.count("-") == 2 else ""
    return len(start), start, path.name  # hexadecimal: longer is later


def _failed(folder: Path, error: OSError) -> StoreFailed:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return StoreFailed(
        f"the spool in {folder} could not be written",
        got=f"{error.strerror}",
        expected="room on the disk, and the folder in its place",
        do="make room on the disk" if full else "put the folder back and check its rights",
    )
