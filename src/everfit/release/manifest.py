"""The manifest of a packed version: what is in the folder, who packed it, and the proof of it.

A version folder is trusted only through its manifest: every file has its hash there, no file may
be there without one, and the manifest itself is signed with the key of the store.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from everfit.because import Because
from everfit.errors import ArtefactRefused
from everfit.plain import as_plain, from_plain

FORMAT = 1
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Label:
    """What stands on a version: its name, when it was packed, and the run that made it.

    ``until`` is the time before which it may have learnt from what was asked; None: not known.
    """

    model: str
    version: str
    run: str
    created_at: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a version: the sha256 of its bytes, and how many there are."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a version folder holds. ``files`` maps paths inside the folder to what they must be.

    ``learners`` holds each member's learner, settings and weight; ``signature`` is HMAC-SHA256 in
    hex over the canonical JSON of all other fields.
    """

    format: int
    everfit: str
    model: str
    version: str
    created_at: str
    problem: Mapping[str, Any]
    columns: tuple[Mapping[str, Any], ...]
    learners: tuple[Mapping[str, Any], ...]
    libraries: Mapping[str, str]
    data: Mapping[str, Any]
    files: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    signature: str = ""

    @property
    def sha256(self) -> str:
        """The hash of the manifest file: with it the store names the whole version."""
        return hashlib.sha256(_file_bytes(self)).hexdigest()


def seal(folder: Path, manifest: Manifest, key: bytes) -> Manifest:
    """Write the manifest of all files in ``folder``, signed with ``key``, durably.

    Raises
    ------
    OSError : the disk refused
    """
    files = {name: as_plain(_entry(folder / name)) for name in _names(folder) if name != MANIFEST}
    full = replace(manifest, files=files, signature="")
    signed = replace(full, signature=signature(full, key))
    path = folder / MANIFEST
    path.write_bytes(_file_bytes(signed))
    for name in (*files, MANIFEST):
        _sync(folder / name)
    for where, _, _ in os.walk(folder, topdown=False):
        _sync(Path(where))
    return signed


def verify(
    folder: Path,
    *,
    key: bytes | None,
    sha256: str | None = None,
    may_lack: Collection[str] = (),
) -> Manifest:
    """The manifest of ``folder`` when every file is as it was packed.

    Parameters
    ----------
    key : the store's key; None checks hashes alone, for a folder from a store that is not ours
    sha256 : the hash of the manifest that the store committed, when there is one
    may_lack : files that an export leaves out; where they are, they must be as packed

    Raises
    ------
    ArtefactRefused : changed, missing or extra file, wrong signature, or a newer format
    """
    manifest, content = _read(folder)
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise _refused(folder, MANIFEST, "another hash than the store committed", sha256)
    if key is not None and not hmac.compare_digest(signature(manifest, key), manifest.signature):
        raise _refused(folder, MANIFEST, "its signature does not match", "signed by this store")
    found = set(_names(folder)) - {MANIFEST}
    for name in sorted(set(manifest.files) | found):
        if name not in manifest.files:
            raise _refused(folder, name, "a file that was not packed", "no other files")
        if name not in found and name in may_lack:
            continue
        if name not in found:
            raise _refused(folder, name, "the file is missing", "all files that were packed")
        packed = from_plain(FileEntry, manifest.files[name])
        got = _entry(folder / name)
        if got != packed:
            told = f"{got.size_bytes:,} bytes, sha256 {got.sha256[:16]}..."
            expected = f"{packed.size_bytes:,} bytes, sha256 {packed.sha256[:16]}..."
            raise _refused(folder, name, told, expected)
    return manifest


def manifest_holds(folder: Path, *, key: bytes, sha256: str | None = None) -> Because:
    """Every file is as it was packed and signed."""
    try:
        verify(folder, key=key, sha256=sha256)
    except ArtefactRefused as error:
        return Because("files as packed", False, note=f"{error.what}: {error.got}")
    return Because("files as packed", True)


def signature(manifest: Manifest, key: bytes) -> str:
    """HMAC-SHA256 (RFC 2104) in hex over the manifest without its signature."""
    plain = as_plain(replace(manifest, signature=""))
    canonical = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hmac.new(key, canonical.encode(), hashlib.sha256).hexdigest()


def _read(folder: Path) -> tuple[Manifest, bytes]:
    try:
        content = (folder / MANIFEST).read_bytes()
        plain = json.loads(content)
        number = plain["format"]
    except OSError as error:
        raise _refused(folder, MANIFEST, error.strerror or str(error), "a manifest") from error
    except (ValueError, TypeError, KeyError) as error:
        raise _refused(folder, MANIFEST, "not a manifest", "JSON with a format number") from error
    if not isinstance(number, int) or number > FORMAT:
        raise ArtefactRefused(
            f"{folder.name} in {folder} was packed by a newer Everfit",
            got=f"format {number}, written by Everfit {plain.get('everfit', 'unknown')}",
            expected=f"format {FORMAT} or older",
            do=f"pip install --upgrade 'everfit>={plain.get('everfit', '0')}'",
        )
    try:
        return from_plain(Manifest, plain), content
    except (TypeError, ValueError, AttributeError) as error:
        raise _refused(folder, MANIFEST, f"not a manifest: {error}", "all its fields") from error


def _file_bytes(manifest: Manifest) -> bytes:
    return (json.dumps(as_plain(manifest), indent=1, sort_keys=True) + "\n").encode()


def _names(folder: Path) -> list[str]:
    """All paths under ``folder`` that are not folders, links included, in order."""
    found = []
    for where, folders, names in os.walk(folder):
        inside = names + [name for name in folders if (Path(where) / name).is_symlink()]
        found += [(Path(where) / name).relative_to(folder).as_posix() for name in inside]
    return sorted(found)


def _entry(path: Path) -> FileEntry:
    if path.is_symlink() or not path.is_file():
        # a link could be turned to another file after the check
        raise _refused(path.parent, path.name, "not a plain file", "plain files only")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return FileEntry(digest, path.stat().st_size)


def _refused(folder: Path, name: str, got: str, expected: str) -> ArtefactRefused:
    return ArtefactRefused(
        f"{name!r} in {folder} is not what was packed",
        got=got,
        expected=expected,
        do="use another version (everfit rollback), or put the folder back from a copy",
    )


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
