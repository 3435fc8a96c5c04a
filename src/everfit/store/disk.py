"""Whether a folder lies on a network file system, where the locks of SQLite cannot be trusted."""

from __future__ import annotations

import os
import re
from pathlib import Path

from everfit.errors import SettingsError

MOUNTS = Path("/proc/self/mountinfo")  # Linux alone; elsewhere nothing is known
ALLOW = "EVERFIT_NETWORK_STORE"
# https://www.sqlite.org/howtocorrupt.html, 2.1: locks of network file systems are often broken
NETWORK = re.compile(
    r"nfs\d*|cifs|smb\w*|afs|ceph|lustre|gpfs|beegfs|glusterfs|pvfs2|davfs|ncpfs|acfs|"
    r"fuse\.(sshfs|s3fs|gcsfuse|goofys|rclone|glusterfs|ceph\S*|juicefs|davfs2?|blobfuse2?|smb\S*|"
    r"mount-s3|\S*nfs\S*)"
)


def network_file_system(folder: Path) -> str | None:
    """The type of the network file system that ``folder`` lies on, or will lie on; None for a disk.

    Where the system does not tell (not Linux), the answer is None too.
    """
    try:
        mounts = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return None
    where, kind = "", ""
    path = os.path.realpath(folder)  # a folder that is not there yet, but its parents are
    for line in mounts.splitlines():
        place, found = _mount(line)
        under = path == place or path.startswith(place.rstrip("/") + "/")
        if under and len(place) >= len(where):  # of two on one place, the later hides the earlier
            where, kind = place, found
    return kind if NETWORK.fullmatch(kind) else None


def check(folder: Path) -> None:
    """Refuse to keep an SQLite file in ``folder`` when it lies on a network file system.

    Raises
    ------
    SettingsError : it does, and ``EVERFIT_NETWORK_STORE`` does not say to use it all the same
    """
    kind = network_file_system(folder)
    if kind is None or os.environ.get(ALLOW) == "1":
        return
    raise SettingsError(
        f"the store {folder} would lie on a network file system",
        got=f"{kind}, whose locks may let two writers damage an SQLite file",
        expected="a local disk, or a PostgreSQL database",
        do="use --store with a local folder or postgresql+psycopg://...; when one machine alone "
        f"uses the folder, {ALLOW}=1 takes the risk",
    )


def _mount(line: str) -> tuple[str, str]:
    """The place and the type that one line of mountinfo tells (proc_pid_mountinfo(5))."""
    before, _, after = line.partition(" - ")
    place = re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), before.split()[4])
    return place, after.split()[0]
