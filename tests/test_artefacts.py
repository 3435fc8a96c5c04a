"""A packed version that is not what was packed: refused in four parts, and nothing is touched."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

import everfit
from everfit import wire
from everfit.errors import ArtefactRefused
from everfit.faces.cli.main import main
from tests.real import wine
from tests.test_loop import run


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store that serves one version, and rows to ask about."""
    folder = tmp_path_factory.mktemp("released")
    path, target = wine(folder)
    with wire.house(folder / "store") as house:
        run(house, path, target, budget_s=7.0)
    pl.read_csv(path).drop(target).write_csv(folder / "new.csv")
    return folder


@dataclass(frozen=True)
class Place:
    """A copy of that folder, to be spoilt."""

    folder: Path

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def version(self) -> Path:
        (found,) = (self.store / "models" / "m").iterdir()
        return found

    @property
    def model_file(self) -> Path:
        return next(p for p in sorted(self.version.glob("m0/*")) if p.is_file())

    def files(self) -> dict[str, bytes]:
        """All files but the journal, whose bytes may change when it is read."""
        return {
            path.relative_to(self.store).as_posix(): path.read_bytes()
            for path in sorted(self.store.rglob("*"))
            if path.is_file() and not path.name.startswith("journal.db")
        }

    def journal(self) -> tuple[object, ...]:
        with wire.house(self.store) as house:
            return house.decisions("m"), house.versions("m"), house.runs("m")


