"""History in Python and on the command line: of the log, of sources, or given."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import everfit
from everfit.errors import SourceMissing, UsageError
from everfit.faces.python.model import Model
from everfit.faces.words.misfits import InputWarning
from everfit.house import House
from everfit.loop import RunResult
from everfit.store.log import Log
from everfit.store.log.frames import outcomes_frame
from everfit.store.log.spool import Spool
from tests.store.log.build import frame_of

ROW = {"size": 0.0, "plan": "pro"}
DAY = timedelta(days=1)


@pytest.fixture
def folder(
    released: tuple[House, RunResult, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A store whose log knows that anna never came; the current folder."""
    shutil.copytree(released[2] / "store", tmp_path / "store")
    spool = Spool(tmp_path / "store" / "spool" / "w1")
    now = datetime.now(UTC)
    for i in range(3):
        at_us = int((now - (9 - i) * DAY).timestamp() * 1e6)
        spool.append(
            frame_of([f"p{i}"], [ROW], model="m", arm="champion", at_us=at_us, keys=["anna"])
        )
        body = json.dumps([{"receipt": f"r{i}", "id": f"p{i}", "outcome": "no"}]).encode()
        spool.append(outcomes_frame("m", at_us + 1, body))
    spool.close()
    log = Log.open(tmp_path / "store")
    log.drain(tmp_path / "store" / "spool")
    log.close()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def model(folder: Path) -> Model:
    return everfit.load("m", store=folder / "store")


def yes(model: Model, row: object, **more: object) -> float:
    found = model.predict_proba(row, **more)  # type: ignore[arg-type]
    return float(found["yes"] if isinstance(found, dict) else found[0]["yes"])


def everfit_cli(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "everfit", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)


def test_the_log_of_the_store_is_the_history(model: Model) -> None:
    usual, anna = yes(model, ROW | {"customer": "new"}), yes(model, ROW | {"customer": "anna"})
    frame = pl.DataFrame([ROW | {"customer": who, "day": None} for who in ("anna", "new")])
    long_ago = (datetime.now() - 30 * DAY).isoformat()

    together = model.predict_proba(frame)

    assert anna < usual - 0.1
    assert together["yes"].to_list() == pytest.approx([anna, usual], abs=1e-12)
    assert yes(model, ROW | {"customer": "anna", "day": long_ago}) == usual


def test_a_caller_may_give_the_history(model: Model) -> None:
    events = [("2026-01-01", {"size": 1.0}, "no")] * 3

    given = yes(model, ROW, history=events)
    two = model.predict_proba([ROW, ROW], history=[events, []])

    assert given == pytest.approx(yes(model, ROW | {"customer": "anna"}), abs=1e-12)
    assert two[0]["yes"] == given
    assert two[1]["yes"] == yes(model, ROW | {"customer": "new"})


@pytest.mark.parametrize("history", [[[]], [["nonsense"], []], [[("2026-01-01",)], []]])
def test_a_history_of_another_shape_is_refused(model: Model, history: list[list[Any]]) -> None:
    with pytest.raises(UsageError, match="the history cannot be used") as caught:
        model.predict([ROW, ROW], history=history)

    assert "(at, values, outcome)" in caught.value.expected


def test_rows_without_a_key_are_told(model: Model) -> None:
    with pytest.warns(InputWarning, match="history: 1 rows have no customer"):
        model.predict([ROW, ROW | {"customer": "anna"}])


def test_sources_of_the_settings_are_read_and_a_lost_one_is_an_error(
    folder: Path, model: Model
) -> None:
    text = '[models.m.sources.booked]\nsource = "booked.csv"\nkey = "who"\ntime = "when"\n'
    (folder / "everfit.toml").write_text(text)
    usual = yes(model, ROW, history=[])

    with pytest.raises(SourceMissing, match=r"booked\.csv"):
        model.predict(ROW | {"customer": "berta"})
    (folder / "booked.csv").write_text("who,when,came\nberta,2026-01-01,yes\nx,2026-01-01,no\n")

    assert yes(model, ROW | {"customer": "berta"}) > usual + 0.05


def test_the_command_line_looks_into_the_same_log(folder: Path, model: Model) -> None:
    rows = [ROW | {"customer": who} for who in ("anna", "new")]
    pl.DataFrame(rows).write_csv(folder / "rows.csv")
    expected = [yes(model, row) for row in rows]

    one = everfit_cli("predict", "m", "--row", json.dumps(rows[0]), "--store", "store", "--json")
    many = everfit_cli("predict", "m", "rows.csv", "-o", "out.csv", "--store", "store")

    assert one.returncode == 0, one.stderr
    assert json.loads(one.stdout)["probabilities"]["yes"] == pytest.approx(expected[0])
    assert many.returncode == 0, many.stderr
    assert pl.read_csv(folder / "out.csv")["p_yes"].to_list() == pytest.approx(expected)


def test_a_store_that_never_served_answers_without_a_history(
    released: tuple[House, RunResult, Path],
) -> None:
    model = everfit.load("m", store=released[2] / "store")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert yes(model, ROW | {"customer": "anna"}) == yes(model, ROW, history=[])
