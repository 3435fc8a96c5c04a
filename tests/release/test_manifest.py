"""Nothing in a version folder can change without being seen."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from everfit.errors import ArtefactRefused
from everfit.release import verify
from everfit.release.manifest import seal, signature
from tests.release.build import KEY, packed


def flip(path: Path) -> None:
    """Change one bit, keeping the size."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "name", ["plan.json", "golden.json", "card.md", "m0/model.txt", "m0/features.json"]
)
def test_one_changed_bit_names_the_file(tmp_path: Path, name: str) -> None:
    folder, _ = packed(tmp_path)
    flip(folder / name)

    with pytest.raises(ArtefactRefused, match=f"'{name}' in .* is not what was packed"):
        verify(folder, key=KEY)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda f: (f / "m0" / "model.txt").unlink(), "(?s)'m0/model.txt'.*the file is missing"),
        (lambda f: (f / "m0" / "evil.so").write_text(""), "(?s)'m0/evil.so'.*not packed"),
        (lambda f: (f / ".hidden").write_text(""), "(?s)'.hidden'.*not packed"),
        (lambda f: (f / "m1").symlink_to(f / "m0"), "(?s)'m1'.*not packed"),
        (lambda f: (f / "manifest.json").unlink(), "(?s)'manifest.json'.*No such file"),
        (lambda f: (f / "manifest.json").write_text("[1]"), "(?s)'manifest.json'.*not a manifest"),
        (lambda f: (f / "manifest.json").write_bytes(b"\xff\xfe"), "(?s)manifest.*not a manifest"),
        (lambda f: (f / "manifest.json").write_text('{"format": 1}'), "(?s)not a manifest"),
    ],
)
def test_other_harm_is_seen_too(
    tmp_path: Path, harm: Callable[[Path], object], message: str
) -> None:
    folder, _ = packed(tmp_path)
    harm(folder)

    with pytest.raises(ArtefactRefused, match=message):
        verify(folder, key=KEY)


def test_a_link_in_place_of_a_file_is_refused_even_with_the_same_bytes(tmp_path: Path) -> None:
    folder, _ = packed(tmp_path)
    file = folder / "m0" / "model.txt"
    file.rename(tmp_path / "elsewhere.txt")
    file.symlink_to(tmp_path / "elsewhere.txt")

    with pytest.raises(ArtefactRefused, match="(?s)'model.txt'.*not a plain file"):
        verify(folder, key=KEY)


def test_who_changes_a_file_and_its_hash_lacks_the_key(tmp_path: Path) -> None:
    folder, manifest = packed(tmp_path)
    (folder / "m0" / "model.txt").write_text("evil")
    forged = seal(folder, manifest, b"x" * 32)

    verify(folder, key=None)  # hashes alone agree
    with pytest.raises(ArtefactRefused, match="(?s)'manifest.json'.*signature does not match"):
        verify(folder, key=KEY)
    with pytest.raises(ArtefactRefused, match="(?s)another hash than the store committed"):
        verify(folder, key=None, sha256=manifest.sha256)
    assert forged.sha256 != manifest.sha256


@pytest.mark.parametrize("number", [2, 99, "2", None])
def test_a_newer_format_says_who_wrote_it_and_what_to_do(tmp_path: Path, number: object) -> None:
    folder, _ = packed(tmp_path)
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": number, "everfit": "9.1"}))

    with pytest.raises(ArtefactRefused, match="(?s)newer Everfit.*written by Everfit 9.1.*upgrade"):
        verify(folder, key=KEY)


def test_the_signature_covers_every_field(tmp_path: Path) -> None:
    _, manifest = packed(tmp_path)
    changes = {
        "model": "other",
        "version": "v9",
        "everfit": "9",
        "created_at": "",
        "problem": {},
        "columns": (),
        "learners": (),
        "libraries": {},
        "data": {},
        "files": {},
        "format": 0,
    }

    signed = {signature(replace(manifest, **{k: v}), KEY) for k, v in changes.items()}

    assert set(changes) | {"signature"} == set(manifest.__dataclass_fields__)
    assert manifest.signature not in signed
    assert signature(manifest, KEY) == manifest.signature


def test_sealing_again_gives_the_same_manifest(tmp_path: Path) -> None:
    folder, manifest = packed(tmp_path)

    assert seal(folder, manifest, KEY) == manifest


def test_a_file_that_an_export_leaves_out_may_be_gone_but_not_changed(tmp_path: Path) -> None:
    folder, _ = packed(tmp_path)
    (folder / "card.md").unlink()

    verify(folder, key=KEY, may_lack=("card.md",))

    (folder / "card.md").write_text("another card")
    with pytest.raises(ArtefactRefused, match="'card.md' in .* is not what was packed"):
        verify(folder, key=KEY, may_lack=("card.md",))
