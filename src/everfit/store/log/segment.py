"""A segment: one file of a spool, as the process has it that writes it.

Where that is safe its file has its whole length from the start and is mapped, so that a frame is
handed over by copying it: a page that was written to is in the operating system's hands as after a
``write`` and survives the process, and no call is made. What was not written yet reads as zeros,
and zeros where a frame would begin are the end. The first byte of a frame is stored last: a
reader, and a kill between two stores, finds a whole frame there or the end.

A file that is cut short under its mapping kills the process (SIGBUS). Only its writer shortens
it, after it let go of the mapping; room is reserved, so that no store finds the disk full.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import struct
from contextlib import suppress
from pathlib import Path

SEGMENT = struct.Struct("<8s16s")  # magic, identity
MAGIC = b"EVSPOOL1"
START = SEGMENT.size  # the offset of the first frame
# where reserved room is there when it is needed; those that copy on write (Btrfs, ZFS) may have
# none left, and a network's may lose it
RESERVING = frozenset(("ext4", "xfs", "tmpfs"))
UNABLE = frozenset((errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENODEV, errno.ENOMEM))
RESIDENT = 1 << 20  # pages that were written count as the process's memory: so much is kept


class Segment:
    """A file to which frames are put, under a hidden name at first and locked.

    Parameters
    ----------
    hidden : its path until :meth:`named` gives it another; there must be no such file
    n_bytes : room for its head and frames; when not mapped, a limit that the caller keeps
    mapped : reserve and map that room, if the system can

    Raises
    ------
    OSError : it cannot be made; nothing of it is left
    """

    __slots__ = ("_mapping", "_resident", "fd", "listed", "n_bytes", "path", "synced", "used")

    def __init__(self, hidden: str, n_bytes: int, *, mapped: bool) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self.path, self.n_bytes = hidden, n_bytes
        self.fd = os.open(hidden, flags, 0o600)
        self._mapping: mmap.mmap | None = None
        self._resident = 0  # where pages begin that may count as memory
        self.used = self.synced = START
        self.listed = False  # whether its name survives a power cut
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX)
            if mapped:
                self._map()
            if os.write(self.fd, SEGMENT.pack(MAGIC, os.urandom(16))) != START:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fdatasync(self.fd)
        except OSError:
            self.discard()
            raise

    def named(self, path: str) -> Segment:
        """The segment, under the name by which readers know it; ``OSError``: it is discarded."""
        try:
            os.rename(self.path, path)
        except OSError:
            self.discard()
            raise
        self.path = path
        return self

    def put(self, frame: bytes) -> None:
        """Hand a frame to the operating system; the caller knows that it fits.

        Raises
        ------
        OSError : half of it may stand there, until :meth:`end`
        """
        at, end = self.used, self.used + len(frame)
        mapping = self._mapping
        if mapping is None:
            if os.write(self.fd, frame) != len(frame):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        else:
            mapping[at + 1 : end] = frame[1:]
            mapping[at] = frame[0]
            if end - self._resident > RESIDENT:
                self._leave(mapping, end)
        self.used = end

    def look(self) -> None:
        """Raise ``OSError`` when the file has gone: it can still be written, and all is lost."""
        ours, there = os.fstat(self.fd), os.stat(self.path)
        if (ours.st_ino, ours.st_dev) != (there.st_ino, there.st_dev):
            raise FileNotFoundError(
                errno.ENOENT, "another file took the place of the spool's", self.path
            )

    def sync(self, used: int) -> None:
        """Wait until the disk has what was put before ``used``, and the file's name.

        Raises
        ------
        OSError : it does not take it, or the file has gone
        """
        # takes the pages of a mapping too: Linux write-protects a page that it has written out,
        # so that the next store marks it anew; msync would do no more than this
        os.fdatasync(self.fd)
        self.look()
        if not self.listed:
            fd = os.open(os.path.dirname(self.path), os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
            self.listed = True
        self.synced = used

    def cut(self) -> None:
        """Shorten the file to what was put, as far as the disk allows; no frame can follow."""
        mapping, self._mapping = self._mapping, None
        if mapping is not None:
            mapping.close()
        self.n_bytes = 0
        with suppress(OSError):  # zeros or half a frame at the end are left out by every reader
            os.ftruncate(self.fd, self.used)

    def end(self) -> None:
        """Let go of the file, shortened, so that a reader can take it away."""
        if self.fd >= 0:
            self.cut()
            os.close(self.fd)
            self.fd = -1

    def discard(self) -> None:
        """Remove the file, in which there is no frame."""
        with suppress(OSError):
            os.unlink(self.path)
        self.end()

    def _map(self) -> None:
        try:
            os.posix_fallocate(self.fd, 0, self.n_bytes)
            self._mapping = mmap.mmap(self.fd, self.n_bytes)
        except OSError as error:
            if error.errno not in UNABLE:
                raise
            os.ftruncate(self.fd, 0)

    def _leave(self, mapping: mmap.mmap, end: int) -> None:
        """Take written pages out of the process's memory; they stay the file's, to be written."""
        start, self._resident = self._resident, end - end % mmap.PAGESIZE
        mapping.madvise(mmap.MADV_DONTNEED, start, self._resident - start)


def reserves(folder: Path) -> bool:
    """Whether room that is reserved for a file in ``folder`` is there when it is written.

    Source: proc_pid_mountinfo(5).
    """
    if not hasattr(os, "posix_fallocate"):
        return False
    device = os.stat(folder).st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    with suppress(OSError), open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        for line in mounts:
            mount, _, rest = line.partition(" - ")
            if mount.split(" ")[2] == number:
                return rest.split(" ")[0] in RESERVING
    return False
