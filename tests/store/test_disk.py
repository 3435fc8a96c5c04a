"""Network file systems are known by the list of mounts, and SQLite is kept off them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from everfit.errors import SettingsError
from everfit.store import disk, open_store
from everfit.store.disk import network_file_system

LINE = "{number} 1 0:{number} / {place} rw,relatime shared:{number} - {kind} server:/x rw\n"


def mounted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *mounts: tuple[str, str]) -> None:
    """Let the system tell of these mounts, as (place, type), over a local disk at the root."""
    lines = [("/", "ext4"), *mounts]
    file = tmp_path / "mountinfo"
    file.write_text(
        "".join(LINE.format(number=n, place=p, kind=k) for n, (p, k) in enumerate(lines))
    )
    monkeypatch.setattr(disk, "MOUNTS", file)
    monkeypatch.delenv(disk.ALLOW, raising=False)


@pytest.mark.parametrize(
    "kind",
    ["nfs", "nfs4", "cifs", "smb3", "ceph", "lustre", "fuse.sshfs", "fuse.s3fs", "fuse.rclone"],
)
def test_a_network_file_system_is_known(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    mounted(monkeypatch, tmp_path, ("/far", kind))

    assert network_file_system(Path("/far/deep/store")) == kind
    assert network_file_system(Path("/far")) == kind


@pytest.mark.parametrize(
    "kind", ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "fuseblk", "fuse.fuse-overlayfs"]
)
def test_a_local_file_system_is_not_taken_for_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    mounted(monkeypatch, tmp_path, ("/near", kind))

    assert network_file_system(Path("/near/store")) is None


def test_the_innermost_mount_decides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mounted(monkeypatch, tmp_path, ("/far", "nfs4"), ("/far/disk", "xfs"), ("/fa", "cifs"))

    assert network_file_system(Path("/far/store")) == "nfs4"
    assert network_file_system(Path("/far/disk/store")) is None
    assert network_file_system(Path("/farther")) is None


def test_of_two_mounts_on_one_place_the_later_is_seen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mounted(monkeypatch, tmp_path, ("/data", "nfs"), ("/data", "ext4"))

    assert network_file_system(Path("/data/store")) is None


def test_a_place_with_blanks_and_a_link_to_it_are_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    far = tmp_path / "far away"
    far.mkdir()
    (tmp_path / "link").symlink_to(far)
    mounted(monkeypatch, tmp_path, (str(far).replace(" ", "\\040"), "nfs"))

    assert network_file_system(tmp_path / "link" / "store") == "nfs"


def test_nothing_is_known_where_the_system_does_not_tell(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(disk, "MOUNTS", tmp_path / "nothing")

    assert network_file_system(tmp_path) is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists mounts in /proc")
def test_the_mounts_of_this_machine_can_be_read() -> None:
    lines = disk.MOUNTS.read_text(errors="surrogateescape").splitlines()

    assert "/" in {disk._mount(line)[0] for line in lines}
    assert network_file_system(Path("/proc")) is None


@pytest.mark.parametrize("place", ["{}/store", "sqlite:///{}/kept.db"])
def test_a_store_on_a_network_file_system_is_refused_and_not_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str
) -> None:
    far = tmp_path / "far"
    far.mkdir()
    mounted(monkeypatch, tmp_path, (str(far), "nfs4"))

    with pytest.raises(SettingsError, match="(?s)network file system.*nfs4.*postgresql"):
        open_store(place.format(far), files=tmp_path / "files")

    assert list(far.iterdir()) == []


def test_who_takes_the_risk_may_keep_a_store_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mounted(monkeypatch, tmp_path, (str(tmp_path), "nfs4"))
    monkeypatch.setenv(disk.ALLOW, "1")

    assert open_store(tmp_path / "store").models() == ()


def test_the_files_of_a_store_in_postgresql_may_lie_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from tests.postgres import fresh_schema

    mounted(monkeypatch, tmp_path, (str(tmp_path), "nfs4"))

    store = open_store(fresh_schema(), files=tmp_path / "files")

    assert store.models() == ()
    store.close()
