"""Folders of a store: versions of models, finished work, and the key that signs manifests.

::

    STORE/models/<model>/v<N>/    a packed version; appears whole or not at all
    STORE/work/<key>/             the files of one finished trial
    STORE/staging/<owner>.<id>/   what is being written; renamed into place when complete
    STORE/staging/run-<id>/       scratch of a run; gone when it ends, or when the next one begins
    STORE/key                     32 random bytes, readable by the owner alone
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Set
from contextlib import contextmanager
from pathlib import Path

from everfit.errors import ArtefactRefused, StoreFailed
from everfit.records import Version
from everfit.store.contract import model_name, work_key
from everfit.store.holds.owner import Owner, is_gone, this_process

STALE_S = 86_400.0  # staging of another host is left alone for a day
ORPHAN_S = 3_600.0  # finished work waits this long for its row


class Artefacts:
    """The folders under ``root``; every write is durable and whole, or leaves nothing behind."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, model: str, number: int) -> Path:
        """Where version ``number`` of ``model`` lies, or will lie."""
        return self.root / "models" / model_name(model) / f"v{number}"

    def work(self, key: str) -> Path:
        """Where the files of finished work lie, or will lie."""
        return self.root / "work" / work_key(key)

    def stage(self) -> Path:
        """A new empty folder inside the store to write to, before it is placed.

        Raises
        ------
        StoreFailed : disk full or no rights
        """
        owner = this_process()
        folder = self.root / "staging" / f"{_short(owner.host)}.{owner.pid}.{secrets.token_hex(6)}"
        with told(self.root):
            folder.mkdir(parents=True)
        return folder

    @contextmanager
    def writing(self, model: str, number: int) -> Iterator[Path]:
        """A folder to pack a version into; in place when the block ends, gone when it raises.

        Raises
        ------
        StoreFailed : disk full or no rights; nothing is left behind
        """
        staged = self.stage()
        try:
            with told(self.root):
                yield staged
            self.place(staged, self.folder(model, number))
        finally:
            shutil.rmtree(staged, ignore_errors=True)

    def place(self, staged: Path, target: Path) -> Path:
        """Make ``staged`` durable and rename it to ``target``; ``staged`` is gone afterwards.

        A folder from another file system is copied first. When it cannot be placed, the copy is
        removed and nothing is at ``target``.

        Raises
        ------
        StoreFailed : disk full, no rights, or ``target`` is there already
        """
        near = staged
        with told(self.root):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                if staged.stat().st_dev != self.root.stat().st_dev:
                    near = self.stage()
                    shutil.copytree(staged, near, dirs_exist_ok=True)
                sync_tree(near)
                os.rename(near, target)  # refuses a target that holds files
                self._sync_up(target.parent)
            finally:
                if near is not staged:
                    shutil.rmtree(near, ignore_errors=True)  # only there when it failed
        if near is not staged:
            shutil.rmtree(staged, ignore_errors=True)
        return target

    def _sync_up(self, folder: Path) -> None:
        """Make the names of ``folder`` and of all above it durable, up to the store's root."""
        _sync(folder)
        while folder != self.root and self.root in folder.parents:
            folder = folder.parent
            _sync(folder)

    def keep_work(self, key: str, payload: Path) -> tuple[Path, str]:
        """Move ``payload`` to the work of ``key``; gives its place and hash."""
        target = self.work(key)
        if payload.resolve() == target.resolve():
            with told(self.root):
                sync_tree(target)
                _sync(target.parent)
        else:
            # what lies there has no row, or its files are not what was saved
            shutil.rmtree(target, ignore_errors=True)
            try:
                self.place(payload, target)
            except StoreFailed:
                if not target.is_dir():
                    raise  # else a run of another model did the same work a moment before
        return target, tree_sha256(target)

    def check(self, version: Version) -> Path:
        """The folder of ``version`` when its manifest is the one that was committed.

        Each file is held against the manifest when the version is opened.

        Raises
        ------
        ArtefactRefused : the manifest is missing or has another hash
        """
        manifest = Path(version.folder) / "manifest.json"
        try:
            got = hashlib.sha256(manifest.read_bytes()).hexdigest()
        except OSError as error:
            got = f"cannot be read: {error.strerror}"
        if got != version.sha256:
            raise ArtefactRefused(
                f"{version.name} of {version.model!r} is not what was packed: {manifest}",
                got=got,
                expected=version.sha256,
                do=f"everfit rollback {version.model}, or put the folder back from a copy",
            )
        return Path(version.folder)

    def key(self) -> bytes:
        """The 32 bytes that sign manifests; made at the first call, mode 0600."""
        path = self.root / "key"
        with told(self.root):
            if not path.exists():
                self._make_key(path)
            return path.read_bytes()

    def _make_key(self, path: Path) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        draft = self.root / f"key.{os.getpid()}.{secrets.token_hex(4)}"
        handle = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(secrets.token_bytes(32))
                file.flush()
                os.fsync(file.fileno())
            # two first runs at once: link fails for the second, which then reads the first's
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink(missing_ok=True)
        _sync(self.root)

    def forget_versions(self, model: str, known: Set[int]) -> None:
        """Remove version folders that no row knows: left by a kill between rename and commit.

        Only for the holder of ``model``: nobody else packs it.
        """
        for folder in (self.root / "models" / model).glob("v*"):
            if folder.name[1:].isdigit() and int(folder.name[1:]) not in known:
                shutil.rmtree(folder, ignore_errors=True)

    def drop_work(self, key: str) -> None:
        """Remove the files of finished work whose row is gone."""
        shutil.rmtree(self.work(key), ignore_errors=True)

    def forget_work(self, known: Set[str]) -> int:
        """Remove work without a row, once it is old enough not to be in the making."""
        dropped = 0
        for folder in (self.root / "work").glob("*"):
            if folder.name not in known and _age_s(folder) > ORPHAN_S:
                shutil.rmtree(folder, ignore_errors=True)
                dropped += 1
        return dropped

    def forget_staging(self, ended: Set[int] = frozenset()) -> None:
        """Remove what dead processes left half written, and the scratch of runs that ``ended``."""
        for folder in (self.root / "staging").glob("run-*"):
            if folder.name[4:].isdigit() and int(folder.name[4:]) in ended:
                shutil.rmtree(folder, ignore_errors=True)
        here = this_process().host
        for folder in (self.root / "staging").glob("*.*.*"):
            host, pid, _ = folder.name.split(".", 2)
            gone = host == _short(here) and pid.isdigit()
            if gone:
                gone = is_gone(Owner(int(pid), here, ""), host=here)
            if gone or _age_s(folder) > STALE_S:
                shutil.rmtree(folder, ignore_errors=True)


def tree_sha256(folder: Path) -> str:
    """A hash of all files in ``folder``: their names and contents, in order of name."""
    total = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return total.hexdigest()


def sync_tree(folder: Path) -> None:
    """Ask the disk to keep every file and folder under ``folder``.

    Raises
    ------
    OSError : the disk could not
    """
    for where, _, names in os.walk(folder, topdown=False):
        for name in names:
            _sync(Path(where) / name)
        _sync(Path(where))


@contextmanager
def told(place: Path) -> Iterator[None]:
    """Turn what the disk refuses inside the block into ``StoreFailed``."""
    try:
        yield
    except (OSError, shutil.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise StoreFailed(
            f"the store {place} could not be written",
            got=reason
            if getattr(error, "filename", None) is None
            else f"{reason}: {error.filename}",
            expected="room and rights to write",
            do="make room on the disk or use another place with --store, then repeat the command",
        ) from error


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0  # another process removed it


def _short(host: str) -> str:
    return hashlib.sha256(host.encode()).hexdigest()[:8]
