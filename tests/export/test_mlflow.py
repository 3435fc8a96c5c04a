"""A version as an MLflow model, through MLflow's own loader and its own server."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import warnings
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from everfit.errors import ArtefactRefused, Refused, SettingsError
from everfit.export import mlflow as export
from everfit.export.contract import Exported
from everfit.export.mlflow import Pyfunc, to_mlflow
from everfit.release.manifest import FORMAT, Manifest, seal
from everfit.serve import Scorer
from tests.export.versions import EVERY, RANGES, Made, Members, Rows, changed, made

pytest.importorskip("mlflow", reason="the extra everfit[mlflow] is not installed")

LONG_S = 60.0
PROBABILITIES = ["p_c0", "p_c1", "p_c2"]
COLUMNS = ["prediction", *PROBABILITIES, "low", "high"]


def sealed(folder: Path, members: Members, *, k: int, ranges: dict[str, Any] | None = None) -> Made:
    """A packed version with its manifest, as a release leaves it."""
    packed = made(folder, members, k=k)
    if ranges is not None:
        changed(folder, ranges=ranges)
    blank = Manifest(FORMAT, "0", "m", "v3", "2026-11-01T00:00:00+00:00", {}, (), (), {}, {})
    seal(folder, blank, b"k" * 32)
    return packed


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Every engine over every kind of column, three classes."""
    return sealed(tmp_path_factory.mktemp("packed") / "v3", EVERY, k=3, ranges=RANGES)


