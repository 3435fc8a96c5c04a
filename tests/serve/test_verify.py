from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from everfit.learners import make
from everfit.learners.contract import FitBudget, History
from everfit.serve import open_plan
from everfit.serve.verify import check_golden, golden
from tests.encoders.mixed import as_table, mixed_rows, target_of
from tests.serve.packed import pack

ROWS = mixed_rows(300)


@pytest.fixture
def version(tmp_path: Path) -> Path:
    history = History(as_table(ROWS), target_of(ROWS), "probabilities", 2)
    (tmp_path / "m0").mkdir()
    learner = make("boosted", {"lr": 0.1}).fit(history, FitBudget(seconds=60.0))
    pack(tmp_path, history.table, [learner.save(tmp_path / "m0")])
    (tmp_path / "golden.json").write_text(json.dumps(golden(open_plan(tmp_path), ROWS[:20])))
    return tmp_path


def test_golden_rows_come_out_again(version: Path) -> None:
    checked = check_golden(version)

    assert checked.ok
    assert checked.rows == 20
    assert checked.largest_difference == 0.0
    assert checked.row_us > 0.0


def test_a_version_that_reads_no_column_answers_each_row_by_both_paths(tmp_path: Path) -> None:
    history = History(as_table(ROWS), target_of(ROWS), "probabilities", 2)
    (tmp_path / "m0").mkdir()
    learner = make("prior", {}).fit(history, FitBudget(seconds=60.0))
    pack(tmp_path, history.table, [learner.save(tmp_path / "m0")])
    (tmp_path / "golden.json").write_text(json.dumps(golden(open_plan(tmp_path), ROWS[:20])))

    checked = check_golden(tmp_path)

    assert (checked.ok, checked.rows, checked.error) == (True, 20, "")


def test_golden_rows_are_json_and_keep_dates_and_missing_values(version: Path) -> None:
    scorer = open_plan(version)
    row = ROWS[0] | {"since": datetime(2022, 2, 3, 4), "size": float("nan"), "rooms": np.int64(3)}

    (made,) = json.loads(json.dumps(golden(scorer, [row]), allow_nan=False))

    assert made["input"]["since"] == "2022-02-03T04:00:00"
    assert made["input"]["size"] is None
    assert tuple(made["expected"]) == scorer.row(row).probabilities


def test_another_answer_is_found(version: Path) -> None:
    rows = json.loads((version / "golden.json").read_text())
    rows[3]["expected"][0] += 1e-6
    (version / "golden.json").write_text(json.dumps(rows))

    checked = check_golden(version)

    assert not checked.ok
    assert "differ" in checked.error
    assert checked.largest_difference == pytest.approx(1e-6, rel=1e-3)


@pytest.mark.parametrize("text", ["[]", "{", '[{"input": {}}]'])
def test_golden_rows_that_cannot_be_read_are_a_finding(version: Path, text: str) -> None:
    (version / "golden.json").write_text(text)

    checked = check_golden(version)

    assert not checked.ok
    assert "golden.json" in checked.error


def test_the_command_ends_with_zero_only_when_answers_match(version: Path) -> None:
    command = [sys.executable, "-m", "everfit.serve.verify", str(version)]

    good = subprocess.run(command, capture_output=True, text=True, check=False)
    (version / "m0" / "model.txt").unlink()
    bad = subprocess.run(command, capture_output=True, text=True, check=False)

    assert good.returncode == 0
    assert json.loads(good.stdout)["ok"] is True
    assert bad.returncode == 1
    assert "cannot be opened" in json.loads(bad.stdout)["error"]
