"""The command line as a program: one short run on real data, then every command on its store."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from everfit.faces.cli.main import main
from everfit.faces.cli.opening import STOPPING
from everfit.faces.examples import EXAMPLES, write_example

ENVIRON = {**os.environ, "EVERFIT_EXECUTOR": "inline"}
PROGRAM = [sys.executable, "-m", "everfit"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder after ``everfit demo``; the output of the run lies in ``out`` and ``err``."""
    folder = tmp_path_factory.mktemp("program")
    run = subprocess.run(
        [*PROGRAM, "demo", "cancer", "--budget", "7s"],
        cwd=folder, env=ENVIRON, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    (folder / "out").write_text(run.stdout)
    (folder / "err").write_text(run.stderr)
    rows = pl.read_csv(folder / "everfit-demo-cancer.csv").with_row_index("patient")
    rows.write_csv(folder / "new.csv")
    return folder


@pytest.fixture
def inside(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(place)
    monkeypatch.delenv("EVERFIT_STORE", raising=False)
    return place


def asked(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> Any:
    code = main([*arguments, "--json"])
    out, err = capsys.readouterr()
    assert code == 0, err
    return json.loads(out)


def test_a_run_prints_its_block_on_stdout_and_one_line_a_step_on_stderr(place: Path) -> None:
    out, err = (place / "out").read_text(), (place / "err").read_text()

    steps = [line.split()[2] for line in err.splitlines() if line[:10].strip()[:1].isdigit()]
    assert "Verdict" in out
    assert "prior (to beat)" in out
    assert max(map(len, out.splitlines())) <= 80
    assert "\x1b" not in out + err
    assert len(steps) <= 6


def test_the_released_version_answers_a_file(
    inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["predict", "cancer", "new.csv", "-o", "out.csv", "--keep", "patient"])

    rows = pl.read_csv(inside / "out.csv")
    assert code == 0
    assert capsys.readouterr().out == ""
    assert rows.columns == ["patient", "prediction", "p_benign", "p_malignant"]
    assert rows["patient"].to_list() == list(range(569))
    assert (rows["p_benign"] + rows["p_malignant"]).to_list() == pytest.approx([1.0] * 569)


@pytest.mark.parametrize(
    ("name", "read"),
    [("a.parquet", pl.read_parquet), ("a.csv", pl.read_csv), ("a.jsonl", pl.read_ndjson)],
)
def test_all_formats_hold_the_same_answers(name: str, read: Any, inside: Path) -> None:
    main(["predict", "cancer", "new.csv", "-o", "all.parquet", "-q"])

    assert main(["predict", "cancer", "new.csv", "-o", name, "-q"]) == 0

    expected, found = pl.read_parquet("all.parquet"), read(name)
    assert found["prediction"].to_list() == expected["prediction"].to_list()
    assert found["p_benign"].to_list() == pytest.approx(expected["p_benign"].to_list())


def test_csv_on_stdout_and_json_hold_the_same_answers(
    inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["predict", "cancer", "new.csv"])
    lines = capsys.readouterr().out.splitlines()

    shape = asked(["predict", "cancer", "new.csv"], capsys)

    assert lines[0] == "prediction,p_benign,p_malignant"
    assert shape["rows"] == len(lines) - 1 == 569
    assert [row["prediction"] for row in shape["predictions"]] == [
        line.partition(",")[0] for line in lines[1:]
    ]


def test_a_row_is_answered_like_the_same_row_of_a_file(
    inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = pl.read_csv("new.csv").drop("patient", "diagnosis").row(3, named=True)
    in_file = asked(["predict", "cancer", "new.csv"], capsys)["predictions"][3]

    alone = asked(["predict", "cancer", "--row", json.dumps(row)], capsys)

    assert alone["prediction"] == in_file["prediction"]
    assert alone["probabilities"]["benign"] == pytest.approx(in_file["p_benign"], abs=1e-12)
    assert alone["warnings"] == []


def test_what_does_not_fit_is_counted_on_stderr(
    inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = pl.read_csv("new.csv").drop("mean area")
    odd = odd.with_columns(pl.lit(1e9).alias("mean radius"), pl.lit("?!").alias("mean texture"))
    odd.write_csv("odd.csv")

    code = main(["predict", "cancer", "odd.csv", "-o", "odd.parquet"])

    err = capsys.readouterr().err
    assert code == 0
    assert "! column 'mean area' is not there and its default stands in" in err
    assert "! column 'mean texture': 569 of 569 values are no number" in err
    assert "! column 'mean radius': 569 numbers outside the training range" in err


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["predict", "cancer"], 2, "predict needs rows"),
        (["predict", "cancer", "new.csv", "--row", "{}"], 2, "predict needs rows"),
        (["predict", "cancer", "--row", "[1]"], 2, "--row is no JSON object"),
        (["predict", "cancer", "--row", "{age: 1}"], 2, "--row is no JSON object"),
        (["predict", "cancer", "new.csv", "-o", "x.xls"], 2, ".csv, .jsonl, .parquet"),
        (["predict", "cancer", "none.csv", "-o", "n.csv"], 3, "SourceMissing"),
        (["predict", "cancer", "new.csv", "--keep", "patiemt", "-o", "n.csv"], 3, "'patient'"),
        (["predict", "cancre", "new.csv"], 6, "did you mean 'cancer'? everfit predict cancer new"),
        (["predict", "cancer", "new.csv", "--use", "v9"], 6, "v9"),
        (["compare", "cancer", "v1", "v2"], 6, "v2"),
        (["rollback", "cancer", "--yes"], 6, "no earlier champion"),
    ],
)
def test_a_call_that_cannot_be_answered_says_why_and_leaves_nothing(
    arguments: list[str], code: int, text: str, inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = set(inside.iterdir())

    assert main(arguments) == code

    out, err = capsys.readouterr()
    assert out == ""
    assert text in err
    assert set(inside.iterdir()) == before


def test_every_question_has_an_answer_in_words_and_in_json(
    inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("why", "status", "leaderboard", "columns", "card"):
        assert main([command, "cancer"]) == 0
        words = capsys.readouterr().out

        shape = asked([command, "cancer"], capsys)

        assert words.strip()
        assert shape["command"] == command


def test_columns_say_what_a_model_expects(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    columns = asked(["columns", "cancer"], capsys)["columns"]

    by_name = {column["name"]: column for column in columns}
    assert "diagnosis" not in by_name
    assert by_name["mean radius"]["kind"] == "number"
    assert by_name["mean radius"]["low"] == pytest.approx(6.981)


def test_asking_where_there_is_no_store_creates_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    codes = [main(["models"]), main(["status"]), main(["why", "churn"])]

    assert codes == [0, 0, 6]
    assert list(tmp_path.iterdir()) == []
    assert "No models yet" in capsys.readouterr().out


def test_a_reader_that_goes_away_is_no_error(inside: Path) -> None:
    rows = pl.read_csv("new.csv")
    pl.concat([rows] * 20).write_csv("long.csv")
    program = subprocess.Popen(
        [*PROGRAM, "predict", "cancer", "long.csv", "-q"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert program.stdout is not None
    assert program.stderr is not None

    first = program.stdout.readline()
    program.stdout.close()
    code = program.wait(timeout=60)

    assert first == "prediction,p_benign,p_malignant\n"
    assert code == 141
    assert program.stderr.read() == ""
    program.stderr.close()


def test_ctrl_c_keeps_the_best_so_far_and_ends_with_130(tmp_path: Path) -> None:
    write_example(EXAMPLES[0], tmp_path / "cancer.csv")
    program = subprocess.Popen(
        [*PROGRAM, "run", "cancer.csv", "-t", "diagnosis", "-n", "x", "-b", "60s", "--json",
         "--progress", "json"],
        cwd=tmp_path, env=ENVIRON, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert program.stderr is not None
    judged = 0
    for line in program.stderr:
        judged += '"best' in line
        if judged == 3:
            program.send_signal(signal.SIGINT)
            break

    out, err = program.communicate(timeout=60)

    assert program.returncode == 130, err
    assert STOPPING in err
    assert json.loads(out)["interrupted"] is True
    assert json.loads(out)["version"] == "v1"
