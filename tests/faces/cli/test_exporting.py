from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from everfit.faces.cli.main import main
from tests.faces.http.stores import MODEL, released_store


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a store with one version, and an empty folder that is the current one."""
    shutil.copytree(released_store(), tmp_path / "store")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("EVERFIT_STORE", str(tmp_path / "store"))
    return tmp_path / "work"


def failed(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    code = main(["export", *words, "--json"])
    out, err = capsys.readouterr()
    error: dict[str, Any] = json.loads(err.strip().splitlines()[-1])["error"]
    assert out == ""
    assert code == error["exit_code"]
    return error


def test_the_place_is_on_stdout_and_what_was_compared_on_stderr(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["export", MODEL, "--to", "python"])

    out, err = capsys.readouterr()
    assert code == 0, err
    assert out == f"{MODEL}_v1.py\n"
    assert f"{MODEL} v1 as python: 1,025 rows answered alike, largest difference" in err
    assert "It needs Python 3.11" in err
    assert [path.name for path in place.iterdir()] == [f"{MODEL}_v1.py"]


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler is here")
def test_json_tells_files_and_parity(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["export", MODEL, "--to", "c", "-o", "out/c", "--use", "v1", "--json", "-q"])

    out, err = capsys.readouterr()
    assert code == 0, err
    shape = json.loads(out)
    assert set(shape) == {
        "schema_version", "command", "model", "version", "to", "output", "files", "parity", "notes"
    }  # fmt: skip
    assert (shape["command"], shape["model"], shape["version"]) == ("export", MODEL, "v1")
    assert shape["output"] == "out/c"
    assert all((place / file).is_file() for file in shape["files"])
    assert shape["parity"]["rows"] == 1_025
    assert shape["parity"]["largest"] <= shape["parity"]["limit"] == 1e-9


def test_what_was_exported_answers_as_predict_does(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = '{"size": 1.5, "plan": "pro", "since": "2022-02-01", "note": "free prize"}'
    main(["export", MODEL, "--to", "python", "-o", "m.py", "-q"])
    capsys.readouterr()
    main(["predict", MODEL, "--row", row, "--json"])
    own = json.loads(capsys.readouterr().out)

    done = subprocess.run(
        [sys.executable, "m.py"], input=row, capture_output=True, text=True, check=True
    )

    answer = json.loads(done.stdout)
    assert answer["prediction"] == own["prediction"]
    assert answer["probabilities"] == pytest.approx(own["probabilities"])


def test_a_file_that_is_there_is_kept_without_force(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "m.py").write_text("mine")

    error = failed(capsys, MODEL, "--to", "python", "-o", "m.py")

    assert (error["code"], error["exit_code"]) == ("Refused", 6)
    assert "--force" in error["do"]
    assert (place / "m.py").read_text() == "mine"


def test_force_replaces_it(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "m.py").write_text("mine")

    code = main(["export", MODEL, "--to", "python", "-o", "m.py", "--force"])

    assert code == 0, capsys.readouterr().err
    assert "def predict(" in (place / "m.py").read_text()
    assert [path.name for path in place.iterdir()] == ["m.py"]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ((MODEL, "--to", "onx"), "UsageError", "did you mean 'onnx'?"),
        ((MODEL, "--to", "pmml"), "UsageError", "onnx, c, python, mlflow"),
        (("mixd", "--to", "c"), "ModelUnknown", "mixed"),
        ((MODEL, "--to", "c", "--use", "v9"), "ModelUnknown", "v1"),
        ((MODEL, "--to", "onnx"), "Refused", "--drop note"),
    ],
)
def test_what_cannot_be_exported_is_told_in_four_parts(
    place: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: str, told: str
) -> None:
    error = failed(capsys, *words)

    assert error["code"] == code
    assert told in " ".join(str(part) for part in error.values())
    assert error["message"]
    assert error["expected"]
    assert list(place.iterdir()) == []


def test_a_version_whose_files_were_changed_is_not_exported(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (plan,) = place.parent.glob("store/models/*/*/plan.json")
    plan.write_text(plan.read_text().replace('"no"', '"on"'))

    error = failed(capsys, MODEL, "--to", "python")

    assert error["code"] == "ArtefactRefused"
    assert "plan.json" in error["message"]
    assert list(place.iterdir()) == []


def test_help_names_the_kinds(capsys: pytest.CaptureFixture[str]) -> None:
    main(["export", "--help"])

    assert "onnx, c, python or mlflow" in " ".join(capsys.readouterr().out.split())
