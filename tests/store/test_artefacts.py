"""Folders of a store: whole or not at all, also when the disk is full."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from everfit.errors import ArtefactRefused, StoreFailed
from everfit.store import open_store
from everfit.store.artefacts import Artefacts
from tests.store.build import decision, packed, release, version


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 1 MB."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except OSError:
        done = False
    if not done:
        pytest.skip("needs the right to mount a small disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def files(root: Path) -> list[str]:
    return sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())


def test_a_full_disk_while_packing_leaves_the_store_as_it_was(small_disk: Path) -> None:
    store = open_store(small_disk)
    run = store.begin_run("churn", {})
    release(store, run, 1)
    before, ledger = files(small_disk), store.decisions("churn")

    with (
        pytest.raises(StoreFailed, match="(?s)could not be written.*No space left"),
        store.artefacts.writing("churn", 2) as folder,
    ):
        (folder / "model.bin").write_bytes(b"x" * 2_000_000)

    assert files(small_disk) == before
    assert not list((small_disk / "staging").iterdir())
    assert store.decisions("churn") == ledger
    release(store, run, 2)
    assert store.next_number("churn") == 3


def test_a_full_disk_while_committing_leaves_the_ledger_as_it_was(small_disk: Path) -> None:
    store = open_store(small_disk)
    run = store.begin_run("churn", {})
    store.commit(decision(), run=run)
    ledger = store.decisions("churn")
    with pytest.raises(OSError, match="No space left"):
        (small_disk / "filler").write_bytes(b"x" * 2_000_000)

    with pytest.raises(StoreFailed, match="(?s)could not be written.*make room on the disk"):
        for _ in range(50):
            store.commit(decision(not_done=("x" * 5_000,)))
    (small_disk / "filler").unlink()

    reopened = open_store(small_disk)
    assert reopened.decisions("churn")[-1] == ledger[0]
    assert reopened.commit(decision(), run=run).id > ledger[0].id


def test_work_from_another_disk_is_copied_and_a_failed_copy_is_removed(
    small_disk: Path, tmp_path: Path
) -> None:
    store = open_store(small_disk)
    run = store.begin_run("churn", {})
    for name, size in (("fits", 1_000), ("large", 2_000_000)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.bin").write_bytes(b"x" * size)
    store.save_trial(run, "fits", {}, tmp_path / "fits")

    with pytest.raises(StoreFailed, match="No space left"):
        store.save_trial(run, "large", {}, tmp_path / "large")

    assert store.trial("fits") is not None
    assert store.trial("large") is None
    assert not list((small_disk / "staging").iterdir())
    assert not (small_disk / "work" / "large").exists()
    assert not (tmp_path / "fits").exists()
    assert (tmp_path / "large").exists()


def test_a_limit_on_file_size_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.begin_run("churn", {})
    before = files(tmp_path)
    pid = os.fork()
    if pid == 0:  # the limit holds for a whole process and cannot be lifted
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        try:
            with store.artefacts.writing("churn", 1) as folder:
                (folder / "model.bin").write_bytes(b"x" * 300_000)
        except StoreFailed:
            os._exit(7)
        os._exit(0)

    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    assert code == 7
    assert files(tmp_path) == before


def test_a_failure_while_packing_leaves_nothing(tmp_path: Path) -> None:
    store = open_store(tmp_path)

    with (
        pytest.raises(ValueError, match="learner broke"),
        store.artefacts.writing("churn", 1) as folder,
    ):
        (folder / "half").write_text("half")
        raise ValueError("learner broke")

    assert not list((tmp_path / "staging").iterdir())
    assert not store.artefacts.folder("churn", 1).exists()


def test_a_version_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    folder = packed(store, 1, "first")

    with pytest.raises(StoreFailed, match="could not be written"):
        packed(store, 1, "second")

    assert (folder / "m0" / "model.txt").read_text() == "first"
    assert not list((tmp_path / "staging").iterdir())


def test_a_version_is_checked_against_what_was_committed(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    folder = packed(store, 1)
    manifest = folder / "manifest.json"
    kept = version(1, folder)

    with pytest.raises(ArtefactRefused, match="(?s)v1 of 'churn' is not what was packed"):
        store.artefacts.check(kept)
    manifest.unlink()
    with pytest.raises(ArtefactRefused, match="cannot be read: No such file"):
        store.artefacts.check(kept)


def test_the_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    artefacts = Artefacts(tmp_path)

    first = artefacts.key()

    assert artefacts.key() == first
    assert len(first) == 32
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert files(tmp_path) == ["key"]


def test_staging_of_the_dead_is_cleared_and_of_the_living_kept(tmp_path: Path) -> None:
    artefacts = Artefacts(tmp_path)
    mine = artefacts.stage()
    pid = os.fork()
    if pid == 0:
        artefacts.stage()
        os._exit(0)
    os.waitpid(pid, 0)
    assert len(list((tmp_path / "staging").iterdir())) == 2

    artefacts.forget_staging()

    assert list((tmp_path / "staging").iterdir()) == [mine]


def test_work_without_a_row_is_cleared_once_it_is_old(tmp_path: Path) -> None:
    artefacts = Artefacts(tmp_path)
    for name in ("known", "young", "old"):
        artefacts.work(name).mkdir(parents=True)
    for name in ("known", "old"):
        os.utime(artefacts.work(name), (0, 0))

    dropped = artefacts.forget_work({"known"})

    assert dropped == 1
    assert {p.name for p in (tmp_path / "work").iterdir()} == {"known", "young"}
