"""Each kind of bad input: a clear error in four parts, its exit code, and the store as it was."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.real import ROOT, wine

RNG = np.random.default_rng(0)


def everfit(folder: Path, *words: str, budget: str = "8s") -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own, as a user runs it."""
    command = [sys.executable, "-m", "everfit", "--json", "--store", str(folder / "store"), *words]
    if words[0] == "run":
        command += ["--name", "m", "--budget", budget]
    env = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(command, capture_output=True, text=True, env=env, cwd=folder, check=False)


def error_of(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    found = json.loads(done.stderr.strip().splitlines()[-1])["error"]
    assert isinstance(found, dict)
    return found


def frame(n: int = 80, **columns: object) -> pl.DataFrame:
    plain = {
        "a": RNG.normal(size=n).round(3),
        "b": RNG.integers(0, 9, n),
        "y": ["no", "yes"] * (n // 2),
    }
    return pl.DataFrame({**plain, **columns})


def missing(folder: Path) -> str:
    (folder / "customers.csv").write_text("a,y\n1,2\n")
    return "customer.csv"


def empty(folder: Path) -> str:
    (folder / "d.csv").write_text("")
    return "d.csv"


def header_only(folder: Path) -> str:
    (folder / "d.csv").write_text("a,b,y\n")
    return "d.csv"


def binary(folder: Path) -> str:
    (folder / "d.csv").write_bytes(b"\x7fELF\x00\x01\x02" + bytes(range(256)) * 40)
    return "d.csv"


def wide(folder: Path) -> str:
    names = ",".join(f"c{i}" for i in range(10_000))
    row = ",".join(["1"] * 10_000)
    (folder / "d.csv").write_text(f"{names},y\n" + f"{row},1\n" * 3)
    return "d.csv"


def written(made: pl.DataFrame) -> Callable[[Path], str]:
    def write(folder: Path) -> str:
        made.write_csv(folder / "d.csv")
        return "d.csv"

    return write


CASES: dict[str, tuple[Callable[[Path], str], str, str, int]] = {
    "no such file": (missing, "y", "SourceMissing", 3),
    "an empty file": (empty, "y", "SourceUnreadable", 3),
    "a header and no rows": (header_only, "y", "", 3),
    "a binary file named csv": (binary, "y", "SourceUnreadable", 3),
    "ten thousand columns": (wide, "y", "TooManyColumns", 3),
    "a target that is not there": (written(frame()), "yy", "ColumnMissing", 3),
    "a target with one class": (written(frame(y=["yes"] * 80)), "y", "TargetUnusable", 3),
    "a target all missing": (written(frame(y=[None] * 80)), "y", "TargetUnusable", 3),
    "too few rows": (written(frame(12)), "y", "TooFewRows", 3),
    "a class with one row": (written(frame(y=["no"] * 79 + ["yes"])), "y", "TargetUnusable", 3),
    "all features constant": (
        written(frame(a=[1.0] * 80, b=[2] * 80)),
        "y",
        "NothingToLearn",
        3,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_bad_data_is_refused_clearly_and_leaves_no_store(case: str, tmp_path: Path) -> None:
    make, target, code, exit_code = CASES[case]
    source = make(tmp_path)

    done = everfit(tmp_path, "run", source, "--target", target)

    error = error_of(done)
    assert done.returncode == exit_code
    assert error["code"] == code or not code
    assert error["message"] and error["got"] and error["expected"] and error["do"]
    assert done.stdout == ""
    assert not (tmp_path / "store").exists()


def test_near_names_are_offered_for_files_and_columns(tmp_path: Path) -> None:
    file = error_of(everfit(tmp_path, "run", missing(tmp_path), "--target", "y"))
    source = written(frame().rename({"y": "churned"}))(tmp_path)
    column = error_of(everfit(tmp_path, "run", source, "--target", "chrun"))

    assert "customers.csv" in json.dumps(file)
    assert "churned" in column["do"]


def test_too_few_rows_say_how_many_are_needed(tmp_path: Path) -> None:
    source = written(frame(12))(tmp_path)

    error = error_of(everfit(tmp_path, "run", source, "--target", "y"))

    assert "30" in error["expected"]


def test_infinite_values_count_as_missing_and_are_reported(tmp_path: Path) -> None:
    a = RNG.normal(size=200)
    made = frame(200, a=np.where(np.arange(200) % 20 == 0, np.inf, a), y=["no", "yes"] * 100)
    made = made.with_columns(
        pl.when(pl.col("a") > 0).then(pl.lit("yes")).otherwise(pl.lit("no")).alias("y")
    )
    made.write_parquet(tmp_path / "d.parquet")

    done = everfit(tmp_path, "assess", "d.parquet", "--target", "y")

    assert done.returncode == 0
    assert "infinite" in done.stdout


def test_a_budget_too_small_for_anything_releases_the_simple_model_and_says_so(
    tmp_path: Path,
) -> None:
    path, target = wine(tmp_path)

    done = everfit(tmp_path, "run", str(path), "--target", target, budget="1s")

    report = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert report["champion"] == "v1"
    assert "budget of 1 s was too small" in report["stopped"]


def test_an_unwritable_store_is_an_error_in_four_parts(tmp_path: Path) -> None:
    path, target = wine(tmp_path)
    (tmp_path / "store").write_text("a file where the folder should be")

    done = everfit(tmp_path, "run", str(path), "--target", target)

    assert done.returncode == 70
    assert error_of(done)["code"] == "StoreFailed"
    assert (tmp_path / "store").read_text() == "a file where the folder should be"
