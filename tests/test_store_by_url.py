"""A store in PostgreSQL, as a person uses it: run, predict, why and roll back by URL alone."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import everfit
from everfit import wire
from everfit.faces.cli.main import main
from everfit.loop import Request
from everfit.store import open_store
from tests.live.coins import coin_store
from tests.postgres import fresh_schema
from tests.real import cancer

Everfit = Callable[..., tuple[int, str, str]]
# a store by URL, its files, and the data it was made from
Kept = tuple[str, Path, Path]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """A store in which a real run released v1."""
    folder = tmp_path_factory.mktemp("by-url")
    path, target = cancer(folder)
    url = fresh_schema()
    open_store(url, files=folder / "kept").close()
    with wire.house(url) as house:
        asked = Request(path, target, budget_s=6.0, name="m", started=time.monotonic())
        result = house.run(asked, lambda _: None)
        assert result.champion is not None
    return url, folder / "kept", path


@pytest.fixture
def everfit_here(
    kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Everfit:
    """The command line in a folder that knows nothing of the store but its URL."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVERFIT_STORE", kept[0])

    def call(*words: str) -> tuple[int, str, str]:
        code = main(list(words))
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


def test_predictions_are_made_from_any_folder(
    kept: Kept, everfit_here: Everfit, tmp_path: Path
) -> None:
    code, out, err = everfit_here("predict", "m", str(kept[2]))

    rows = list(csv.DictReader(out.splitlines()))
    assert (code, len(rows)) == (0, 569), err
    assert {"malignant", "benign"} == {row["prediction"] for row in rows}
    assert list(tmp_path.iterdir()) == []


def test_why_reads_the_ledger(everfit_here: Everfit) -> None:
    code, out, _ = everfit_here("why", "m")

    assert code == 0
    assert "Released v1" in out


def test_a_promotion_is_rolled_back_after_the_files_were_verified(
    kept: Kept, everfit_here: Everfit
) -> None:
    coin_store(kept[0], (1, 2))
    with wire.house(kept[0]) as house:
        house.promote("coin", "v2", by="anna")
        promoted = house.version("coin").name

    code, out, err = everfit_here("rollback", "coin", "--yes")

    with wire.house(kept[0]) as house:
        assert (code, promoted, house.version("coin").name) == (0, "v2", "v1"), err
        assert [d.kind for d in house.decisions("coin")][:2] == ["rolled_back", "promoted"]
    assert "Rolled back from v2 to v1" in out
    assert (kept[1] / "models" / "coin" / "v2").is_dir()


def test_the_python_face_opens_it_by_its_url(kept: Kept, tmp_path: Path) -> None:
    model = everfit.load("m", store=kept[0])

    assert "m" in everfit.models(store=kept[0])
    assert len(model.predict(kept[2])) == 569


def test_files_that_are_not_where_they_are_said_to_be_are_told(
    everfit_here: Everfit, kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVERFIT_FILES", str(tmp_path / "wrong"))

    code, _, err = everfit_here("predict", "m", str(kept[2]))

    assert code == 2
    assert "versions are not in" in err
    assert str(kept[1]) in err