@pytest.fixture(scope="module")
def done(packed: Made, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return export_to(packed, tmp_path_factory.mktemp("exported") / "model")


@pytest.fixture(scope="module")
def exported(done: Exported) -> Path:
    return done.path


@pytest.fixture(scope="module")
def asks(packed: Made) -> Rows:
    return packed.rows


@pytest.fixture(scope="module")
def scorer(packed: Made) -> Scorer:
    return packed.scorer


def export_to(packed: Made, out: Path) -> Exported:
    return to_mlflow(packed.folder, out, version=packed.version, rows=packed.rows)


def loaded(folder: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of MLflow, about itself
        import mlflow.pyfunc

    return mlflow.pyfunc.load_model(str(folder))


def expected(scorer: Scorer, rows: list[dict[str, Any]]) -> np.ndarray[Any, Any]:
    return np.array([scorer.row(row).probabilities for row in rows])


def test_it_is_written_after_a_thousand_rows_were_answered_alike(done: Exported) -> None:
    assert done.parity.rows > 1_000
    assert done.parity.largest <= 1e-9
    assert {"MLmodel", "requirements.txt"} <= {file.name for file in done.files}
    assert "everfit==" in done.notes[0]


def test_there_is_no_pickle_and_no_code_in_it(done: Exported) -> None:
    endings = {path.suffix for path in done.files}

    assert len(done.files) > 10
    assert not endings & {".pkl", ".pickle", ".joblib", ".skops", ".py"}
    # what a pickle of protocol 2 or later begins with
    assert not any(path.read_bytes().startswith(b"\x80") for path in done.files)


def test_its_requirements_name_this_everfit(exported: Path) -> None:
    from importlib.metadata import version as installed

    lines = (exported / "requirements.txt").read_text().split()

    assert f"everfit=={installed('everfit')}" in lines


def test_a_pandas_frame_gets_labels_probabilities_and_ranges(
    exported: Path, scorer: Scorer, asks: Rows
) -> None:
    import pandas as pd

    frame = pd.DataFrame(asks, index=range(100, 100 + len(asks)))

    found = loaded(exported).predict(frame)

    values = expected(scorer, asks)
    ranges = [scorer.row(row).range for row in asks]
    assert list(found.columns) == COLUMNS
    assert list(found.index) == list(frame.index)
    assert found[["low", "high"]].to_numpy() == pytest.approx(np.array(ranges), abs=1e-9)
    assert found[PROBABILITIES].to_numpy() == pytest.approx(values, abs=1e-9)
    assert list(found["prediction"]) == [f"c{i}" for i in values.argmax(axis=1)]


def test_few_rows_and_many_are_answered_alike(exported: Path, asks: Rows) -> None:
    import pandas as pd

    model, frame = loaded(exported), pd.DataFrame(asks * 7)

    together = model.predict(frame)
    apart = pd.concat([model.predict(frame[at : at + 20]) for at in range(0, len(frame), 20)])

    assert len(frame) > export.FEW
    assert together.drop(columns="prediction").to_numpy() == pytest.approx(
        apart.drop(columns="prediction").to_numpy(), abs=1e-9
    )


def test_columns_as_pandas_reads_them_from_a_file_are_understood(
    exported: Path, scorer: Scorer, asks: Rows, tmp_path: Path
) -> None:
    import pandas as pd

    pd.DataFrame(asks).to_csv(tmp_path / "asks.csv", index=False)
    # whole numbers, dates as text, and words for true and false
    frame = pd.read_csv(tmp_path / "asks.csv")

    found = loaded(exported).predict(frame)

    assert found[PROBABILITIES].to_numpy() == pytest.approx(expected(scorer, asks), abs=1e-9)


def test_columns_may_be_left_out_and_others_are_ignored(exported: Path, scorer: Scorer) -> None:
    import pandas as pd

    row = {"size": 1, "since": datetime(2022, 5, 1, 12), "plan": "pro"}

    found = loaded(exported).predict(pd.DataFrame([row | {"something": "else"}]))

    assert found[PROBABILITIES].to_numpy() == pytest.approx(expected(scorer, [row]), abs=1e-9)


def test_no_rows_get_no_answers(exported: Path, asks: Rows) -> None:
    import pandas as pd

    found = loaded(exported).predict(pd.DataFrame(asks).head(0))

    assert list(found.columns) == COLUMNS
    assert len(found) == 0


def test_a_number_is_answered_with_one_column(tmp_path: Path) -> None:
    import pandas as pd

    packed = sealed(tmp_path / "v3", [("linear", {})], k=1)

    export_to(packed, tmp_path / "model")
    found = loaded(tmp_path / "model").predict(pd.DataFrame(packed.rows[:3]))

    scorer = packed.scorer
    assert list(found.columns) == ["prediction"]
    assert list(found["prediction"]) == pytest.approx(
        [scorer.row(row).value for row in packed.rows[:3]], rel=1e-9
    )


def test_the_rows_of_the_reference_stay_at_home(packed: Made, tmp_path: Path) -> None:
    folder = shutil.copytree(packed.folder, tmp_path / "v3")
    (folder / "manifest.json").unlink()
    for name in ("reference.parquet", "reference.json"):
        (folder / name).write_bytes(b"people")
    blank = Manifest(FORMAT, "0", "m", "v3", "2026-11-01T00:00:00+00:00", {}, (), (), {}, {})
    seal(folder, blank, b"k" * 32)

    done = export_to(replace(packed, folder=folder), tmp_path / "model")

    assert [path for path in done.path.rglob("*") if path.name.startswith("reference")] == []
    assert loaded(done.path) is not None


def test_a_file_that_was_changed_is_not_loaded(exported: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(exported, tmp_path / "copy")
    plan = next(copy.rglob("plan.json"))
    plan.write_text(plan.read_text().replace("c0", "c9"))

    with pytest.raises(ArtefactRefused, match=r"plan\.json"):
        loaded(copy)


def test_answers_that_differ_leave_nothing_behind(
    packed: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = Pyfunc.predict
    monkeypatch.setattr(
        Pyfunc,
        "predict",
        lambda self, model_input, params=None: right(self, model_input[::-1], params),
    )

    with pytest.raises(Refused, match="does not answer as the version does"):
        export_to(packed, tmp_path / "model")

    assert list(tmp_path.iterdir()) == []


def test_an_estimator_of_ones_own_is_refused(packed: Made, tmp_path: Path) -> None:
    own = replace(packed, version=replace(packed.version, trusted=("mine.Model",)))

    with pytest.raises(Refused, match="cannot be an MLflow model") as refused:
        export_to(own, tmp_path / "model")

    assert "mine.Model" in refused.value.got


def test_without_mlflow_the_extra_is_named(
    packed: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)

    with pytest.raises(SettingsError, match="MLflow is not installed") as missing:
        export_to(packed, tmp_path / "model")

    assert missing.value.do == "pip install 'everfit[mlflow]'"


def test_the_settings_of_mlflow_are_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_UV_AUTO_DETECT", "true")
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY", raising=False)

    with export.settings(export.SETTINGS):
        within = os.environ["MLFLOW_UV_AUTO_DETECT"]

    assert (within, os.environ["MLFLOW_UV_AUTO_DETECT"]) == ("false", "true")
    assert "MLFLOW_DISABLE_TELEMETRY" not in os.environ


def test_mlflow_serves_it(exported: Path, scorer: Scorer, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(exported)]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]
    environment = os.environ | {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            command, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _await(f"http://127.0.0.1:{port}/ping", process, tmp_path / "log")
        rows = [{"size": 1, "plan": "pro", "town": None}, {"size": -0.5, "paid": True}]
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/invocations",
            json.dumps({"dataframe_records": rows}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=LONG_S) as answer:
            found = json.load(answer)["predictions"]
    finally:
        os.killpg(process.pid, 9)
        process.wait()

    told = [[row["p_c0"], row["p_c1"], row["p_c2"]] for row in found]
    assert np.array(told) == pytest.approx(expected(scorer, rows), abs=1e-9)


def _await(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + LONG_S
    while time.monotonic() < until and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"mlflow models serve did not start:\n{log.read_text()[-2000:]}")