@pytest.fixture
def place(released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    copy = tmp_path / "copy"
    shutil.copytree(released, copy, symlinks=True)
    monkeypatch.chdir(copy)
    monkeypatch.setenv("EVERFIT_STORE", str(copy / "store"))
    return Place(copy)


def test_a_version_carries_the_rows_that_its_traffic_is_held_against(place: Place) -> None:
    from everfit.watch import read_reference

    found = read_reference(place.version, version=1)

    assert found is not None
    assert found.answers is not None
    assert found.truth is not None
    right = float((found.answers.argmax(axis=1) == found.truth).mean())
    assert 30 < found.n <= 178
    assert right > 0.7
    assert found.loss is not None
    assert max(usual.weight for usual in found.columns) > 0.5


def flipped(place: Place) -> None:
    data = bytearray(place.model_file.read_bytes())
    data[len(data) // 2] ^= 1
    place.model_file.write_bytes(data)


def cut_short(place: Place) -> None:
    place.model_file.write_bytes(place.model_file.read_bytes()[:-20])


def emptied(place: Place) -> None:
    place.model_file.write_bytes(b"")


def removed(place: Place) -> None:
    place.model_file.unlink()


def added(place: Place) -> None:
    (place.version / "m0" / "more.py").write_text("print('hello')\n")


def linked(place: Place) -> None:
    file, elsewhere = place.model_file, place.folder / "elsewhere"
    file.rename(elsewhere)
    file.symlink_to(elsewhere)


def planned_otherwise(place: Place) -> None:
    plan = json.loads((place.version / "plan.json").read_text())
    plan["labels"] = plan["labels"][::-1]
    (place.version / "plan.json").write_text(json.dumps(plan))


def relabelled(place: Place) -> None:
    # a file and its entry in the manifest, but without the key that signs
    import hashlib

    data = b"nothing" + place.model_file.read_bytes()
    place.model_file.write_bytes(data)
    name = place.model_file.relative_to(place.version).as_posix()
    path = place.version / "manifest.json"
    manifest = json.loads(path.read_text())
    entry = {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}
    manifest["files"][name] = entry
    path.write_text(json.dumps(manifest))


def no_manifest(place: Place) -> None:
    (place.version / "manifest.json").unlink()


def no_json(place: Place) -> None:
    (place.version / "manifest.json").write_text("{")


def newer(place: Place) -> None:
    path = place.version / "manifest.json"
    manifest = json.loads(path.read_text()) | {"format": 99, "everfit": "9.0.0"}
    path.write_text(json.dumps(manifest))


def gone(place: Place) -> None:
    shutil.rmtree(place.version)


WAYS: list[tuple[Callable[[Place], None], str]] = [
    (flipped, "is not what was packed"),
    (cut_short, "is not what was packed"),
    (emptied, "is not what was packed"),
    (removed, "is not what was packed"),
    (added, "is not what was packed"),
    (linked, "is not what was packed"),
    (planned_otherwise, "'plan.json' in"),
    (relabelled, "'manifest.json' in"),
    (no_manifest, "'manifest.json' in"),
    (no_json, "'manifest.json' in"),
    (newer, "packed by a newer Everfit"),
    (gone, ""),
]
CALLS = [
    ["predict", "m", "new.csv", "-o", "out.csv"],
    ["predict", "m", "--row", '{"alcohol": 13.0}'],
    ["columns", "m"],
]


def spoilt(way: Callable[[Place], None], place: Place) -> None:
    version = place.version
    way(place)
    assert version.exists() != (way is gone)


def test_what_was_packed_is_served(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    codes = [main(call) for call in CALLS]

    assert codes == [0, 0, 0], capsys.readouterr().err
    assert pl.read_csv(place.folder / "out.csv").height == 178


def test_a_store_that_was_moved_reads_its_own_files(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    with wire.house(place.store) as house:
        version, _ = house.scorer("m")

    assert Path(version.folder).resolve() == place.version.resolve()


@pytest.mark.parametrize(("way", "words"), WAYS, ids=[way.__name__ for way, _ in WAYS])
def test_what_is_not_as_packed_is_refused_in_four_parts_and_nothing_is_touched(
    way: Callable[[Place], None],
    words: str,
    place: Place,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spoilt(way, place)
    files, journal = place.files(), place.journal()
    outside = set(place.folder.iterdir())

    for call in CALLS:
        code = main([*call, "--json"])
        out, err = capsys.readouterr()

        error = json.loads(err.strip().splitlines()[-1])["error"]
        assert (code, error["exit_code"], error["code"]) == (6, 6, "ArtefactRefused")
        assert all(error[part] for part in ("message", "got", "expected", "do"))
        assert words in error["message"]
        assert out == ""

    assert place.files() == files
    assert place.journal() == journal
    assert set(place.folder.iterdir()) == outside


def test_a_newer_version_says_what_to_install(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    newer(place)

    main(["predict", "m", "new.csv", "--json"])

    error = json.loads(capsys.readouterr().err.strip().splitlines()[-1])["error"]
    assert error["got"] == "format 99, written by Everfit 9.0.0"
    assert "format 1" in error["expected"]
    assert "everfit>=9.0.0" in error["do"]


def test_a_plan_of_a_newer_format_is_refused_even_when_it_is_signed(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    from everfit.plain import from_plain
    from everfit.release.manifest import Manifest, seal
    from everfit.serve.load import open_plan

    plan = json.loads((place.version / "plan.json").read_text()) | {"format": 99}
    (place.version / "plan.json").write_text(json.dumps(plan))
    manifest = from_plain(Manifest, json.loads((place.version / "manifest.json").read_text()))
    seal(place.version, manifest, (place.store / "key").read_bytes())

    code = main(["predict", "m", "new.csv"])

    assert code == 6  # the store committed another manifest
    assert "another hash than the store committed" in capsys.readouterr().err
    with pytest.raises(ArtefactRefused, match="format 99"):
        open_plan(place.version)


def test_python_refuses_the_same(place: Place) -> None:
    flipped(place)

    with pytest.raises(ArtefactRefused, match="is not what was packed") as caught:
        everfit.load("m")

    assert caught.value.do


def test_a_card_that_was_lost_is_refused(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    (place.version / "card.md").unlink()

    code = main(["card", "m"])

    assert code == 6
    assert "card.md" in capsys.readouterr().err


def test_the_ledger_can_be_read_whatever_happened_to_the_files(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    gone(place)

    codes = [main([command, "m"]) for command in ("why", "status", "leaderboard")]

    assert codes == [0, 0, 0], capsys.readouterr().err
