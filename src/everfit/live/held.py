"""A folder that one keeper at a time may have."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from everfit.errors import StoreBusy, StoreFailed

FILE = "keeper.lock"


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold ``folder`` for the block; the kernel lets go of it when this process ends, however.

    Raises
    ------
    StoreBusy : another process has it; says its id
    StoreFailed : the folder cannot be made or written
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreFailed(
            "the folder where requests are logged cannot be used",
            got=f"{folder}: {error.strerror or error}",
            expected="a folder that can be written",
            do="free space, give it rights, or set [serve] spool to another folder",
        ) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = os.pread(handle, 32, 0).decode(errors="replace").strip() or "another process"
            raise StoreBusy(
                "this store is served already",
                got=f"process {pid} serves it",
                expected="one everfit serve for a store on one machine",
                do="use that one, or stop it first",
            ) from error
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(handle)
