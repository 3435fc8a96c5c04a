from __future__ import annotations

from pathlib import Path

import pytest

from everfit.errors import Refused, StoreFailed
from everfit.export.contract import Exported
from everfit.export.parity import Parity
from everfit.export.placing import placed, replaced


def written(path: Path, text: str = "new") -> Exported:
    with placed(path) as part:
        part.write_text(text)
    return Exported(path, (path,), Parity(1, 0.0, 1.0))


def folder_written(path: Path) -> Exported:
    with placed(path) as part:
        part.mkdir()
        (part / "everfit_m.h").write_text("new")
    return Exported(path, (path / "everfit_m.h",), Parity(1, 0.0, 1.0))


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_is_there_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")

    with pytest.raises(Refused, match="already there") as caught:
        written(tmp_path / "a")

    assert "--force" in caught.value.do
    assert (tmp_path / "a").read_text() == "old"


def test_an_export_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(Refused), placed(tmp_path / "a") as part:
        part.write_text("half")
        raise Refused("the answers differ")

    assert left(tmp_path) == []


def test_folders_above_are_made(tmp_path: Path) -> None:
    written(tmp_path / "x" / "y" / "a")

    assert (tmp_path / "x" / "y" / "a").read_text() == "new"


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreFailed, match="cannot be written"):
        written(tmp_path / "file" / "a")


@pytest.mark.parametrize("name", ["a.py", "free.py"])
def test_force_replaces_a_file_and_says_where_it_is(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.py").write_text("old")

    exported = replaced(tmp_path / name, written)

    assert exported.path == tmp_path / name
    assert exported.files == (tmp_path / name,)
    assert (tmp_path / name).read_text() == "new"
    assert left(tmp_path) == sorted({"a.py", name})


def test_force_replaces_a_folder_of_an_export(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "everfit_old.h").write_text("old")

    exported = replaced(tmp_path / "a", folder_written)

    assert left(tmp_path) == ["a"]
    assert exported.files == (tmp_path / "a" / "everfit_m.h",)
    assert left(tmp_path / "a") == ["everfit_m.h"]


def test_force_never_replaces_a_folder_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "thesis.txt").write_text("years")

    with pytest.raises(Refused, match="holds no export"):
        replaced(tmp_path / "work", folder_written)

    assert left(tmp_path / "work") == ["thesis.txt"]


def test_the_old_export_stays_when_the_new_one_fails(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")

    def fails(path: Path) -> Exported:
        with placed(path) as part:
            part.write_text("half")
            raise Refused("the answers differ")

    with pytest.raises(Refused):
        replaced(tmp_path / "a", fails)

    assert left(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "old"
